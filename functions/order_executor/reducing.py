"""Brings a position down to the share of its entry's amount that exit alerts ask for; its stop stays.

The take-profits make room first, so that no standing order overlaps what is sold. One order is sent at a time, and its
intent is written first: while it may still be carried out, no other one is sent, so that no part is sold twice.
"""

from __future__ import annotations

import asyncio
import time
from decimal import Decimal
from enum import StrEnum
from typing import assert_never

from functions.order_executor import (
    ending,
    entry_outcome,
    leaving,
    making_room,
    position,
    recheck,
    stops,
)
from functions.order_executor.close_refusals import Refusal, Refusals
from functions.order_executor.ledger import update_order
from functions.order_executor.session import ExecutionSession
from shared.errors import ExchangeError, ExchangeRejected, OutcomeUnknown
from shared.exchange import error_codes
from shared.models.order import Order, OrderStatus
from shared.models.position_slot import PositionSlot
from shared.observability import ATTENTION_NEEDED, count_outcome, logger
from shared.scheduling import due_by_next_run
from shared.trading.execution import CloseReason, Desired, Reason
from shared.trading.ids import Leg
from shared.trading.order_planning import plan_close
from shared.trading.reduction import Reduction, plan_reduction

_ROUNDS = 4
_PAUSE_S = 0.2
_WINDOW_MS = 1_500
"""Short, because no other order is sent until this window of one without an answer has passed."""
_MAY_BE_CARRIED_OUT = (OrderStatus.INTENDED, OrderStatus.OPEN)


class Reduced(StrEnum):
    """The result of a reduction."""

    DONE = "DONE"
    """No more of the position is left than was asked for, but for less than a market order."""
    UNFINISHED = "UNFINISHED"
    FLAT = "FLAT"
    """Nothing of ours is left."""
    TO_CLOSE = "TO_CLOSE"
    """What would remain is less than the exchange takes."""


async def reduce_if_asked(session: ExecutionSession) -> None:
    """Bring a guarded position down to what exit alerts ask for; end it, or close it, where nothing would remain."""
    if not session.execution.is_to_be_reduced:
        return
    reduced = await reduce_to_target(session)
    match reduced:
        case Reduced.DONE:
            return
        case Reduced.UNFINISHED:
            await recheck.schedule_recheck(session.ledger)
        case Reduced.FLAT:
            await ending.end_flat(session)
        case Reduced.TO_CLOSE:
            reason = session.execution.close_reason or CloseReason.EXIT_ALERT.value
            await session.ledger.advance(desired=Desired.CLOSED, close_reason=reason)
            await leaving.close_and_end(session, leg=Leg.CLOSE, reason=CloseReason.EXIT_ALERT)
        case _:
            assert_never(reduced)


async def reduce_to_target(session: ExecutionSession) -> Reduced:
    """Bring the position down to its target, in up to four rounds; raise ExchangeError when a request fails."""
    if not session.filters_known:
        return Reduced.UNFINISHED  # no amount could be fitted to them
    try:
        reduced = await _run_rounds(session)
    finally:
        await making_room.restore(session)
    return reduced


async def _run_rounds(session: ExecutionSession) -> Reduced:
    refusals = Refusals()
    for number in range(_ROUNDS):
        if number:
            await asyncio.sleep(_PAUSE_S)
        reduced = await _run_round(session, refusals)
        if reduced is not None:
            return reduced
    logger.error("reduction_not_finished", execution_id=session.execution.id)
    count_outcome(ATTENTION_NEEDED)
    return Reduced.UNFINISHED


async def _run_round(session: ExecutionSession, refusals: Refusals) -> Reduced | None:
    """Close a part, if more is left than was asked for; return the result once there is one."""
    if not await _is_known_what_became_of_earlier_orders(session):
        return Reduced.UNFINISHED
    left = await position.left_of_ours(session)
    if not left:
        return Reduced.FLAT
    plan = _plan(session, left)
    if not plan.keep:
        return Reduced.TO_CLOSE
    if not plan.close:
        await _record_done(session, left)
        return Reduced.DONE
    await making_room.make_room(session, plan, overlap=refusals.overlap)
    # A take-profit may have filled until it made room.
    close = _plan(session, await position.left_of_ours(session)).close
    if close and not await _would_be_refused_again(session, refusals, close):
        refusals.record(await _sell(session, close))
    return None


