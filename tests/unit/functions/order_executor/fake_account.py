"""An exchange account in memory, with the methods of `FuturesAccount` that the executor uses.

Tests script its faults: an error, a lost or late answer, lists that lag. Its orders are in `fake_book.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar

from shared.errors import (
    ClockSkewed,
    ExchangeAuthorizationFailed,
    ExchangeError,
    LockstepError,
    NotFound,
    OutcomeUnknown,
)
from shared.exchange.futures import LOOK_UP_TIMEOUT_S, ORDER_TIMEOUT_S, FuturesAccount, Stamp
from shared.exchange.lanes import DEFAULT_LANE
from shared.exchange.venue_views import AccountView, OrderView, PositionView
from shared.trading.brackets import LeverageBracket
from shared.trading.entry_price import MarketPrices
from shared.trading.filters import SymbolFilters
from shared.trading.funding import FundingPayment, Income
from shared.trading.ids import Leg
from shared.trading.order_planning import PlannedOrder
from shared.trading.position_accounting import Fill
from shared.trading.readiness import KeyPermissions
from shared.trading.sizing import MarginMode
from tests.unit.functions.order_executor.fake_book import FakeBook
from tests.unit.trading.markets import BITCOIN, READY

_LATENCY_S = 0.02
FUNDED = Decimal(11_507)
"""With a stop 1 % away, 1.5 % of it are 0.750 BTC: at the bound of 0.05 %, with fees of 0.05 % for each way."""
_BRACKETS = (
    LeverageBracket(
        notional_cap=Decimal(10_000_000), max_leverage=Decimal(125), maintenance_margin_rate=Decimal("0.004")
    ),
)

_T = TypeVar("_T")


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
    """A funded account without a position."""

    def __init__(self) -> None:
        super().__init__(client=None)
        self.book = FakeBook(filters=BITCOIN)
        self.wallet = FUNDED
        self.unlisted: set[int] = set()
        """The numbers of the fills that the exchange does not list yet."""
        self.payments: dict[str, FundingPayment] = {}
        """Funding, by the exchange's ids."""
        self.liquidation_incomes: dict[str, Income] = {}
        self.cached_filters: SymbolFilters | None = None
        """What the executor's container has read of them so far."""
        self.brackets = _BRACKETS
        self.naked_after: list[str] = []
        """The requests after which the position had no stop that covers it."""
        self.requests: list[str] = []
        """Every request so far: its method, and the leg of a write."""
        self._faults: list[_Fault] = []
        self._lagging: dict[str, tuple[int, FakeBook]] = {}

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

    def skip(self, method: str, requests: int) -> None:
        """Let the next requests of a method be answered before the next fault takes effect."""
        self._faults.append(_Fault(method, None, requests))

    @property
    def has_faults(self) -> bool:
        """Whether a fault is still to come."""
        return any(fault.times > 0 for fault in self._faults)

    def answer_late(self, method: str, *, after_s: float, leg: Leg | None = None) -> None:
        """Carry the next request out, and answer it late: with OutcomeUnknown once its time-out is over."""
        self._faults.append(_Fault(method, leg, 1, answer_after_s=after_s))

    def lag(self, method: str, *, reads: int) -> None:
        """Answer the next reads of a list as it is at this moment, whatever happens meanwhile."""
        self._lagging[method] = (reads, self.book.copy())

    def clear_faults(self) -> None:
        """Forget the faults that have not happened yet."""
        self._faults.clear()

    # -- filters ---------------------------------------------------------------------------------------------------

    @property
    def symbol_filters(self) -> SymbolFilters | None:
        """The filters that the exchange enforces; None when the symbol is no longer listed."""
        return self.book.filters

    @symbol_filters.setter
    def symbol_filters(self, filters: SymbolFilters | None) -> None:
        self.book.filters = filters

    def change_filters(self, **changes: Any) -> None:
        """Let the exchange enforce other filters from now on, which nobody has read yet."""
        assert self.book.filters is not None
        self.book.filters = replace(self.book.filters, **changes)

    def count(self, request: str) -> int:
        """Return how often a request was made."""
        return Counter(self.requests)[request]

    # -- reading ---------------------------------------------------------------------------------------------------

    @property
    def lane(self) -> str:
        return DEFAULT_LANE

    def take_refusal(self) -> ExchangeAuthorizationFailed | None:
        return None

    async def read(self, symbol: str, *, known_permissions: KeyPermissions | None = None) -> AccountView:
        def answer() -> AccountView:
            return AccountView(
                wallet_balance=self.wallet,
                margin_balance=self.wallet,
                available_margin=self.wallet,
                position_amount=self.book.position,
                open_orders=self._read("read").open_orders,
                leverage=Decimal(20),
                margin_mode=MarginMode.CROSS,
                brackets=self.brackets,
                prices=self._prices,
                setup=READY,
            )

        return await self._request("read", answer)

    async def filters(self, symbol: str) -> SymbolFilters:
        return self.cached_filters or await self._read_exchange_info(symbol)

    async def filters_for_exit(self, symbol: str) -> SymbolFilters | None:
        with contextlib.suppress(ExchangeError, NotFound):
            return await self.filters(symbol)
        return None

    async def renewed_filters(
        self, symbol: str, *, refused: SymbolFilters, sent_at_s: float, timeout_s: float
    ) -> SymbolFilters:
        if self.cached_filters is not None and self.cached_filters != refused:
            return self.cached_filters
        return await self._read_exchange_info(symbol)

    async def _read_exchange_info(self, symbol: str) -> SymbolFilters:
        def answer() -> SymbolFilters:
            if self.symbol_filters is None:
                raise NotFound(f"{symbol} is not listed")
            self.cached_filters = self.symbol_filters
            return self.symbol_filters

        return await self._request("exchange_info", answer)

    def forget_brackets(self, symbol: str) -> None:
        self.requests.append("forget_brackets")

    async def is_trading(self, symbol: str) -> bool:
        return await self._request("is_trading", lambda: self.symbol_filters is not None)

    async def prices(self, symbol: str, *, asked_since_s: float) -> MarketPrices:
        return await self._request("prices", lambda: self._prices)

    @property
    def _prices(self) -> MarketPrices:
        return MarketPrices(last=self.book.price, bid=self.book.price, ask=self.book.price)

    async def market_price(self, symbol: str) -> Decimal:
        return await self._request("market_price", lambda: self.book.price)

    async def recent_price(self, symbol: str) -> Decimal:
        return await self._request("recent_price", lambda: self.book.price)

    async def position(self, symbol: str) -> PositionView:
        def answer() -> PositionView:
            return PositionView(amount=self._read("position_amount").position, liquidation_price=None)

        return await self._request("position_amount", answer)

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

        return await self._request("find_order", answer, leg=self.book.legs.get(client_order_id), timeout_s=timeout_s)

    async def find_by_exchange_id(self, symbol: str, exchange_order_id: str) -> OrderView | None:
        return await self._request("find_by_exchange_id", lambda: self.book.orders.get(exchange_order_id))

    async def fills(self, symbol: str, *, since: datetime) -> dict[int, Fill]:
        def answer() -> dict[int, Fill]:
            fills = self._read("fills").fills.items()
            return {number: fill for number, fill in fills if fill.at >= since and number not in self.unlisted}

        return await self._request("fills", answer)

    async def orders_since(self, symbol: str, since: datetime) -> list[OrderView]:
        def answer() -> list[OrderView]:
            orders = self._read("orders_since").orders.values()
            return [order for order in orders if not order.conditional and order.updated_at >= since]

        return await self._request("orders_since", answer)

    async def funding(self, symbol: str, since: datetime, until: datetime) -> dict[str, FundingPayment]:
        def answer() -> dict[str, FundingPayment]:
            return {number: paid for number, paid in self.payments.items() if since <= paid.at <= until}

        return await self._request("funding", answer)

    async def liquidation_fees(self, symbol: str, since: datetime, until: datetime) -> dict[str, Income]:
        return await self._request("liquidation_fees", lambda: dict(self.liquidation_incomes))

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
            return self.book.carry_out(order, client_order_id)

        return await self._request("place", answer, leg=order.leg, timeout_s=timeout_s)

    async def cancel(self, symbol: str, order: OrderView, *, stamp: Stamp) -> bool:
        def answer() -> bool:
            _check(stamp)
            return self.book.cancel(order.exchange_order_id)

        leg = self.book.legs.get(order.client_order_id)
        return await self._request("cancel", answer, leg=leg, timeout_s=ORDER_TIMEOUT_S)

    # -- requests --------------------------------------------------------------------------------------------------

    async def _request(
        self, method: str, answer: Callable[[], _T], *, leg: Leg | None = None, timeout_s: float | None = None
    ) -> _T:
        self.requests.append(f"{method} {leg.value}" if leg else method)
        fault = next((fault for fault in self._faults if fault.concerns(method, leg)), None) or _Fault(method, leg, 1)
        fault.times -= 1
        if fault.act is not None:
            fault.act()
        await asyncio.sleep(_LATENCY_S)
        try:
            return await self._answer(fault, answer, timeout_s=timeout_s)
        finally:
            if not self.book.guarded:
                self.naked_after.append(self.requests[-1])

    async def _answer(self, fault: _Fault, answer: Callable[[], _T], *, timeout_s: float | None) -> _T:
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

    def _read(self, method: str) -> FakeBook:
        reads, stale = self._lagging.get(method, (0, self.book))
        if not reads:
            return self.book
        self._lagging[method] = (reads - 1, stale)
        return stale


def _server_ms() -> int:
    return time.time_ns() // 1_000_000


def _check(stamp: Stamp) -> None:
    if _server_ms() > stamp.expires_ms:
        raise ClockSkewed("outside of recvWindow", code=-1021)


def _unanswered(act: Callable[[], object]) -> None:
    with contextlib.suppress(LockstepError):
        act()
