"""Our own records of one execution while this worker holds its lease: execution, orders and slot. Asks no exchange."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Unpack

from pynamodb.expressions.update import Action
from pynamodb.transactions import TransactWrite

from functions.order_executor.lease import Lease
from shared.clock import utc_now
from shared.config import settings
from shared.errors import LeaseLost, RecordChanged
from shared.exchange.futures import is_conditional
from shared.exchange.venue_views import OrderView, VenueStatus
from shared.models.execution import Execution, ExecutionChanges
from shared.models.order import Order, OrderStatus
from shared.models.position_slot import PositionSlot
from shared.trading.execution import AnyReason, ExecutionState
from shared.trading.ids import STOP_LEGS, Leg, client_order_id
from shared.trading.order_planning import OrderType, PlannedOrder

CLOCK_ALLOWANCE = timedelta(seconds=60)
"""How far the exchange's clock, which its books carry, may differ from ours."""
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
class Ledger:
    """The records of one execution. Every write is conditional on the lease and on the execution's revision."""

    execution: Execution
    lease: Lease
    orders: dict[str, Order] = field(default_factory=dict)
    """The execution's orders by client id."""
    _made_here: set[str] = field(default_factory=set, init=False)

    @property
    def symbol(self) -> str:
        """The symbol, BASE/QUOTE."""
        return self.execution.symbol

    @property
    def begun_at(self) -> datetime:
        """The earliest time in the exchange's books that may concern the execution."""
        return self.execution.created_at - CLOCK_ALLOWANCE

    async def load_orders(self) -> None:
        """Read the execution's orders."""
        found = await asyncio.to_thread(lambda: list(Order.query(self.execution.id, consistent_read=True)))
        self.orders = {order.client_order_id: order for order in found}

    def of_leg(self, *legs: Leg) -> list[Order]:
        """Return the orders of some legs, the latest attempt last."""
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
            stop_moved_to=self.execution.stop_moved_to if planned.leg in STOP_LEGS else None,
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

    def adopt(self, view: OrderView, *, leg: Leg, attempt: int) -> Order:
        """Return the record, which the caller saves, of an order that a crashed worker placed and did not record.

        Without it the order's number, and so its client id, would be given to another order.
        """
        order = Order(
            execution_id=self.execution.id,
            client_order_id=view.client_order_id,
            leg=leg,
            attempt=attempt,
            type=OrderType(view.type),
            side=view.side,
            amount=None if view.close_position else view.amount,
            price=view.price,
            trigger_price=view.trigger_price,
            reduce_only=view.reduce_only and not view.close_position,
            close_position=view.close_position,
            conditional=view.conditional,
            created_at=view.updated_at,
            updated_at=view.updated_at,
        )
        update_order(order, view)
        self.orders[order.client_order_id] = order
        return order

    def may_have_been_sent(self, order: Order) -> bool:
        """Return whether an intended order may have reached the exchange: another worker's, or one that we sent."""
        return order.client_order_id not in self._made_here or order.sent_at is not None

    async def advance(
        self,
        state: ExecutionState | None = None,
        *,
        orders: Sequence[Order] = (),
        slot: Sequence[Action] = (),
        unless: Callable[[Execution], bool] | None = None,
        also: Callable[[TransactWrite], None] | None = None,
        reason: AnyReason | None = None,
        detail: str | None = None,
        due_at: datetime | None = None,
        **changes: Unpack[ExecutionChanges],
    ) -> None:
        """Change the execution, its orders and the slot in one transaction, on condition that the lease is ours.

        An admin may set `desired` at any time, so a write that loses against another is repeated on the fresh record.
        Raise LeaseLost when the slot has another holder, or another worker moved the state; raise RecordChanged when
        `unless` holds for the fresh record.
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
                await asyncio.to_thread(
                    self.execution.change,
                    state=state,
                    reason=reason,
                    detail=detail,
                    due_at=due_at,
                    worker=worker,
                    also=with_it,
                    **changes,
                )
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

    async def save_orders(self, *orders: Order) -> None:
        """Write order records in one request, without a condition: only the holder of the lease writes them."""

        def write() -> None:
            with Order.batch_write() as batch:
                for order in orders:
                    order.updated_at = utc_now()
                    batch.save(order)

        if orders:
            await asyncio.to_thread(write)


def update_order(order: Order, view: OrderView) -> None:
    """Copy what the exchange says of an order to its record; the caller saves it."""
    order.status = _KNOWN_STATUS.get(view.status, order.status)
    order.exchange_order_id = view.exchange_order_id
    order.actual_order_id = view.actual_order_id or order.actual_order_id
    order.filled = view.filled
    if view.average is not None:
        order.average = view.average
