"""The order book of one account in memory: market orders fill at the market's price, stops and limit orders rest."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal

from shared.clock import utc_now
from shared.errors import ExchangeRejected, StopWouldTrigger
from shared.exchange import error_codes
from shared.exchange.futures import is_conditional
from shared.exchange.venue_views import OrderView, VenueStatus
from shared.trading.filters import SymbolFilters
from shared.trading.ids import Leg
from shared.trading.order_planning import OrderType, PlannedOrder, TimeInForce
from shared.trading.position_accounting import Fill
from shared.trading.sides import Side

_FEE_RATE = Decimal("0.0004")
_OWNERS = "web_"


@dataclass(slots=True)
class FakeBook:
    """Position, orders and fills of the account; BTC/USDT trades at 20000."""

    position: Decimal = Decimal(0)
    price: Decimal = Decimal(20000)
    orders: dict[str, OrderView] = field(default_factory=dict)
    """Every order by the exchange's id."""
    fills: dict[int, Fill] = field(default_factory=dict)
    legs: dict[str, Leg] = field(default_factory=dict)
    """The legs of our orders by client id."""
    next_fill: Decimal | None = None
    """How much of the next entry fills; the rest expires."""
    filters: SymbolFilters | None = field(default=None, compare=False)
    """The filters that it enforces; with None, none."""
    _ids: Iterator[int] = field(default_factory=lambda: itertools.count(101), compare=False)

    @property
    def open_orders(self) -> tuple[OrderView, ...]:
        """Every standing order."""
        return tuple(order for order in self.orders.values() if order.status.is_open)

    @property
    def guarded(self) -> bool:
        """Whether standing stops cover the whole position; true without one."""
        side = Side.SELL if self.position > 0 else Side.BUY
        stops = [o for o in self.open_orders if o.conditional and o.trigger_price and o.side is side]
        covered = sum((stop.remaining for stop in stops), Decimal(0))
        return covered >= abs(self.position) or any(stop.close_position for stop in stops)

    def copy(self) -> FakeBook:
        """Return the book as it is at this moment."""
        return replace(self, orders=dict(self.orders), fills=dict(self.fills), legs=dict(self.legs))

    def standing(self, *legs: Leg) -> list[OrderView]:
        """Return the open orders of some legs; without any, all open orders."""
        return [order for order in self.open_orders if not legs or self.legs.get(order.client_order_id) in legs]

    # -- the market and the account's owner ------------------------------------------------------------------------

    def move_price(self, price: int) -> None:
        """Move the market: stops trigger, limit orders fill."""
        self.price = Decimal(price)
        for order in self.open_orders:
            if order.conditional and self._has_crossed(order.side, order.trigger_price):
                self._trigger(order)
        for order in self.open_orders:
            if order.type == OrderType.LIMIT and self._is_marketable(order.side, order.price):
                self._fill(order, min(order.remaining, self._reducible(order.side)), at=order.price)

    def trade_as_owner(self, side: Side, amount: str) -> None:
        """Let the account's owner trade at the market."""
        planned = PlannedOrder(leg=Leg.ENTRY, type=OrderType.MARKET, side=side, amount=Decimal(amount))
        self.carry_out(planned, f"{_OWNERS}{next(self._ids)}")

    def place_stop_as_owner(self, side: Side, trigger_price: int) -> None:
        """Let the account's owner place a stop that closes the whole position."""
        price = Decimal(trigger_price)
        stop = PlannedOrder(
            leg=Leg.STOP, type=OrderType.STOP_MARKET, side=side, trigger_price=price, close_position=True
        )
        self.carry_out(stop, f"{_OWNERS}{next(self._ids)}")

    def cancel_as_owner(self, client_order_id: str) -> None:
        """Let the account's owner cancel a standing order."""
        for order in self.open_orders:
            if order.client_order_id == client_order_id:
                self.cancel(order.exchange_order_id)

    # -- orders ----------------------------------------------------------------------------------------------------

    def carry_out(self, planned: PlannedOrder, client_order_id: str) -> OrderView:
        """Take an order, or return the standing one with this client id; raise ExchangeRejected."""
        known = [order for order in self.open_orders if order.client_order_id == client_order_id]
        if known:
            return known[0]
        self._refuse(planned)
        if not client_order_id.startswith(_OWNERS):
            self.legs[client_order_id] = planned.leg
        order = OrderView(
            client_order_id=client_order_id,
            exchange_order_id=str(next(self._ids)),
            conditional=is_conditional(planned.type),
            status=VenueStatus.OPEN,
            type=planned.type.value,
            side=planned.side,
            amount=planned.amount or Decimal(0),
            filled=Decimal(0),
            average=None,
            price=planned.price,
            trigger_price=planned.trigger_price,
            reduce_only=planned.reduce_only,
            close_position=planned.close_position,
            actual_order_id=None,
            updated_at=utc_now(),
        )
        self.orders[order.exchange_order_id] = order
        if planned.type is OrderType.MARKET:
            return self._fill_at_market(order)
        if planned.price is not None and planned.time_in_force is TimeInForce.IOC:
            return self._fill_at_once(order)
        return order

    def cancel(self, exchange_order_id: str) -> bool:
        """Cancel an order; return False if it does not stand."""
        order = self.orders[exchange_order_id]
        if order.status.is_open:
            self._replace(order, status=VenueStatus.CANCELLED)
        return order.status.is_open

    def _refuse(self, planned: PlannedOrder) -> None:
        if self.filters is not None:
            _check_filters(planned, self.filters)
        if planned.close_position and any(
            order.close_position and order.side is planned.side for order in self.open_orders
        ):
            raise ExchangeRejected("a closePosition stop stands", code=error_codes.CLOSE_POSITION_EXISTS)
        if is_conditional(planned.type) and self._has_crossed(planned.side, planned.trigger_price):
            raise StopWouldTrigger("would trigger at once", code=-2021)
        if planned.activation_price is not None and not self._has_crossed(planned.side, planned.activation_price):
            raise StopWouldTrigger("the activation price is passed", code=-2021)
        if planned.reduce_only and not is_conditional(planned.type) and not self._reducible(planned.side):
            raise ExchangeRejected("nothing to reduce", code=-2022)

    def _fill_at_once(self, order: OrderView) -> OrderView:
        """Fill what the market offers at the order's price or better; the rest expires."""
        if not self._is_marketable(order.side, order.price):
            return self._replace(order, status=VenueStatus.EXPIRED)
        amount = order.amount
        if self.next_fill is not None:
            amount, self.next_fill = min(amount, self.next_fill), None
        return self._fill(order, amount, at=self.price, rests=False)

    def _fill_at_market(self, order: OrderView) -> OrderView:
        amount = min(order.amount, self._reducible(order.side)) if order.reduce_only else order.amount
        if self.next_fill is not None:
            amount, self.next_fill = min(amount, self.next_fill), None
        return self._fill(order, amount, at=self.price)

    def _fill(self, order: OrderView, amount: Decimal, *, at: Decimal | None, rests: bool = True) -> OrderView:
        price = at or self.price
        filled = order.filled + amount
        rest = VenueStatus.OPEN if rests and order.type == OrderType.LIMIT else VenueStatus.EXPIRED
        if amount:
            self.position += order.side.sign * amount
            self.fills[next(self._ids)] = Fill(
                order_id=order.exchange_order_id,
                client_order_id="",
                side=order.side,
                price=price,
                amount=amount,
                fee=price * amount * _FEE_RATE,
                fee_asset="USDT",
                realized_pnl=Decimal(0),
                at=utc_now(),
            )
        status = VenueStatus.FILLED if filled == order.amount else rest
        return self._replace(order, filled=filled, average=price if filled else None, status=status)

    def _trigger(self, order: OrderView) -> None:
        """Turn a conditional order into a regular one."""
        became = replace(
            order,
            exchange_order_id=str(next(self._ids)),
            client_order_id=f"auto-{order.client_order_id}"[:36],
            conditional=False,
            type=OrderType.LIMIT.value if order.type == OrderType.STOP else OrderType.MARKET.value,
            amount=self._reducible(order.side) if order.close_position else order.amount,
            reduce_only=True,
            close_position=False,
            trigger_price=None,
        )
        self.orders[became.exchange_order_id] = became
        self._replace(order, status=VenueStatus.TRIGGERED, actual_order_id=became.exchange_order_id)
        if became.type == OrderType.MARKET:
            self._fill_at_market(became)

    def _replace(self, order: OrderView, **changes: object) -> OrderView:
        changed = replace(order, updated_at=utc_now(), **changes)  # type: ignore[arg-type]
        self.orders[order.exchange_order_id] = changed
        return changed

    def _reducible(self, side: Side) -> Decimal:
        return max(-self.position * side.sign, Decimal(0))

    def _has_crossed(self, side: Side, trigger_price: Decimal | None) -> bool:
        """Return whether the market is at or beyond the trigger of a stop."""
        return trigger_price is not None and (self.price - trigger_price) * side.sign >= 0

    def _is_marketable(self, side: Side, price: Decimal | None) -> bool:
        return price is not None and (price - self.price) * side.sign >= 0


def _check_filters(planned: PlannedOrder, filters: SymbolFilters) -> None:
    if any(
        price % filters.tick_size for price in (planned.price, planned.trigger_price, planned.activation_price) if price
    ):
        raise ExchangeRejected("Price not increased by tick size.", code=-4014)
    if planned.amount is None:
        return
    on_book = planned.type in {OrderType.LIMIT, OrderType.STOP}
    if planned.amount % (filters.step_size if on_book else filters.market_step_size):
        raise ExchangeRejected("Qty not increased by step size.", code=-4023)
    if planned.amount < (filters.min_amount if on_book else filters.market_min_amount):
        raise ExchangeRejected("Quantity less than min quantity.", code=-4004)
    if planned.amount > (filters.max_amount if on_book else filters.market_max_amount):
        raise ExchangeRejected("Quantity greater than max quantity.", code=-4005)
