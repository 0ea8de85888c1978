"""The work at hand on one execution: its lease, its records, its account. Knows how to write, not when."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

from pynamodb.expressions.update import Action
from pynamodb.transactions import TransactWrite

from functions.order_executor.fills import FillBook
from functions.order_executor.key_health import Finding
from functions.order_executor.lease import RECV_WINDOW_MS, Lease
from shared.clock import utc_now
from shared.config import settings
from shared.errors import ClockSkewed, LeaseLost, RecordChanged
from shared.exchange.futures import LOOK_UP_TIMEOUT_S, ORDER_TIMEOUT_S, FuturesAccount, Stamp, is_conditional
from shared.exchange.venue_views import OrderView, VenueStatus
from shared.models.execution import Execution
from shared.models.order import Order, OrderStatus
from shared.models.position_slot import PositionSlot
from shared.trading.execution import ExecutionState
from shared.trading.filters import SymbolFilters
from shared.trading.ids import Leg, client_order_id
from shared.trading.order_planning import PlannedOrder
from shared.trading.position_accounting import Fill

CLOCK_ALLOWANCE = timedelta(seconds=60)
"""The exchange's books carry its clock, our records ours."""
_MAX_CHANGES = 5

_T = TypeVar("_T")

_KNOWN_STATUS = {
    VenueStatus.OPEN: OrderStatus.OPEN,
    VenueStatus.PARTIALLY_FILLED: OrderStatus.OPEN,
    VenueStatus.TRIGGERED: OrderStatus.FILLED,
    VenueStatus.FILLED: OrderStatus.FILLED,
    VenueStatus.CANCELLED: OrderStatus.CANCELLED,
    VenueStatus.EXPIRED: OrderStatus.CANCELLED,
    VenueStatus.REJECTED: OrderStatus.REJECTED,
}


