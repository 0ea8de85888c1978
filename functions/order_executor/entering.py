"""The entry: written down, sent once, and looked up when its outcome is unknown. Protects nothing.

Unknown is not failed: an entry is sent a second time only when the exchange can no longer take the first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from pynamodb.exceptions import PynamoDBException

from functions.order_executor import admission
from functions.order_executor.position import position_from_fills
from functions.order_executor.session import ExecutionSession
from shared.clock import utc_now
from shared.errors import (
    ExchangeAuthorizationFailed,
    ExchangeError,
    ExchangeRejected,
    ExchangeThrottled,
    ExchangeUnavailable,
    OutcomeUnknown,
    RecordChanged,
)
from shared.exchange.futures import Stamp, now_ms
from shared.exchange.venue_views import OrderView
from shared.messages import ReconcileMessage, send_dead_man
from shared.models.execution import Execution
from shared.models.order import Order, OrderStatus
from shared.models.position_slot import PositionSlot
from shared.observability import logger
from shared.scheduling import due_by_dead_man
from shared.trading.execution import DenialReason, Desired, ExecutionState
from shared.trading.ids import Leg
from shared.trading.order_planning import ExitPlan, plan_entry
from shared.trading.sizing import SizedOrder

ENTRY_WINDOW_MS = 3_000
"""Short, because absence can be proven only after it: a market order that arrives later is not wanted anyway."""
ABSENCE_MARGIN_MS = 2_000
_ENTRY_ATTEMPTS = 2
_SEND_ATTEMPTS = 3
_POLL_S = 0.25
_UNKNOWN_POLL_S = 0.5
_JUDGE_POLLS = 16
_FOREIGN_AFTER_MS = 30_000


@dataclass(frozen=True, slots=True)
class Filled:
    """The entry has opened a position."""

    amount: Decimal
    view: OrderView


@dataclass(frozen=True, slots=True)
class Refused:
    """The entry has opened nothing, and never will."""

    state: ExecutionState
    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Absent:
    """The entry never reached the exchange, proven; it may be sent once more."""


Outcome = Filled | Refused | Absent


async def intend_entry(session: ExecutionSession, sized: SizedOrder, exits: ExitPlan) -> Order:
    """Write down the entry and its stops, take the slot, and set the dead-man message; then it may be sent.

    The stops' records are written now, so that nothing need be written between the fill and the stop. Raise
    RecordChanged when somebody asked for the position to be closed meanwhile.
    """
    execution = session.execution
    entry = session.intend(plan_entry(signal=execution.signal(), amount=sized.amount))
    stops = [session.intend(stop, attempt=1) for stop in exits.stops]
    await _stamp(session, entry)
    await _with_dead_man(
        session,
        session.advance(
            ExecutionState.ENTERING,
            orders=(entry, *stops),
            slot=(
                PositionSlot.follower_id.set(execution.follower_id),
                PositionSlot.execution_id.set(execution.id),
                PositionSlot.quantity.set(sized.amount),
            ),
            unless=_close_wanted,
            due_at=due_by_dead_man(utc_now()),
            equity=sized.equity,
            amount=sized.amount,
            caps=[cap.value for cap in sized.caps],
        ),
    )
    return entry


async def _with_dead_man(session: ExecutionSession, writing: Coroutine[Any, Any, None]) -> None:
    """Write an intent and queue the message that brings another worker should this one die; both or an error."""
    message = ReconcileMessage(execution_id=session.execution.id)
    queued = asyncio.to_thread(send_dead_man, [message])
    for outcome in await asyncio.gather(writing, queued, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome


async def _stamp(session: ExecutionSession, entry: Order) -> Stamp:
    """Fix an entry's timestamp and window on its record, where whoever resolves it later finds them."""
    stamp = await session.lease.stamp(at_most_ms=ENTRY_WINDOW_MS)
    entry.exchange_time_ms, entry.recv_window_ms = stamp.timestamp_ms, stamp.recv_window_ms
    return stamp


