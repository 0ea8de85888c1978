"""Finds out what an entry did: filled, refused, or proven absent. Sends nothing but a cancel of its rest.

Unknown is not failed: an answer that is missing is looked up until the order shows, or can no longer be carried out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from functions.order_executor.entry_intents import recorded_stamp
from functions.order_executor.position import position_from_fills
from functions.order_executor.session import ExecutionSession
from shared.errors import ExchangeError, OutcomeUnknown
from shared.exchange.futures import now_ms
from shared.exchange.venue_views import OrderView, VenueStatus
from shared.models.order import Order, OrderStatus
from shared.observability import logger
from shared.trading.execution import AnyReason, ExecutionState, Reason
from shared.trading.ids import Leg

ABSENCE_MARGIN_MS = 2_000
"""After an order's window, before its absence is proven: the exchange's books may be late."""
_UNKNOWN_POLL_S = 0.5
_FILL_POLL_S = 0.125
_FILL_POLLS = 16
_FOREIGN_AFTER_MS = 30_000


@dataclass(frozen=True, slots=True)
class Filled:
    """The entry has opened a position."""

    amount: Decimal
    view: OrderView


@dataclass(frozen=True, slots=True)
class Refused:
    """The entry has opened nothing, and cannot open anything later."""

    state: ExecutionState
    reason: AnyReason
    detail: str = ""


@dataclass(frozen=True, slots=True)
class NotPlaced:
    """The exchange certainly did not take the entry; it may be sent again while its alert is fresh."""

    end: Refused
    """What the entry comes to when its alert is not fresh any more."""
    after_s: float = 0.0
    """How long the exchange asks to wait."""


@dataclass(frozen=True, slots=True)
class Absent:
    """It is proven that the entry never reached the exchange; it may be sent once more."""


@dataclass(frozen=True, slots=True)
class Unfilled:
    """The exchange took the entry, and nobody sold or bought at its bound or better; it has expired."""

    bound: Decimal


@dataclass(frozen=True, slots=True)
class Search:
    """What the exchange shows of an order whose answer is missing."""

    view: OrderView | None
    """The order, if it shows."""
    exchange_ms: int
    """The exchange's time before it was searched."""
    listed: Mapping[str, OrderView] = field(default_factory=dict)
    """The symbol's orders by client order id; they are read only if the order does not show by its id."""


Outcome = Filled | Unfilled | Refused | NotPlaced | Absent


async def resolve_entry(session: ExecutionSession, entry: Order) -> Outcome:
    """Return the outcome of an entry whose answer is missing; raise OutcomeUnknown when it cannot be found out now.

    It is absent only when the exchange's clock is past its timestamp, its window and a margin, *and* its id, the
    position and the fills all show nothing.
    """
    view = await await_answer(session, entry)
    if view is not None:
        return await await_fill(session, entry, view)
    search = await search_after_window(session, entry)
    if search.view is not None:
        return await await_fill(session, entry, search.view)
    held, _ = await asyncio.gather(session.position(), session.read_fills())
    for other in session.ledger.of_leg(Leg.ENTRY):
        late = search.listed.get(other.client_order_id)
        if late is not None and late.filled:
            return Filled(amount=late.filled, view=late)
    if position_from_fills(session) is not None:
        raise OutcomeUnknown("fills without their order: reconcile again")
    if held and search.exchange_ms < _provable_ms(entry) + _FOREIGN_AFTER_MS:
        # It is ours while the exchange's books lag, or the owner's. Later, id and fills decide alone.
        raise OutcomeUnknown("a position that no order or fill of ours explains: reconcile again")
    entry.status = OrderStatus.ABSENT
    await session.ledger.save_orders(entry)
    logger.info("entry_proven_absent", execution_id=session.execution.id, client_order_id=entry.client_order_id)
    return Absent()


async def search_after_window(session: ExecutionSession, order: Order) -> Search:
    """Search an order by its id, then in the list of the symbol's orders, at a time that proves it absent if need be.

    Raise OutcomeUnknown if it does not show by its id and the exchange could still carry it out, and ExchangeError.
    """
    # The time is the exchange's own, and read before the order.
    exchange_ms = await session.account.server_time_ms()
    view = await session.look_up(order)
    if view is not None:
        return Search(view, exchange_ms=exchange_ms)
    if exchange_ms <= _provable_ms(order):
        raise OutcomeUnknown("the order's window is not over: reconcile again")
    listed = {
        one.client_order_id: one
        for one in await session.account.orders_since(session.symbol, session.ledger.begun_at)
        if one.client_order_id
    }
    return Search(listed.get(order.client_order_id), exchange_ms=exchange_ms, listed=listed)


async def await_answer(session: ExecutionSession, order: Order) -> OrderView | None:
    """Look an order up until it shows, or until its absence can be proven; return None if it does not show.

    A failed look-up is repeated: giving up would leave a late fill naked.
    """
    while True:
        view = await _try_look_up(session, order)
        left_ms = _provable_ms(order) - now_ms()
        if view is not None or left_ms < 0:
            return view
        await asyncio.sleep(min(_UNKNOWN_POLL_S, left_ms / 1000 + 0.01))
        await session.lease.renew_if_short()


def _provable_ms(order: Order) -> int:
    """Return the exchange's time from which on an order's absence can be proven."""
    return recorded_stamp(order).expires_ms + ABSENCE_MARGIN_MS


async def await_fill(session: ExecutionSession, entry: Order, view: OrderView) -> Outcome:
    """Return the outcome of an entry that the exchange knows: it is final within moments."""
    for _ in range(_FILL_POLLS):
        # A create-order reply may carry no fill yet, so ask for the order itself.
        if view.filled or not view.status.is_open:
            break
        await asyncio.sleep(_FILL_POLL_S)
        await session.lease.renew_if_short()
        view = await _try_look_up(session, entry) or view
    if view.filled and view.status.is_open:
        # What is filled needs its stop now, so do not wait for the rest.
        try:
            await session.cancel(view)
        except ExchangeError as error:
            logger.warning("entry_rest_not_cancelled", execution_id=session.execution.id, detail=str(error))
        view = await _try_look_up(session, entry) or view
    if view.filled:
        return Filled(amount=view.filled, view=view)
    if view.status.is_open:
        raise OutcomeUnknown("the entry is open and unfilled")
    if view.status is VenueStatus.EXPIRED and entry.price is not None:
        entry.status = OrderStatus.CANCELLED
        await session.ledger.save_orders(entry)
        return Unfilled(entry.price)
    return await reject_entry(session, entry, Refused(ExecutionState.REJECTED, Reason.NOT_FILLED, view.status.value))


async def _try_look_up(session: ExecutionSession, entry: Order) -> OrderView | None:
    try:
        return await session.look_up(entry)
    except ExchangeError:
        return None  # the caller repeats it


async def reject_entry(session: ExecutionSession, entry: Order, refused: Refused) -> Refused:
    """Record on the order that it was refused, and return `refused`."""
    entry.status, entry.error = OrderStatus.REJECTED, refused.reason
    await session.ledger.save_orders(entry)
    return refused
