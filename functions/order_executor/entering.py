"""Sends the entry: intent and dead-man message first, then the order. Protects nothing.

An entry is sent a second time only when the exchange can no longer carry out the first (`entry_outcome.py`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from decimal import Decimal
from typing import Any

from pynamodb.exceptions import PynamoDBException

from functions.order_executor import admission, entry_outcome, exit_plans
from functions.order_executor.entry_outcome import Absent, Outcome, Refused, recorded_stamp, reject_entry
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
from shared.exchange import error_codes
from shared.exchange.futures import Stamp
from shared.messages import ReconcileMessage, send_dead_man_messages
from shared.models.execution import Execution
from shared.models.order import Order
from shared.models.position_slot import PositionSlot
from shared.observability import logger
from shared.scheduling import due_by_dead_man
from shared.trading.execution import DenialReason, Desired, ExecutionState, Reason, exchange_reason
from shared.trading.filters import SymbolFilters
from shared.trading.order_planning import ExitPlan, plan_entry
from shared.trading.sizing import SizedOrder

_WINDOW_MS = 3_000
"""Short, because absence can be proven only after it: a market order that arrives later is not wanted anyway."""
_ENTRY_ATTEMPTS = 2
_SEND_ATTEMPTS = 3
_SEND_PAUSE_S = 0.25


async def intend_entry(session: ExecutionSession, sized: SizedOrder, exits: ExitPlan) -> Order:
    """Write the entry and its stops to the ledger, take the slot, and queue the dead-man message.

    The stops are written now, so that nothing need be written between the fill and the stop. Raise RecordChanged when
    a close was requested meanwhile.
    """
    execution = session.execution
    entry = session.ledger.intend(plan_entry(signal=execution.signal(), amount=sized.amount))
    stops = [session.ledger.intend(stop, attempt=1) for stop in exits.stops]
    await _stamp(session, entry)
    await _with_dead_man(
        session,
        session.ledger.advance(
            ExecutionState.ENTERING,
            orders=(entry, *stops),
            slot=(
                PositionSlot.follower_id.set(execution.follower_id),
                PositionSlot.execution_id.set(execution.id),
                PositionSlot.quantity.set(sized.amount),
            ),
            unless=_close_is_requested,
            due_at=due_by_dead_man(utc_now()),
            equity=sized.equity,
            amount=sized.amount,
            caps=[cap.value for cap in sized.caps],
            passed_targets=execution.passed_targets,
            detail=_left_out(execution.passed_targets),
        ),
    )
    return entry


def _left_out(passed: list[Decimal]) -> str | None:
    return f"targets that the market has passed: {', '.join(f'{price:f}' for price in passed)}" if passed else None


async def _with_dead_man(session: ExecutionSession, writing: Coroutine[Any, Any, None]) -> None:
    """Write an intent, and queue the message that brings another worker should this one crash; both, or an error."""
    message = ReconcileMessage(execution_id=session.execution.id)
    queued = asyncio.to_thread(send_dead_man_messages, [message])
    for outcome in await asyncio.gather(writing, queued, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome


async def _stamp(session: ExecutionSession, entry: Order) -> Stamp:
    """Put the entry's timestamp and window on its record: they tell when its absence can be proven."""
    stamp = await session.lease.stamp(at_most_ms=_WINDOW_MS)
    entry.exchange_time_ms, entry.recv_window_ms = stamp.timestamp_ms, stamp.recv_window_ms
    return stamp


async def send_entry(session: ExecutionSession, entry: Order) -> Outcome:
    """Send an intended entry and return its outcome; raise OutcomeUnknown when it cannot be found out now."""
    planned = plan_entry(signal=session.execution.signal(), amount=_amount_of(entry))
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
            if isinstance(error, ExchangeThrottled) and _is_fresh_in(session, error.retry_after_s):
                raise  # it will be looked up, proven absent, and sent once more
            if isinstance(error, ExchangeThrottled) or attempt == _SEND_ATTEMPTS:
                return await reject_entry(session, entry, _refused_by_unavailable(error))
            await asyncio.sleep(_SEND_PAUSE_S * attempt)
            await _stamp(session, entry)
            await session.ledger.save_orders(entry)
        except ExchangeRejected as error:
            last = attempt == _SEND_ATTEMPTS
            refused = await _refuse_or_size_anew(
                session, entry, error, sent_with=sent_with, sent_at_s=sent_at_s, last=last
            )
            if refused is not None:
                return await reject_entry(session, entry, refused)
            planned = plan_entry(signal=session.execution.signal(), amount=_amount_of(entry))
        except ExchangeAuthorizationFailed as error:
            refused = Refused(ExecutionState.REJECTED, DenialReason.KEY_UNAUTHORIZED, str(error))
            return await reject_entry(session, entry, refused)
        else:
            return await entry_outcome.await_fill(session, entry, view)
    raise AssertionError("unreachable: the last attempt returns")