def _stamp_of(entry: Order) -> Stamp:
    if entry.exchange_time_ms is None or entry.recv_window_ms is None:
        raise OutcomeUnknown("the entry's window is not on record")
    return Stamp(timestamp_ms=entry.exchange_time_ms, recv_window_ms=entry.recv_window_ms)


async def send_entry(session: ExecutionSession, entry: Order) -> Outcome:
    """Send an intended entry and return what came of it; raise OutcomeUnknown only when it cannot be found out now."""
    planned = plan_entry(signal=session.execution.signal(), amount=_amount_of(entry))
    for attempt in range(1, _SEND_ATTEMPTS + 1):
        try:
            view = await session.place(planned, entry, stamp=_stamp_of(entry))
        except OutcomeUnknown as error:
            logger.warning("entry_outcome_unknown", execution_id=session.execution.id, detail=str(error))
            await _note_unknown(session, error)
            return await resolve_entry(session, entry)
        except ExchangeUnavailable as error:
            # Certainly not placed, so the same order may go out again; but a limit is not argued with.
            if isinstance(error, ExchangeThrottled) and _fresh_after(session, error.retry_after_s):
                raise  # looked up then, proven absent, and sent once more
            if isinstance(error, ExchangeThrottled) or attempt == _SEND_ATTEMPTS:
                return await _refuse(session, entry, _of_unavailable(error))
            await asyncio.sleep(_POLL_S * attempt)
            await _stamp(session, entry)
            await session.note(entry)
        except ExchangeRejected as error:
            return await _refuse(session, entry, Refused(ExecutionState.REJECTED, _code(error), str(error)))
        except ExchangeAuthorizationFailed as error:
            refused = Refused(ExecutionState.REJECTED, DenialReason.KEY_UNAUTHORIZED, str(error))
            return await _refuse(session, entry, refused)
        else:
            return await _judge(session, entry, view)
    raise AssertionError("unreachable: the last attempt returns")


async def _note_unknown(session: ExecutionSession, error: OutcomeUnknown) -> None:
    """Write that the entry's outcome is unknown; finding it out does not wait for our own records."""
    try:
        await session.advance(ExecutionState.ENTRY_UNKNOWN, detail=str(error))
    except PynamoDBException:
        logger.exception("unknown_entry_not_noted", execution_id=session.execution.id)


async def resolve_entry(session: ExecutionSession, entry: Order) -> Outcome:
    """Find out what became of an entry whose answer is missing: look it up until it shows, or cannot any more.

    It counts as absent only when the exchange's clock is past its timestamp, its window and a margin, *and* its id, the
    position and the fills all show nothing. Raise OutcomeUnknown while the exchange is out of reach.
    """
    provable_ms = _stamp_of(entry).expires_ms + ABSENCE_MARGIN_MS
    view = await _look_until(session, entry, provable_ms)
    if view is not None:
        return await _judge(session, entry, view)
    # From here on every answer counts, and the exchange's own clock.
    exchange_now_ms = await session.account.server_time_ms()
    if exchange_now_ms <= provable_ms:
        raise OutcomeUnknown("the exchange's clock is behind: look again")
    view = await session.look_up(entry)
    if view is not None:
        return await _judge(session, entry, view)
    held, listed, _ = await asyncio.gather(
        session.position(), session.account.orders_since(session.symbol, session.begun_at), session.read_fills()
    )
    by_id = {order.client_order_id: order for order in listed}
    ours = by_id.get(entry.client_order_id)
    if ours is not None:
        return await _judge(session, entry, ours)
    for other in session.of_leg(Leg.ENTRY):
        late = by_id.get(other.client_order_id)
        if late is not None and late.filled:
            return Filled(amount=late.filled, view=late)
    if position_from_fills(session) is not None:
        raise OutcomeUnknown("fills without the order that they are of: look again")
    if held and exchange_now_ms < provable_ms + _FOREIGN_AFTER_MS:
        # Ours, with books that lag, or the owner's: time tells. Id and fills decide in the end.
        raise OutcomeUnknown("a position that no order or fill of ours explains: look again")
    entry.status = OrderStatus.ABSENT
    await session.note(entry)
    logger.info("entry_proven_absent", execution_id=session.execution.id, client_order_id=entry.client_order_id)
    return Absent()


