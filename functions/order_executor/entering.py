"""Sends the entry: intent and dead-man message first, then the order. Protects nothing.

An entry is sent a second time only when the exchange can no longer carry out the first (`entry_outcome.py`): it never
arrived, or expired unfilled.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Unpack

from pynamodb.exceptions import PynamoDBException
from pynamodb.expressions.update import Action
from pynamodb.transactions import TransactWrite

from functions.order_executor import entry_outcome, exit_plans
from functions.order_executor.entry_intents import (
    close_is_requested,
    planned_entry,
    recorded_stamp,
    size_changes,
    stamp_entry,
    write_with_dead_man,
)
from functions.order_executor.entry_outcome import Absent, NotPlaced, Outcome, Refused, reject_entry
from functions.order_executor.resizing import refuse_or_size_anew, size_from_fresh_price
from functions.order_executor.session import ExecutionSession
from shared.clock import utc_now
from shared.errors import (
    ExchangeAuthorizationFailed,
    ExchangeError,
    ExchangeRejected,
    ExchangeThrottled,
    ExchangeUnavailable,
    OrderDenied,
    OutcomeUnknown,
    RecordChanged,
)
from shared.models.execution import ExecutionChanges
from shared.models.order import Order
from shared.models.position_slot import PositionSlot
from shared.observability import logger
from shared.scheduling import due_by_dead_man
from shared.trading.execution import DenialReason, ExecutionState, Reason
from shared.trading.order_planning import ExitPlan, PlannedOrder, plan_entry
from shared.trading.sizing import SizedOrder
from shared.trading.updates import NOTHING

_ENTRY_ATTEMPTS = 2
_SEND_ATTEMPTS = 3
_SEND_PAUSE_S = 0.25


async def intend_entry(
    session: ExecutionSession, sized: SizedOrder, exits: ExitPlan, *, claim: Callable[[TransactWrite], None]
) -> Order:
    """Write the entry and its stops to the ledger, take the slot and the account, and queue the dead-man message.

    The stops are written now, so that nothing need be written between the fill and the stop. Raise RecordChanged when
    a close was requested meanwhile, or another key has claimed the account.
    """
    execution = session.execution
    entry = session.ledger.intend(plan_entry(side=execution.side, amount=sized.amount, bound=sized.bound))
    stops = [session.ledger.intend(stop, attempt=1) for stop in exits.stops]
    await stamp_entry(session, entry)
    await write_with_dead_man(
        session,
        session.ledger.advance(
            ExecutionState.ENTERING,
            orders=(entry, *stops),
            slot=(
                PositionSlot.follower_id.set(execution.follower_id),
                PositionSlot.execution_id.set(execution.id),
                PositionSlot.quantity.set(sized.amount),
            ),
            unless=close_is_requested,
            also=claim,
            due_at=due_by_dead_man(utc_now()),
            **size_changes(sized),
            egress_lane=session.account.lane,
            taker_rate=execution.taker_rate,
            passed_targets=execution.passed_targets,
            keep_share=execution.keep_share,
            stop_requested=execution.stop_requested,
            breakeven_requested=execution.breakeven_requested,
            breakeven_after=execution.breakeven_after,
            breakeven_after_since=execution.breakeven_after_since,
            targets_requested=execution.targets_requested,
            targets_requested_at=execution.targets_requested_at,
            update_requested_at=None if execution.requested == NOTHING else utc_now(),
            detail=_left_out(execution.passed_targets),
        ),
    )
    return entry


def _left_out(passed: list[Decimal]) -> str | None:
    return f"targets that the market has passed: {', '.join(f'{price:f}' for price in passed)}" if passed else None


async def send_entry(session: ExecutionSession, entry: Order) -> Outcome:
    """Send an intended entry and return its outcome; raise OutcomeUnknown when it cannot be found out now."""
    planned = planned_entry(entry)
    for attempt in range(1, _SEND_ATTEMPTS + 1):
        sent_with, sent_at_s = session.filters, time.monotonic()
        try:
            view = await session.place(planned, entry, stamp=recorded_stamp(entry))
        except OutcomeUnknown as error:
            logger.warning("entry_outcome_unknown", execution_id=session.execution.id, detail=str(error))
            await _record_unknown(session, error)
            return await entry_outcome.resolve_entry(session, entry)
        except ExchangeUnavailable as error:
            # Certainly not placed, so the same order may be sent again; after a rate limit only later.
            if isinstance(error, ExchangeThrottled) or attempt == _SEND_ATTEMPTS:
                return _not_placed(error)
            await asyncio.sleep(_SEND_PAUSE_S * attempt)
            await stamp_entry(session, entry)
            await session.ledger.save_orders(entry)
        except ExchangeRejected as error:
            last = attempt == _SEND_ATTEMPTS
            refused = await refuse_or_size_anew(
                session, entry, error, sent_with=sent_with, sent_at_s=sent_at_s, last=last
            )
            if isinstance(refused, NotPlaced):
                return refused
            if refused is not None:
                return await reject_entry(session, entry, refused)
            planned = planned_entry(entry)
        except ExchangeAuthorizationFailed as error:
            refused = Refused(ExecutionState.REJECTED, DenialReason.KEY_UNAUTHORIZED, str(error))
            return await reject_entry(session, entry, refused)
        else:
            return await entry_outcome.await_fill(session, entry, view)
    raise AssertionError("unreachable: the last attempt returns")


async def _record_unknown(session: ExecutionSession, error: OutcomeUnknown) -> None:
    """Record that the outcome is unknown. A failing ledger does not delay the look-up."""
    try:
        await session.ledger.advance(ExecutionState.ENTRY_UNKNOWN, detail=str(error))
    except PynamoDBException:
        logger.exception("unknown_entry_not_noted", execution_id=session.execution.id)


async def resend_entry(session: ExecutionSession, absent: Order) -> Outcome:
    """Send an entry that is proven absent once more, under a new id; return Absent when that was the second attempt."""
    if absent.attempt >= _ENTRY_ATTEMPTS:
        return Absent()
    outcome = await _send_next_attempt(session, absent, planned_entry(absent))
    return Absent() if outcome is None else outcome


async def send_unfilled_again(session: ExecutionSession, unfilled: Order) -> Outcome | None:
    """Send an entry of which nothing has filled once more, from a fresh price, under a new id.

    Return None when it may not be sent, or has been sent again before.
    """
    if unfilled.attempt >= _ENTRY_ATTEMPTS or session.view_at_entry is None:
        return None
    try:
        sized = await size_from_fresh_price(session)
    except (OrderDenied, ExchangeError, PynamoDBException) as error:
        logger.info("unfilled_entry_not_sent_again", execution_id=session.execution.id, detail=str(error))
        return None
    planned = plan_entry(side=session.execution.side, amount=sized.amount, bound=sized.bound)
    return await _send_next_attempt(
        session,
        unfilled,
        planned,
        stops=exit_plans.replan_stops(session, sized.amount),
        slot=(PositionSlot.quantity.set(sized.amount),),
        **size_changes(sized),
    )


async def _send_next_attempt(
    session: ExecutionSession,
    before: Order,
    planned: PlannedOrder,
    *,
    stops: Sequence[Order] = (),
    slot: Sequence[Action] = (),
    **changes: Unpack[ExecutionChanges],
) -> Outcome | None:
    """Write the intent of an entry's next attempt, and send it; return None when a close was requested meanwhile."""
    entry = session.ledger.intend(planned, attempt=before.attempt + 1)
    await stamp_entry(session, entry)
    try:
        await write_with_dead_man(
            session,
            session.ledger.advance(
                ExecutionState.ENTERING,
                orders=(entry, *stops),
                slot=slot,
                unless=close_is_requested,
                due_at=due_by_dead_man(utc_now()),
                **changes,
            ),
        )
    except RecordChanged:
        del session.ledger.orders[entry.client_order_id]
        return None
    return await send_entry(session, entry)


def _not_placed(error: ExchangeUnavailable) -> NotPlaced:
    if isinstance(error, ExchangeThrottled):
        end = Refused(ExecutionState.DENIED, DenialReason.WEIGHT_EXHAUSTED, str(error))
        return NotPlaced(end, after_s=error.retry_after_s)
    return NotPlaced(Refused(ExecutionState.FAILED, Reason.EXCHANGE_UNAVAILABLE, str(error)))