def _plan(session: ExecutionSession, left: Decimal) -> Reduction:
    return plan_reduction(
        entered=stops.filled_amount(session),
        left=left,
        keep_share=session.execution.target.keep_share,
        filters=session.filters,
    )


async def _would_be_refused_again(session: ExecutionSession, refusals: Refusals, amount: Decimal) -> bool:
    last = refusals.last
    if last is None or last.code not in error_codes.FILTERS_CONTRADICTED:
        return False
    renewed = await session.renew_filters(last.sent_with, sent_at_s=last.sent_at_s)
    return not renewed or amount in refusals.contradicted


async def _sell(session: ExecutionSession, amount: Decimal) -> Refusal | None:
    """Send one reduce-only market order and find out what became of it; return its refusal, if any."""
    planned = plan_close(leg=Leg.REDUCE, entry_side=session.execution.side, amount=amount)
    order = session.ledger.intend(planned)
    stamp = await session.lease.stamp(at_most_ms=_WINDOW_MS)
    order.exchange_time_ms, order.recv_window_ms = stamp.timestamp_ms, stamp.recv_window_ms
    await session.ledger.save_orders(order)
    sent_with, sent_at_s = session.filters, time.monotonic()
    try:
        view = await session.place(planned, order, stamp=stamp)
    except OutcomeUnknown as error:
        logger.warning("reduction_unknown", execution_id=session.execution.id, detail=str(error))
        await entry_outcome.await_answer(session, order)
        await session.ledger.save_orders(order)
        return None
    except ExchangeError as error:
        # Certainly not carried out. -2022: a stop or a take-profit has just filled, as the fills will show.
        order.status, order.error = OrderStatus.REJECTED, str(error.code or type(error).__name__)
        await session.ledger.save_orders(order)
        if not isinstance(error, ExchangeRejected):
            raise
        return Refusal(code=error.code, amount=amount, sent_with=sent_with, sent_at_s=sent_at_s)
    update_order(order, view)
    await session.ledger.save_orders(order)
    return None


async def _is_known_what_became_of_earlier_orders(session: ExecutionSession) -> bool:
    """Find out what became of orders without a final answer; return False while one may still be carried out."""
    open_ones = [order for order in session.ledger.of_leg(Leg.REDUCE) if order.status in _MAY_BE_CARRIED_OUT]
    for order in open_ones:
        if not await _find_out(session, order):
            return False
    return True


async def _find_out(session: ExecutionSession, order: Order) -> bool:
    try:
        search = await entry_outcome.search_after_window(session, order)
    except OutcomeUnknown as error:
        logger.info("reduction_unknown", execution_id=session.execution.id, detail=str(error))
        return False
    if search.view is None:
        order.status = OrderStatus.ABSENT
    else:
        update_order(order, search.view)
    await session.ledger.save_orders(order)
    return order.status not in _MAY_BE_CARRIED_OUT


async def _record_done(session: ExecutionSession, left: Decimal) -> None:
    """Record that the target is reached, and tell of it if an order of ours has closed a part for it."""
    execution = session.execution
    tells = _has_sold(session)
    await session.ledger.advance(
        slot=(PositionSlot.quantity.set(left),),
        due_at=due_by_next_run(),
        reason=Reason.REDUCED if tells else None,
        detail=f"{left:f} of {stops.filled_amount(session):f}" if tells else None,
        reduced_to=execution.target.keep_share,
        amount_left=left,
        # The targets have changed, and the amount in the slot is of this moment: the next look reads all of it.
        seen_amount=Decimal(0),
        looked_at=None,
    )
    count_outcome("position_reduced")
    logger.info("position_reduced", execution_id=execution.id, left=str(left))


def _has_sold(session: ExecutionSession) -> bool:
    asked_at = session.execution.reduce_requested_at
    orders = session.ledger.of_leg(Leg.REDUCE)
    return any(order.filled and (asked_at is None or order.created_at >= asked_at) for order in orders)