@dataclass(slots=True)
class ExecutionSession:
    """One execution while this worker holds the lease on its account and symbol."""

    execution: Execution
    lease: Lease
    account: FuturesAccount
    filters: SymbolFilters
    orders: dict[str, Order] = field(default_factory=dict)
    """The ledger's orders of the execution, by client id."""
    finding: Finding | None = None
    """What an entry's read says of the key: recorded when nothing waits for it any more."""
    fills: tuple[Fill, ...] = field(default=(), init=False)
    """The exchange's fills on the symbol since the execution was made, as they were read last."""
    _fill_book: FillBook | None = field(default=None, init=False)
    _made_here: set[str] = field(default_factory=set, init=False)

    @property
    def symbol(self) -> str:
        """The symbol, BASE/QUOTE."""
        return self.execution.symbol

    # -- the ledger ------------------------------------------------------------------------------------------------

    async def load_orders(self) -> None:
        """Read the execution's orders."""
        found = await asyncio.to_thread(lambda: list(Order.query(self.execution.id, consistent_read=True)))
        self.orders = {order.client_order_id: order for order in found}

    def of_leg(self, *legs: Leg) -> list[Order]:
        """Return the execution's orders of some legs, the latest attempt last."""
        return sorted((o for o in self.orders.values() if o.leg in legs), key=lambda order: order.attempt)

    def intend(self, planned: PlannedOrder, *, attempt: int | None = None) -> Order:
        """Return the record of an order that is about to be sent; the caller writes it before sending."""
        number = attempt or len(self.of_leg(planned.leg)) + 1
        now = utc_now()
        order = Order(
            execution_id=self.execution.id,
            client_order_id=client_order_id(settings().broker_prefix, self.execution.id, planned.leg, number),
            leg=planned.leg,
            attempt=number,
            type=planned.type,
            side=planned.side,
            amount=planned.amount,
            price=planned.price,
            trigger_price=planned.trigger_price or planned.activation_price,
            reduce_only=planned.reduce_only,
            close_position=planned.close_position,
            conditional=is_conditional(planned.type),
            status=OrderStatus.INTENDED,
            created_at=now,
            updated_at=now,
        )
        self.orders[order.client_order_id] = order
        self._made_here.add(order.client_order_id)
        return order

    def may_have_been_sent(self, order: Order) -> bool:
        """Tell whether an intended order may have reached the exchange: another worker's, or one that we sent."""
        return order.client_order_id not in self._made_here or order.sent_at is not None

    async def advance(
        self,
        state: ExecutionState | None = None,
        *,
        orders: Sequence[Order] = (),
        slot: Sequence[Action] = (),
        unless: Callable[[Execution], bool] | None = None,
        also: Callable[[TransactWrite], None] | None = None,
        **changes: Any,
    ) -> None:
        """Change the execution, write orders and the slot with it, all or nothing, while the lease is ours.

        Somebody may note a wish on the execution at any time (`desired`), so a lost write is tried again on the fresh
        record. Raise LeaseLost when the slot has another holder, or another worker moved the state; raise
        RecordChanged when `unless` holds for the fresh record.
        """

        def with_it(transaction: TransactWrite) -> None:
            held = self.lease.slot
            ours = (PositionSlot.lease_owner == held.lease_owner) & (PositionSlot.fence == held.fence)
            if slot:
                key = PositionSlot(held.api_key_id, held.symbol)
                transaction.update(key, actions=list(slot), condition=ours)
            else:
                transaction.condition_check(PositionSlot, held.api_key_id, range_key=held.symbol, condition=ours)
            for order in orders:
                transaction.save(order)
            if also is not None:
                also(transaction)

        worker = self.lease.slot.lease_owner
        for _ in range(_MAX_CHANGES):
            expected = self.execution.state
            try:
                await asyncio.to_thread(self.execution.change, state=state, worker=worker, also=with_it, **changes)
            except RecordChanged:
                await self.refresh()
                if self.execution.state is not expected or (unless is not None and unless(self.execution)):
                    raise
            else:
                return
        raise RecordChanged(f"execution {self.execution.id} keeps changing")

    async def refresh(self) -> None:
        """Read execution and slot again; raise LeaseLost if the slot is not ours any more."""
        held = self.lease.slot
        execution, slot = await asyncio.gather(
            asyncio.to_thread(Execution.find, self.execution.id),
            asyncio.to_thread(PositionSlot.find, held.api_key_id, held.symbol),
        )
        if execution is None or slot is None or slot.fence != held.fence:
            raise LeaseLost(f"{held.api_key_id} {held.symbol} was taken over")
        self.execution, self.lease.slot = execution, slot

    async def note(self, *orders: Order) -> None:
        """Write what became of some orders, in one request. Their records are one worker's at a time, by the lease."""

        def write() -> None:
            with Order.batch_write() as batch:
                for order in orders:
                    order.updated_at = utc_now()
                    batch.save(order)

        if orders:
            await asyncio.to_thread(write)

    # -- the exchange ----------------------------------------------------------------------------------------------

    async def send(self, request: Callable[[Stamp], Awaitable[_T]], *, window_ms: int = RECV_WINDOW_MS) -> _T:
        """Make one write inside the lease. A refused timestamp is set anew once: nothing was done then."""
        try:
            return await self._send_once(request, await self.lease.stamp(at_most_ms=window_ms))
        except ClockSkewed:
            return await self._send_once(request, await self.lease.stamp(at_most_ms=window_ms))

    async def _send_once(self, request: Callable[[Stamp], Awaitable[_T]], stamp: Stamp) -> _T:
        with self.lease.writing(stamp):
            return await request(stamp)

    async def place(
        self,
        planned: PlannedOrder,
        order: Order,
        *,
        stamp: Stamp | None = None,
        window_ms: int = RECV_WINDOW_MS,
        timeout_s: float = ORDER_TIMEOUT_S,
    ) -> OrderView:
        """Send one intended order; with a `stamp` of its own (the one on record) it is not set anew."""

        async def request(used: Stamp) -> OrderView:
            order.sent_at = utc_now()
            order.exchange_time_ms, order.recv_window_ms = used.timestamp_ms, used.recv_window_ms
            return await self.account.place(
                self.symbol, planned, client_order_id=order.client_order_id, stamp=used, timeout_s=timeout_s
            )

        view = await (self.send(request, window_ms=window_ms) if stamp is None else self._send_once(request, stamp))
        learn(order, view)
        return view

    async def cancel(self, view: OrderView) -> bool:
        """Cancel a standing order; False when it did not stand any more."""
        return await self.send(lambda stamp: self.account.cancel(self.symbol, view, stamp=stamp))

    async def read_fills(self) -> tuple[Fill, ...]:
        """Return the fills on the symbol since the execution was made, by the exchange's books; kept in `fills`."""
        if self._fill_book is None:
            self._fill_book = FillBook(self.account, self.symbol, since=self.begun_at)
        self.fills = await self._fill_book.read(self.orders.values())
        return self.fills

    @property
    def begun_at(self) -> datetime:
        """From when on the exchange's books may tell of the execution."""
        return self.execution.created_at - CLOCK_ALLOWANCE

    async def look_up(self, order: Order, *, timeout_s: float = LOOK_UP_TIMEOUT_S) -> OrderView | None:
        """Ask the exchange for an order by its client id; None proves nothing yet."""
        view = await self.account.find_order(
            self.symbol, order.client_order_id, conditional=order.conditional, timeout_s=timeout_s
        )
        if view is not None:
            learn(order, view)
        return view

    async def position(self) -> Decimal:
        """Return how much of the position is on the execution's side, at the venue: 0 when flat or on the other."""
        signed = await self.account.position_amount(self.symbol) * self.execution.side.sign
        return max(signed, Decimal(0))


def learn(order: Order, view: OrderView) -> None:
    """Keep what the exchange said of an order on its record (not written yet)."""
    order.status = _KNOWN_STATUS.get(view.status, order.status)
    order.exchange_order_id = view.exchange_order_id
    order.actual_order_id = view.actual_order_id or order.actual_order_id
    order.filled = view.filled
    if view.average is not None:
        order.average = view.average