async def _refuse_or_size_anew(
    session: ExecutionSession,
    entry: Order,
    error: ExchangeRejected,
    *,
    sent_with: SymbolFilters,
    sent_at_s: float,
    last: bool,
) -> Refused | None:
    """Return the end of an entry that was refused, or None if it is sized anew and may be sent again.

    That is so when the refusal contradicts the filters or brackets that we have read, which are then read again.
    """
    refused = Refused(ExecutionState.REJECTED, exchange_reason(error.code), str(error))
    if last:
        return refused
    if error.code in error_codes.BRACKETS_CONTRADICTED:
        session.account.forget_brackets(session.symbol)
    elif error.code not in error_codes.FILTERS_CONTRADICTED or not await session.renew_filters(
        sent_with, sent_at_s=sent_at_s
    ):
        return refused
    try:
        return None if await _size_anew(session, entry) else refused
    except OrderDenied as denied:
        return Refused(ExecutionState.DENIED, DenialReason(denied.reason), denied.detail)


async def _size_anew(session: ExecutionSession, entry: Order) -> bool:
    """Size an entry that was certainly refused by fresh filters and brackets; return whether that changes it.

    The new intent and its stops are written before it is sent. Raise OrderDenied when it may not be sent any more.
    """
    execution = session.execution
    try:
        view = await session.account.read(session.symbol)
    except ExchangeError as error:
        logger.warning("entry_not_sized_anew", execution_id=execution.id, detail=str(error))
        return False
    if view.position_amount or not _is_fresh_in(session, 0):
        return False
    sized = admission.size(execution, view, session.filters)
    if sized.amount == entry.amount:
        return False
    entry.amount = sized.amount
    stops = exit_plans.replan_stops(session, sized.amount)
    await _stamp(session, entry)
    try:
        await session.ledger.advance(
            orders=(entry, *stops),
            slot=(PositionSlot.quantity.set(sized.amount),),
            unless=_close_is_requested,
            equity=sized.equity,
            amount=sized.amount,
            caps=[cap.value for cap in sized.caps],
        )
    except RecordChanged as error:
        raise OrderDenied(DenialReason.CLOSE_REQUESTED) from error
    logger.info("entry_sized_anew", execution_id=execution.id)
    return True


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
    planned = plan_entry(signal=session.execution.signal(), amount=_amount_of(absent))
    entry = session.ledger.intend(planned, attempt=absent.attempt + 1)
    await _stamp(session, entry)
    try:
        await _with_dead_man(
            session,
            session.ledger.advance(
                ExecutionState.ENTERING, orders=(entry,), unless=_close_is_requested, due_at=due_by_dead_man(utc_now())
            ),
        )
    except RecordChanged:
        del session.ledger.orders[entry.client_order_id]
        return Absent()
    return await send_entry(session, entry)


def _is_fresh_in(session: ExecutionSession, seconds: float) -> bool:
    return admission.latest_entry_in_s(session.execution, now=utc_now()) >= seconds


def _close_is_requested(fresh: Execution) -> bool:
    return fresh.desired is Desired.CLOSED


def _refused_by_unavailable(error: ExchangeUnavailable) -> Refused:
    if isinstance(error, ExchangeThrottled):
        return Refused(ExecutionState.DENIED, DenialReason.WEIGHT_EXHAUSTED, str(error))
    return Refused(ExecutionState.FAILED, Reason.EXCHANGE_UNAVAILABLE, str(error))


def _amount_of(entry: Order) -> Decimal:
    if entry.amount is None:
        raise ValueError("an entry without an amount")
    return entry.amount
