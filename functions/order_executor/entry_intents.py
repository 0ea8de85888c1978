"""The intent of an entry: its order as planned and recorded, its timestamp, its dead-man message. Sends no order."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from decimal import Decimal
from typing import Any, TypedDict

from functions.order_executor.session import ExecutionSession
from shared import admission
from shared.clock import utc_now
from shared.errors import OutcomeUnknown
from shared.exchange.futures import Stamp
from shared.messages import ReconcileMessage, send_dead_man_messages
from shared.models.execution import Execution
from shared.models.order import Order
from shared.trading.execution import Desired
from shared.trading.order_planning import PlannedOrder, plan_entry
from shared.trading.sizing import SizedOrder

_WINDOW_MS = 3_000
"""Short, because absence can be proven only after it: an entry that arrives later is not wanted anyway."""


class SizeChanges(TypedDict):
    """The attributes of an execution that say how large its entry is."""

    equity: Decimal
    amount: Decimal
    caps: list[str]
    at_minimum: bool | None


def planned_entry(entry: Order) -> PlannedOrder:
    """Return an entry as its record has it; one without a bound is from an earlier version, and a market order."""
    if entry.amount is None:
        raise ValueError("an entry without an amount")
    if entry.price is None:
        return PlannedOrder(leg=entry.leg, type=entry.type, side=entry.side, amount=entry.amount)
    return plan_entry(side=entry.side, amount=entry.amount, bound=entry.price)


def size_changes(sized: SizedOrder) -> SizeChanges:
    """Return what an execution's record keeps of its entry's size."""
    return {
        "equity": sized.equity,
        "amount": sized.amount,
        "caps": [cap.value for cap in sized.caps],
        # Absent, not false, for the many entries that are larger.
        "at_minimum": sized.at_minimum or None,
    }


def recorded_stamp(entry: Order) -> Stamp:
    """Return the timestamp and window that an entry is sent with; raise OutcomeUnknown if they are not on record."""
    if entry.exchange_time_ms is None or entry.recv_window_ms is None:
        raise OutcomeUnknown("the entry's window is not on record")
    return Stamp(timestamp_ms=entry.exchange_time_ms, recv_window_ms=entry.recv_window_ms)


async def write_with_dead_man(session: ExecutionSession, writing: Coroutine[Any, Any, None]) -> None:
    """Write an intent, and queue the message that brings another worker should this one crash; both, or an error."""
    message = ReconcileMessage(execution_id=session.execution.id)
    queued = asyncio.to_thread(send_dead_man_messages, [message])
    for outcome in await asyncio.gather(writing, queued, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome


async def stamp_entry(session: ExecutionSession, entry: Order) -> Stamp:
    """Put the entry's timestamp and window on its record: they tell when its absence can be proven."""
    stamp = await session.lease.stamp(at_most_ms=_WINDOW_MS)
    entry.exchange_time_ms, entry.recv_window_ms = stamp.timestamp_ms, stamp.recv_window_ms
    return stamp


def is_fresh_in(session: ExecutionSession, seconds: float) -> bool:
    """Return whether an entry can still begin in so many seconds."""
    return admission.latest_entry_in_s(session.execution, now=utc_now()) >= seconds


def close_is_requested(fresh: Execution) -> bool:
    """Return whether the fresh record asks for a close: then nothing is entered any more."""
    return fresh.desired is Desired.CLOSED