async def _look_until(session: ExecutionSession, entry: Order, exchange_ms: int) -> OrderView | None:
    """Look an entry up again and again, until it shows or the exchange's clock is past a time; None if it did not.

    A look-up that fails tells nothing, and another one follows: giving up would leave a late fill naked.
    """
    while True:
        view = await _again(session, entry)
        left_ms = exchange_ms - now_ms()
        if view is not None or left_ms < 0:
            return view
        await asyncio.sleep(min(_UNKNOWN_POLL_S, left_ms / 1000 + 0.01))
        await session.lease.hold()


async def resend_entry(session: ExecutionSession, absent: Order) -> Outcome:
    """Send an entry that is proven absent once more, under a new id; the second absence is the end of it."""
    if absent.attempt >= _ENTRY_ATTEMPTS:
        return Absent()
    planned = plan_entry(signal=session.execution.signal(), amount=_amount_of(absent))
    entry = session.intend(planned, attempt=absent.attempt + 1)
    await _stamp(session, entry)
    try:
        await _with_dead_man(
            session,
            session.advance(
                ExecutionState.ENTERING, orders=(entry,), unless=_close_wanted, due_at=due_by_dead_man(utc_now())
            ),
        )
    except RecordChanged:
        del session.orders[entry.client_order_id]
        return Absent()
    return await send_entry(session, entry)


def _fresh_after(session: ExecutionSession, seconds: float) -> bool:
    return admission.latest_entry_in_s(session.execution, now=utc_now()) >= seconds


def _close_wanted(fresh: Execution) -> bool:
    return fresh.desired is Desired.CLOSED


async def _judge(session: ExecutionSession, entry: Order, view: OrderView) -> Outcome:
    """Return what an entry that the exchange knows has come to; a market order is final within moments."""
    for _ in range(_JUDGE_POLLS):
        # A create-order reply may carry no fill yet, so ask for the order itself.
        if view.filled or not view.status.is_open:
            break
        await asyncio.sleep(_POLL_S / 2)
        await session.lease.hold()
        view = await _again(session, entry) or view
    if view.filled and view.status.is_open:
        # What is filled needs its stop now; the rest is not waited for.
        try:
            await session.cancel(view)
        except ExchangeError as error:
            logger.warning("entry_rest_not_cancelled", execution_id=session.execution.id, detail=str(error))
        view = await _again(session, entry) or view
    if view.filled:
        return Filled(amount=view.filled, view=view)
    if view.status.is_open:
        raise OutcomeUnknown("the entry stands unfilled")
    return await _refuse(session, entry, Refused(ExecutionState.REJECTED, "NOT_FILLED", view.status.value))


async def _again(session: ExecutionSession, entry: Order) -> OrderView | None:
    try:
        return await session.look_up(entry)
    except ExchangeError:
        return None  # asked again by the loop above


async def _refuse(session: ExecutionSession, entry: Order, refused: Refused) -> Refused:
    entry.status, entry.error = OrderStatus.REJECTED, refused.reason
    await session.note(entry)
    return refused


def _of_unavailable(error: ExchangeUnavailable) -> Refused:
    if isinstance(error, ExchangeThrottled):
        return Refused(ExecutionState.DENIED, DenialReason.WEIGHT_EXHAUSTED, str(error))
    return Refused(ExecutionState.FAILED, "EXCHANGE_UNAVAILABLE", str(error))


def _code(error: ExchangeError) -> str:
    return f"EXCHANGE_{abs(error.code)}" if error.code is not None else "EXCHANGE_REFUSED"


def _amount_of(entry: Order) -> Decimal:
    if entry.amount is None:
        raise ValueError("an entry without an amount")
    return entry.amount
