"""Protects a filled entry: the stop in the first request, and after it the take-profits.

The caller closes a position whose stop cannot be placed. A refused target (`targets.py`) is recorded, no more.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from decimal import Decimal

from functions.order_executor import exit_plans, stop_placement, watching
from functions.order_executor.entry_outcome import Filled
from functions.order_executor.ledger import update_order
from functions.order_executor.session import ExecutionSession
from functions.order_executor.targets import place_targets, targets_of
from shared.clock import to_ms, utc_now
from shared.errors import ExchangeError, LeaseLost
from shared.models.execution import Execution
from shared.models.position_slot import PositionSlot
from shared.observability import logger, measure_ms
from shared.scheduling import due_by_next_run
from shared.trading.execution import ExecutionState, Reason
from shared.trading.ids import STOP_LEGS, Leg
from shared.trading.order_planning import ExitPlan


async def protect(session: ExecutionSession, filled: Filled, *, left: Decimal | None = None) -> bool:
    """Place the stops of an open position; return False when it must be closed instead.

    `left` is the amount still open, where that is less than what was filled. The ledger is written side by side with
    the stop's request and never holds it up: an error of the write is raised only when the stop stands.
    """
    exits = exit_plans.plan_for(session, left or filled.amount)
    if exits.omitted:
        # Below the symbol's minimum amount, or a price below zero: the other targets take their share.
        logger.warning("targets_omitted", execution_id=session.execution.id, legs=[leg.value for leg in exits.omitted])
    session.execution.filled_amount = filled.amount  # a close needs it even if the write fails
    give_up_at_s = time.monotonic() + stop_placement.STOP_GIVE_UP_S
    placed, recorded = await asyncio.gather(
        stop_placement.place_stops(session, exits.stops, amount=exits.amount, give_up_at_s=give_up_at_s),
        record_fill(session, filled, exits),
        return_exceptions=True,
    )
    for outcome in (placed, recorded):
        if isinstance(outcome, LeaseLost | asyncio.CancelledError):
            raise outcome
    if isinstance(placed, BaseException):
        logger.error("stop_failed", execution_id=session.execution.id, detail=type(placed).__name__)
        return False
    if not placed:
        return False
    if isinstance(recorded, BaseException):
        await record_fill(session, filled, exits)  # once more, now that the stop stands
    # `record_protected` writes it, after what is still to be entered.
    session.execution.protected_at = session.execution.protected_at or utc_now()
    return True


async def place_protected_targets(session: ExecutionSession, amount: Decimal) -> None:
    """Record that the stop of a position of `amount` stands, and place the targets side by side with it."""
    exits = exit_plans.plan_for(session, amount)
    outcomes = await asyncio.gather(record_protected(session), place_targets(session, exits), return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome


async def is_guarded_whole(session: ExecutionSession) -> bool:
    """Return whether the stop is one that closes the whole position, and is seen to stand."""
    stop = session.ledger.of_leg(Leg.STOP)[-1]
    if not stop.close_position:
        return False
    with contextlib.suppress(ExchangeError):
        view = await session.look_up(stop)
        return view is not None and view.status.is_open
    return False


async def record_fill(session: ExecutionSession, filled: Filled, exits: ExitPlan) -> None:
    """Record the fill, and the targets that will be sent after the stop."""
    entry = session.ledger.of_leg(Leg.ENTRY)[-1]
    view = filled.view
    if view.average is None:
        # A create-order reply may carry no average price, so fetch the order. The booking reads the fills anyway.
        with contextlib.suppress(ExchangeError):
            view = await session.look_up(entry) or view
    update_order(entry, view)
    targets = [
        session.ledger.intend(target, attempt=1)
        for target in targets_of(exits)
        if not session.ledger.of_leg(target.leg)
    ]
    known = session.execution.state in {ExecutionState.UNPROTECTED, ExecutionState.PROTECTED}
    await session.ledger.advance(
        None if known else ExecutionState.UNPROTECTED,
        orders=(entry, *targets),
        slot=(PositionSlot.quantity.set(filled.amount),),
        filled_amount=filled.amount,
        entry_price=view.average,
        entry_filled_at=session.execution.entry_filled_at or view.updated_at,
    )


def _filled_in_part(execution: Execution) -> str | None:
    """Return what the entry has filled of its amount if that is less; None for one that was told before."""
    filled, amount = execution.filled_amount, execution.amount
    if filled is None or amount is None or filled >= amount or execution.reason is not None:
        return None
    return f"{filled:f} of {amount:f}"


async def record_protected(session: ExecutionSession) -> None:
    """Record that the stop stands, and how long the position was without one."""
    execution = session.execution
    protected_at = execution.protected_at or utc_now()
    in_part = _filled_in_part(execution)
    filled_at = execution.entry_filled_at or protected_at
    naked_ms = max(to_ms(protected_at) - to_ms(filled_at), 0)
    await session.ledger.advance(
        ExecutionState.PROTECTED,
        reason=Reason.FILLED_IN_PART if in_part else None,
        detail=in_part,
        orders=session.ledger.of_leg(*STOP_LEGS),
        due_at=due_by_next_run(),
        protected_at=protected_at,
        naked_ms=execution.naked_ms if execution.naked_ms is not None else naked_ms,
        **watching.watched_from_entry(session),
    )
    measure_ms("naked", naked_ms)
    logger.info("position_protected", execution_id=execution.id, trigger_id=execution.trigger_id, naked_ms=naked_ms)
