"""An exchange account in memory, with a tiny order book: market orders fill, stops and limit orders rest.

Tests script its faults: an error, a lost or late answer, lists that lag. Everything else is as at the exchange.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import TypeVar

from shared.clock import utc_now
from shared.errors import (
    ClockSkewed,
    ExchangeAuthorizationFailed,
    ExchangeRejected,
    LockstepError,
    NotFound,
    OutcomeUnknown,
    StopWouldTrigger,
)
from shared.exchange import error_codes
from shared.exchange.futures import LOOK_UP_TIMEOUT_S, ORDER_TIMEOUT_S, FuturesAccount, Stamp, is_conditional
from shared.exchange.lanes import DEFAULT_LANE
from shared.exchange.venue_views import AccountView, BatchAnswer, OrderView, VenueStatus
from shared.trading.brackets import LeverageBracket
from shared.trading.filters import SymbolFilters
from shared.trading.funding import FundingPayment
from shared.trading.ids import Leg
from shared.trading.order_planning import OrderType, PlannedOrder
from shared.trading.position_accounting import Fill
from shared.trading.readiness import AccountSetup
from shared.trading.sides import Side
from shared.trading.sizing import MarginMode
from tests.unit.trading.markets import BITCOIN

_LATENCY_S = 0.02
_FEE_RATE = Decimal("0.0004")
_SETUP = AccountSetup(
    can_trade=True,
    futures_enabled=True,
    withdrawals_enabled=False,
    portfolio_margin=False,
    hedge_mode=False,
    multi_assets_margin=False,
    ip_restricted=True,
)
_BRACKETS = (
    LeverageBracket(
        notional_cap=Decimal(10_000_000), max_leverage=Decimal(125), maintenance_margin_rate=Decimal("0.004")
    ),
)

_T = TypeVar("_T")


@dataclass(slots=True)
class Book:
    """Position, orders and fills of the account."""

    position: Decimal = Decimal(0)
    orders: dict[str, OrderView] = field(default_factory=dict)
    """Every order by the exchange's id."""
    fills: dict[int, Fill] = field(default_factory=dict)

    @property
    def open_orders(self) -> tuple[OrderView, ...]:
        return tuple(order for order in self.orders.values() if order.status.is_open)

    def copy(self) -> Book:
        return Book(self.position, dict(self.orders), dict(self.fills))


@dataclass(slots=True)
class _Fault:
    """What happens to the next requests of a kind."""

    method: str
    leg: Leg | None
    times: int
    error: Exception | None = None
    done_after_s: float | None = None
    """When the request is carried out all the same; None is never."""
    answer_after_s: float = 0.0
    act: Callable[[], object] | None = None

    def concerns(self, method: str, leg: Leg | None) -> bool:
        return self.times > 0 and self.method in {method, "any"} and self.leg in {None, leg}


