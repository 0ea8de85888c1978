"""The work at hand on one execution: its lease, its records, its account. Knows how to write, not when."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from pynamodb.expressions.update import Action
from pynamodb.transactions import TransactWrite

from shared.clock import utc_now
from shared.config import settings
from shared.errors import ClockSkewed, LeaseLost, RecordChanged
from shared.exchange.futures import FuturesAccount, is_conditional
from shared.exchange.views import OrderView, VenueStatus
from shared.models.execution import Execution
from shared.models.order import Order, OrderStatus
from shared.models.position_slot import PositionSlot
from shared.trading.execution import ExecutionState
from shared.trading.filters import SymbolFilters
from shared.trading.ids import Leg, client_order_id
from shared.trading.plan import PlannedOrder

LEASE_S = 10.0
"""A killed worker's lease ends before its dead-man message is due, or soon after."""
_RENEW_BELOW_S = 6.0
_RECV_WINDOW_MS = 5_000
_LEASE_MARGIN_MS = 500
_MAX_CHANGES = 5


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
class Trade:
    """One execution while this worker holds the lease on its account and symbol."""

    execution: Execution
    slot: PositionSlot
    account: FuturesAccount
    filters: SymbolFilters
    worker: str
    lease_ends_s: float
    """Monotonic time at which the lease ends unless it is renewed."""
    orders: dict[str, Order] = field(default_factory=dict)
    """The ledger's orders of the execution, by client id."""

    @property
    def symbol(self) -> str:
        """The symbol, BASE/QUOTE."""
        return self.execution.symbol

    # -- the lease -------------------------------------------------------------------------------------------------

    async def hold(self) -> None:
        """Make sure that the lease lasts for the next request; raise LeaseLost if another worker took it over."""
        if self.lease_ends_s - time.monotonic() < _RENEW_BELOW_S:
            asked_at = time.monotonic()
            await asyncio.to_thread(self.slot.renew, lease_s=LEASE_S)
            self.lease_ends_s = asked_at + LEASE_S

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
        return order

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
            ours = (PositionSlot.lease_owner == self.slot.lease_owner) & (PositionSlot.fence == self.slot.fence)
            key = PositionSlot(self.slot.api_key_id, self.slot.symbol)
            if slot:
                transaction.update(key, actions=list(slot), condition=ours)
            else:
                transaction.condition_check(
                    PositionSlot, self.slot.api_key_id, range_key=self.slot.symbol, condition=ours
                )
            for order in orders:
                transaction.save(order)
            if also is not None:
                also(transaction)

        for _ in range(_MAX_CHANGES):
            expected = self.execution.state
            try:
                await asyncio.to_thread(self.execution.change, state=state, worker=self.worker, also=with_it, **changes)
            except RecordChanged:
                await self.refresh()
                if self.execution.state is not expected or (unless is not None and unless(self.execution)):
                    raise
            else:
                return
        raise RecordChanged(f"execution {self.execution.id} keeps changing")

    async def refresh(self) -> None:
        """Read execution and slot again; raise LeaseLost if the slot is not ours any more."""
        execution, slot = await asyncio.gather(
            asyncio.to_thread(Execution.find, self.execution.id),
            asyncio.to_thread(PositionSlot.find, self.slot.api_key_id, self.slot.symbol),
        )
        if execution is None or slot is None or slot.fence != self.slot.fence:
            raise LeaseLost(f"{self.slot.api_key_id} {self.slot.symbol} was taken over")
        self.execution, self.slot = execution, slot

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

    def stamp(self, order: Order, *, at_most_ms: int = _RECV_WINDOW_MS) -> None:
        """Fix an order's timestamp and window: the exchange refuses the request before the lease ends."""
        left_ms = int((self.lease_ends_s - time.monotonic()) * 1000) - _LEASE_MARGIN_MS
        if left_ms <= 0:
            raise LeaseLost("the lease ended while work was under way")
        order.exchange_time_ms, order.recv_window_ms = self.account.now_ms(), min(at_most_ms, left_ms)

    async def place(self, planned: PlannedOrder, order: Order) -> OrderView:
        """Send one intended order. A refused timestamp is set anew once: nothing was done then."""
        try:
            return await self._place_once(planned, order)
        except ClockSkewed:
            await self.hold()
            self.stamp(order)
            await self.note(order)
            return await self._place_once(planned, order)

    async def _place_once(self, planned: PlannedOrder, order: Order) -> OrderView:
        await self.hold()
        if order.exchange_time_ms is None or order.recv_window_ms is None:
            self.stamp(order)
        order.sent_at = utc_now()
        view = await self.account.place(
            self.symbol,
            planned,
            client_order_id=order.client_order_id,
            timestamp_ms=order.exchange_time_ms,
            recv_window_ms=order.recv_window_ms or _RECV_WINDOW_MS,
        )
        learn(order, view)
        return view

    async def look_up(self, order: Order) -> OrderView | None:
        """Ask the exchange for an order by its client id; None proves nothing yet."""
        view = await self.account.find_order(self.symbol, order.client_order_id, conditional=order.conditional)
        if view is not None:
            learn(order, view)
        return view

    async def position(self) -> Decimal:
        """Return how much of the position is on the execution's side, at the venue: 0 when flat or on the other."""
        signed = await self.account.position_amount(self.symbol) * self.execution.side.sign
        return max(signed, Decimal(0))


def learn(order: Order, view: OrderView) -> None:
    """Keep what the exchange said of an order on its record (not written yet)."""
    order.status = _KNOWN_STATUS[view.status]
    order.exchange_order_id = view.exchange_order_id
    order.filled = view.filled
    if view.average is not None:
        order.average = view.average


def due_in(seconds: float) -> datetime:
    """Return when the watcher must look at the execution again."""
    return utc_now() + timedelta(seconds=seconds)
