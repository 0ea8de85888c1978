"""Tries an entry again that the exchange certainly did not take, while its alert is fresh; then ends it.

Its order keeps its client id, which no order has at the exchange. An entry that is merely proven absent is another
matter (`entering.resend_entry`).
"""

from __future__ import annotations

import asyncio
import math
import random

from functions.order_executor import booking, entering, resizing
from functions.order_executor.entry_intents import close_is_requested, is_fresh_in, stamp_entry, write_with_dead_man
from functions.order_executor.entry_outcome import NotPlaced, Outcome, Refused, reject_entry
from functions.order_executor.recheck import schedule_recheck
from functions.order_executor.session import ExecutionSession
from shared import admission
from shared.clock import utc_now
from shared.errors import ExchangeThrottled, ExchangeUnavailable, OrderDenied, OutcomeUnknown, RecordChanged
from shared.models.order import Order, OrderStatus
from shared.observability import count_outcome, logger
from shared.scheduling import back_off_s, due_by_dead_man
from shared.trading.execution import DenialReason, Desired, ExchangeReason, ExecutionState, Reason

_SHORTEST_S = 1.0
_SPREAD_S = 1.0
_CLOSE_REQUESTED = Refused(ExecutionState.DENIED, DenialReason.CLOSE_REQUESTED)


async def wait_or_end(session: ExecutionSession, entry: Order, outcome: NotPlaced) -> None:
    """Schedule the next try of an entry that was not placed; end it when its alert is too old by then."""
    soonest_s = max(outcome.after_s, back_off_s(session.execution.state_since, least_s=_SHORTEST_S))
    if not is_fresh_in(session, soonest_s):
        end = await reject_entry(session, entry, outcome.end)
        await booking.end_without_position(session.ledger, state=end.state, reason=end.reason, detail=end.detail)
        return
    entry.status, entry.error = OrderStatus.NOT_PLACED, outcome.end.reason
    await session.ledger.save_orders(entry)
    after_s = math.ceil(random.uniform(soonest_s, soonest_s + _SPREAD_S))  # noqa: S311 - jitter, not a secret
    await schedule_recheck(session.ledger, after_s=after_s)
    logger.info("entry_not_placed", execution_id=session.execution.id, after_s=after_s, reason=outcome.end.reason)
    count_outcome("entry_not_placed")


async def send_again(session: ExecutionSession, entry: Order) -> Outcome:
    """Send an entry again that was not placed, if it may still be sent, and return its outcome."""
    stopped = await _judge(session, entry)
    if isinstance(stopped, Refused):
        return await reject_entry(session, entry, stopped)
    if stopped is not None:
        return stopped
    entry.status, entry.error = OrderStatus.INTENDED, None
    await stamp_entry(session, entry)
    try:
        await write_with_dead_man(
            session,
            session.ledger.advance(orders=(entry,), unless=close_is_requested, due_at=due_by_dead_man(utc_now())),
        )
    except RecordChanged:
        return await reject_entry(session, entry, _CLOSE_REQUESTED)
    return await entering.send_entry(session, entry)


async def _judge(session: ExecutionSession, entry: Order) -> Refused | NotPlaced | None:
    """Return why an entry may not be sent again, now or at all; None if it may."""
    end = _end_of(entry)
    if session.execution.desired is Desired.CLOSED:
        return _CLOSE_REQUESTED
    try:
        await admit_again(session)
        if end.state is not ExecutionState.REJECTED:
            return None
        # Refused by filters or brackets that could not be read again: never sent again unchanged.
        return await resizing.size_after_refusal(session, entry, end)
    except OrderDenied as denied:
        if denied.reason == DenialReason.STALE:
            return end
        return Refused(ExecutionState.DENIED, DenialReason(denied.reason), denied.detail)
    except (ExchangeUnavailable, OutcomeUnknown) as error:
        return _unread(end, error)


def _unread(end: Refused, error: ExchangeUnavailable | OutcomeUnknown) -> NotPlaced:
    """Return when an entry may be judged again, and its end if that is too late: a read failed, nothing was sent."""
    if not isinstance(error, ExchangeThrottled):
        return NotPlaced(end)
    if end.state is not ExecutionState.REJECTED:
        # Its lane keeps it from its next try, not the exchange.
        end = Refused(ExecutionState.DENIED, DenialReason.WEIGHT_EXHAUSTED, str(error))
    return NotPlaced(end, after_s=error.retry_after_s)


async def admit_again(session: ExecutionSession) -> None:
    """Raise OrderDenied when an entry that opened nothing may not be sent once more."""
    execution = session.execution
    context = await asyncio.to_thread(admission.read_context, execution, lane=session.account.lane)
    admission.admit_follower(context, execution)
    price = await session.account.market_price(session.symbol)
    admission.admit_age(context, execution, now=utc_now(), market_price=price)
    # The owner may have traded meanwhile: the second entry, like the first, needs a flat account.
    signed, standing_orders = await asyncio.gather(
        session.account.position_amount(session.symbol), session.account.open_orders(session.symbol)
    )
    if signed or standing_orders:
        raise OrderDenied(DenialReason.FOREIGN_POSITION, f"{signed}, {len(standing_orders)} order(s)")


def _end_of(entry: Order) -> Refused:
    """Return what an entry that was not placed comes to when it is not tried again, by the reason on its record."""
    match entry.error:
        case Reason.EXCHANGE_UNAVAILABLE:
            return Refused(ExecutionState.FAILED, Reason.EXCHANGE_UNAVAILABLE)
        case DenialReason.WEIGHT_EXHAUSTED:
            return Refused(ExecutionState.DENIED, DenialReason.WEIGHT_EXHAUSTED)
        case reason:
            return Refused(ExecutionState.REJECTED, ExchangeReason(str(reason)))