class FakeAccount(FuturesAccount):
    """A funded account without a position; BTC/USDT trades at 20000."""

    def __init__(self) -> None:
        super().__init__(client=None)
        self.book = Book()
        self.price = Decimal(20000)
        self.wallet = Decimal(10_000)
        self.symbol_filters: SymbolFilters | None = BITCOIN
        """None when the symbol is no longer listed."""
        self.requests: list[str] = []
        """Every request so far: its method, and the leg of a write."""
        self.next_fill: Decimal | None = None
        """How much of the next market order fills; the rest expires."""
        self._faults: list[_Fault] = []
        self._lagging: dict[str, tuple[int, Book]] = {}
        self._ids = itertools.count(101)
        self._legs: dict[str, Leg] = {}

    # -- faults ----------------------------------------------------------------------------------------------------

    def fail(
        self,
        method: str,
        error: Exception,
        *,
        leg: Leg | None = None,
        times: int = 1,
        done_after_s: float | None = None,
    ) -> None:
        """Raise an error for the next requests of a method (`any` is all).

        With `done_after_s` they are carried out all the same, so many seconds later.
        """
        self._faults.append(_Fault(method, leg, times, error, done_after_s))

    def lose_answer(self, method: str, *, leg: Leg | None = None, done_after_s: float = 0.0) -> None:
        """Carry the next request out, now or later, and raise OutcomeUnknown."""
        self.fail(method, OutcomeUnknown("no answer"), leg=leg, done_after_s=done_after_s)

    def meanwhile(self, method: str, act: Callable[[], object], *, leg: Leg | None = None, skip: int = 0) -> None:
        """Let something happen while a request is on its way: the next one, or the one after `skip` others."""
        if skip:
            self._faults.append(_Fault(method, leg, skip))
        self._faults.append(_Fault(method, leg, 1, act=act))

    def answer_late(self, method: str, *, after_s: float, leg: Leg | None = None) -> None:
        """Carry the next request out, and answer it late: with OutcomeUnknown once its time-out is over."""
        self._faults.append(_Fault(method, leg, 1, answer_after_s=after_s))

    def lag(self, method: str, *, reads: int) -> None:
        """Answer the next reads of a list as it is at this moment, whatever happens meanwhile."""
        self._lagging[method] = (reads, self.book.copy())

    def clear_faults(self) -> None:
        """Forget the faults that have not happened yet."""
        self._faults.clear()

    # -- the market and the account's owner ------------------------------------------------------------------------

    def move_price(self, price: int) -> None:
        """Move the market: stops trigger, limit orders fill."""
        self.price = Decimal(price)
        for order in self.book.open_orders:
            if order.conditional and self._has_crossed(order.side, order.trigger_price):
                self._trigger(order)
        for order in self.book.open_orders:
            if order.type == OrderType.LIMIT and self._is_marketable(order.side, order.price):
                self._fill(order, min(order.remaining, self._reducible(order.side)), at=order.price)

    def trade_as_owner(self, side: Side, amount: str) -> None:
        """Let the account's owner trade at the market."""
        planned = PlannedOrder(leg=Leg.ENTRY, type=OrderType.MARKET, side=side, amount=Decimal(amount))
        self._carry_out(planned, f"web_{next(self._ids)}")

    def place_stop_as_owner(self, side: Side, trigger_price: int) -> None:
        """Let the account's owner place a stop that closes the whole position."""
        price = Decimal(trigger_price)
        stop = PlannedOrder(
            leg=Leg.STOP, type=OrderType.STOP_MARKET, side=side, trigger_price=price, close_position=True
        )
        self._carry_out(stop, f"web_{next(self._ids)}")

    def cancel_as_owner(self, client_order_id: str) -> None:
        """Let the account's owner cancel a standing order."""
        for order in self.book.open_orders:
            if order.client_order_id == client_order_id:
                self._replace(order, status=VenueStatus.CANCELLED)

    def fill_late(self, planned: PlannedOrder, client_order_id: str) -> None:
        """Carry an order out although its window has passed, as an exchange must not."""
        self._carry_out(planned, client_order_id)

    def standing(self, *legs: Leg) -> list[OrderView]:
        """Return the open orders of some legs; without any, all open orders."""
        return [order for order in self.book.open_orders if not legs or self._legs.get(order.client_order_id) in legs]

    def count(self, request: str) -> int:
        """Return how often a request was made."""
        return Counter(self.requests)[request]

    # -- reading ---------------------------------------------------------------------------------------------------

    @property
    def lane(self) -> str:
        return DEFAULT_LANE

    def take_refusal(self) -> ExchangeAuthorizationFailed | None:
        return None

    async def read(self, symbol: str) -> AccountView:
        def answer() -> AccountView:
            return AccountView(
                wallet_balance=self.wallet,
                margin_balance=self.wallet,
                available_margin=self.wallet,
                position_amount=self.book.position,
                open_orders=self.book.open_orders,
                leverage=Decimal(20),
                margin_mode=MarginMode.CROSS,
                brackets=_BRACKETS,
                market_price=self.price,
                setup=_SETUP,
            )

        return await self._request("read", answer)

    async def filters(self, symbol: str) -> SymbolFilters:
        def answer() -> SymbolFilters:
            if self.symbol_filters is None:
                raise NotFound(f"{symbol} is not listed")
            return self.symbol_filters

        return await self._request("filters", answer)

    async def is_trading(self, symbol: str) -> bool:
        return await self._request("is_trading", lambda: self.symbol_filters is not None)

    async def market_price(self, symbol: str) -> Decimal:
        return await self._request("market_price", lambda: self.price)

    async def position_amount(self, symbol: str) -> Decimal:
        return await self._request("position_amount", lambda: self._read("position_amount").position)

    async def wallet_balance(self) -> Decimal:
        return await self._request("wallet_balance", lambda: self.wallet)

    async def open_orders(self, symbol: str) -> tuple[OrderView, ...]:
        return await self._request("open_orders", lambda: self._read("open_orders").open_orders)

    async def find_order(
        self, symbol: str, client_order_id: str, *, conditional: bool, timeout_s: float = LOOK_UP_TIMEOUT_S
    ) -> OrderView | None:
        def answer() -> OrderView | None:
            orders = self._read("find_order").orders.values()
            known = [o for o in orders if o.client_order_id == client_order_id and o.conditional is conditional]
            return known[-1] if known else None

        return await self._request("find_order", answer, leg=self._legs.get(client_order_id), timeout_s=timeout_s)

    async def find_by_exchange_id(self, symbol: str, exchange_order_id: str) -> OrderView | None:
        return await self._request("find_by_exchange_id", lambda: self.book.orders.get(exchange_order_id))

    async def fills(self, symbol: str, *, since: datetime) -> dict[int, Fill]:
        def answer() -> dict[int, Fill]:
            return {number: fill for number, fill in self._read("fills").fills.items() if fill.at >= since}

        return await self._request("fills", answer)

    async def orders_since(self, symbol: str, since: datetime) -> list[OrderView]:
        def answer() -> list[OrderView]:
            orders = self._read("orders_since").orders.values()
            return [order for order in orders if not order.conditional and order.updated_at >= since]

        return await self._request("orders_since", answer)

    async def funding(self, symbol: str, since: datetime, until: datetime) -> list[FundingPayment]:
        return await self._request("funding", list)

    async def price_of_asset(self, asset: str) -> Decimal | None:
        return await self._request("price_of_asset", lambda: Decimal(1) if asset == "USDT" else None)

    async def server_time_ms(self) -> int:
        return await self._request("server_time_ms", _server_ms)

    # -- writing ---------------------------------------------------------------------------------------------------

    async def place(
        self,
        symbol: str,
        order: PlannedOrder,
        *,
        client_order_id: str,
        stamp: Stamp,
        timeout_s: float = ORDER_TIMEOUT_S,
    ) -> OrderView:
        def answer() -> OrderView:
            _check(stamp)
            return self._carry_out(order, client_order_id)

        return await self._request("place", answer, leg=order.leg, timeout_s=timeout_s)

    async def place_batch(
        self, symbol: str, orders: Sequence[tuple[str, PlannedOrder]], *, stamp: Stamp
    ) -> list[BatchAnswer]:
        def answer() -> list[BatchAnswer]:
            _check(stamp)
            return [self._answer_of_batch(client_id, order) for client_id, order in orders]

        return await self._request("place_batch", answer, timeout_s=ORDER_TIMEOUT_S)

    async def cancel(self, symbol: str, order: OrderView, *, stamp: Stamp) -> bool:
        def answer() -> bool:
            _check(stamp)
            present = self.book.orders[order.exchange_order_id]
            if present.status.is_open:
                self._replace(present, status=VenueStatus.CANCELLED)
            return present.status.is_open

        leg = self._legs.get(order.client_order_id)
        return await self._request("cancel", answer, leg=leg, timeout_s=ORDER_TIMEOUT_S)

    # -- the book --------------------------------------------------------------------------------------------------

    async def _request(
        self, method: str, answer: Callable[[], _T], *, leg: Leg | None = None, timeout_s: float | None = None
    ) -> _T:
        self.requests.append(f"{method} {leg.value}" if leg else method)
        fault = next((fault for fault in self._faults if fault.concerns(method, leg)), None) or _Fault(method, leg, 1)
        fault.times -= 1
        if fault.act is not None:
            fault.act()
        await asyncio.sleep(_LATENCY_S)
        if fault.error is None:
            late = answer()
            await asyncio.sleep(min(fault.answer_after_s, timeout_s or fault.answer_after_s))
            if timeout_s is not None and fault.answer_after_s > timeout_s:
                raise OutcomeUnknown("no answer in time")
            return late
        if fault.done_after_s == 0:
            answer()
        elif fault.done_after_s is not None:
            asyncio.get_running_loop().call_later(fault.done_after_s, _unanswered, answer)
        raise fault.error

    def _read(self, method: str) -> Book:
        reads, stale = self._lagging.get(method, (0, self.book))
        if not reads:
            return self.book
        self._lagging[method] = (reads - 1, stale)
        return stale

    def _carry_out(self, planned: PlannedOrder, client_order_id: str) -> OrderView:
        known = [order for order in self.book.open_orders if order.client_order_id == client_order_id]
        if known:
            return known[0]
        self._refuse(planned)
        if not client_order_id.startswith("web_"):
            self._legs[client_order_id] = planned.leg
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
        self.book.orders[order.exchange_order_id] = order
        if planned.type is OrderType.MARKET:
            return self._fill_at_market(order)
        return order

    def _refuse(self, planned: PlannedOrder) -> None:
        if planned.close_position and any(
            order.close_position and order.side is planned.side for order in self.book.open_orders
        ):
            raise ExchangeRejected("a closePosition stop stands", code=error_codes.CLOSE_POSITION_EXISTS)
        if is_conditional(planned.type) and self._has_crossed(planned.side, planned.trigger_price):
            raise StopWouldTrigger("would trigger at once", code=-2021)
        if planned.reduce_only and not is_conditional(planned.type) and not self._reducible(planned.side):
            raise ExchangeRejected("nothing to reduce", code=-2022)

    def _answer_of_batch(self, client_id: str, planned: PlannedOrder) -> BatchAnswer:
        try:
            return BatchAnswer(client_order_id=client_id, order=self._carry_out(planned, client_id))
        except ExchangeRejected as error:
            return BatchAnswer(client_order_id=client_id, order=None, code=error.code)

    def _fill_at_market(self, order: OrderView) -> OrderView:
        amount = min(order.amount, self._reducible(order.side)) if order.reduce_only else order.amount
        if self.next_fill is not None:
            amount, self.next_fill = min(amount, self.next_fill), None
        return self._fill(order, amount, at=self.price)

    def _fill(self, order: OrderView, amount: Decimal, *, at: Decimal | None) -> OrderView:
        price = at or self.price
        filled = order.filled + amount
        rest = VenueStatus.OPEN if order.type == OrderType.LIMIT else VenueStatus.EXPIRED
        if amount:
            self.book.position += order.side.sign * amount
            self.book.fills[next(self._ids)] = Fill(
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
        self.book.orders[became.exchange_order_id] = became
        self._replace(order, status=VenueStatus.TRIGGERED, actual_order_id=became.exchange_order_id)
        if became.type == OrderType.MARKET:
            self._fill_at_market(became)

    def _replace(self, order: OrderView, **changes: object) -> OrderView:
        changed = replace(order, updated_at=utc_now(), **changes)  # type: ignore[arg-type]
        self.book.orders[order.exchange_order_id] = changed
        return changed

    def _reducible(self, side: Side) -> Decimal:
        return max(-self.book.position * side.sign, Decimal(0))

    def _has_crossed(self, side: Side, trigger_price: Decimal | None) -> bool:
        """Return whether the market is at or beyond the trigger of a stop."""
        return trigger_price is not None and (self.price - trigger_price) * side.sign >= 0

    def _is_marketable(self, side: Side, price: Decimal | None) -> bool:
        return price is not None and (price - self.price) * side.sign >= 0


def _server_ms() -> int:
    return time.time_ns() // 1_000_000


def _check(stamp: Stamp) -> None:
    if _server_ms() > stamp.expires_ms:
        raise ClockSkewed("outside of recvWindow", code=-1021)


def _unanswered(act: Callable[[], object]) -> None:
    with contextlib.suppress(LockstepError):
        act()
