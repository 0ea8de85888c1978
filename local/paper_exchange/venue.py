"""The exchange's whole state in memory: accounts, prices, counters, switches. No rules and no I/O."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from decimal import Decimal

from local.paper_exchange.accounts import Account, FurtherKey
from local.paper_exchange.candles import PriceHistory
from local.paper_exchange.listing import EVERY_SYMBOL
from local.paper_exchange.symbols import SYMBOLS, Symbol


@dataclass(slots=True)
class Quote:
    """A symbol's last and mark price."""

    last: Decimal
    mark: Decimal


@dataclass(slots=True)
class Level:
    """One level of a book, some ticks from the last price, and what of it is eaten."""

    ticks: int
    amount: Decimal
    eaten: Decimal = Decimal(0)
    eaten_ms: int = 0


@dataclass(slots=True)
class Book:
    """The levels of a symbol (see books.py); each is full again `refill_ms` after it was last eaten from."""

    bids: list[Level] = field(default_factory=list)
    asks: list[Level] = field(default_factory=list)
    refill_ms: int = 1000


@dataclass(slots=True)
class Funding:
    """The funding of a symbol that is booked by the clock, and the time of its next payment."""

    rate: Decimal
    interval_ms: int
    next_ms: int


@dataclass(frozen=True, slots=True)
class SymbolChange:
    """What has changed of a symbol since the start; None is as listed."""

    tick: Decimal | None = None
    step: Decimal | None = None
    min_notional_usdt: Decimal | None = None
    status: str | None = None


@dataclass(slots=True)
class Settings:
    """The settings of `POST /paper/settings`, described in the package's docstring."""

    refuse_close_position_when_flat: bool = False
    refuse_overlapping_close: bool = False
    overlap_counts_conditional: bool = False
    expire_close_position_when_flat: bool = True
    expire_reduce_only_when_flat: bool = False
    refuse_late_past_recv_window: bool = False
    limits_enabled: bool = True
    refuse_orders_over_limit: bool = True
    weight_window_ms: int = 60_000
    weight_limit_per_minute: int = 2400
    spot_weight_limit_per_minute: int = 6000
    wallet_weight_limit_per_minute: int = 12000
    order_limit_per_10s: int = 300
    order_limit_per_minute: int = 1200
    liquidation_fee_bps: int = 125
    ban_after_refusals: int = 20
    ban_s: int = 120
    clock_offset_ms: int = 0


@dataclass(slots=True)
class Counters:
    """The next ids. Counters, so that the same requests get the same ids."""

    order: int = 1_000_001
    algo: int = 1_000_000_000_000_001
    trade: int = 5_001
    income: int = 9_001
    generated: int = 1


@dataclass(slots=True)
class Venue:
    """All accounts and all prices."""

    accounts: dict[str, Account] = field(default_factory=dict)
    further_keys: dict[str, FurtherKey] = field(default_factory=dict)
    good_till: dict[int, str] = field(default_factory=dict)
    """The accounts (by first key) of open orders that end at a date, by order id."""
    quotes: dict[str, Quote] = field(
        default_factory=lambda: {name: Quote(s.start_price, s.start_price) for name, s in SYMBOLS.items()}
    )
    last_prices: dict[str, PriceHistory] = field(default_factory=dict)
    mark_prices: dict[str, PriceHistory] = field(default_factory=dict)
    books: dict[str, Book] = field(default_factory=dict)
    funding: dict[str, Funding] = field(default_factory=dict)
    restricted_addresses: set[str] = field(default_factory=set)
    has_full_listing: bool = False
    deliveries: dict[str, int] = field(default_factory=dict)
    """When each dated contract that was listed is delivered, in Unix milliseconds."""
    changes: dict[str, SymbolChange] = field(default_factory=dict)
    settings: Settings = field(default_factory=Settings)
    counters: Counters = field(default_factory=Counters)

    def listed(self) -> dict[str, Symbol]:
        """Return the listed symbols with their present filters."""
        listed = EVERY_SYMBOL if self.has_full_listing else SYMBOLS
        return {name: self._changed(symbol) for name, symbol in listed.items()} if self.changes else listed

    def symbol(self, name: str) -> Symbol | None:
        """Return a listed symbol with its present filters."""
        symbol = (EVERY_SYMBOL if self.has_full_listing else SYMBOLS).get(name)
        return None if symbol is None else self._changed(symbol)

    def _changed(self, symbol: Symbol) -> Symbol:
        change = self.changes.get(symbol.name)
        if change is None:
            return symbol
        return dataclasses.replace(symbol, **{n: v for n, v in dataclasses.asdict(change).items() if v is not None})

    def list_symbols(self, *, full: bool) -> None:
        """List every symbol, or the dozen that are listed at first."""
        self.has_full_listing = full
        for name, symbol in self.listed().items():
            self.quotes.setdefault(name, Quote(symbol.start_price, symbol.start_price))
            if symbol.is_dated:
                self.deliveries[name] = symbol.delivery_ms

    def find_account(self, api_key: str | None) -> Account | None:
        """Return the account that the key leads to, or None."""
        further = self.further_keys.get(api_key or "")
        return self.accounts.get(further.owner if further is not None else api_key or "")

    def find_key(self, api_key: str | None) -> Account | FurtherKey | None:
        """Return the holder of the key's secret and permissions: its account if it is the first, or None."""
        return self.further_keys.get(api_key or "") or self.accounts.get(api_key or "")

    def next_order_id(self) -> int:
        """Take the next id of a regular order."""
        self.counters.order += 1
        return self.counters.order - 1

    def next_algo_id(self) -> int:
        """Take the next id of an algo order."""
        self.counters.algo += 1
        return self.counters.algo - 1

    def next_trade_id(self) -> int:
        """Take the next id of a fill."""
        self.counters.trade += 1
        return self.counters.trade - 1

    def next_income_id(self) -> int:
        """Take the next id of a wallet change."""
        self.counters.income += 1
        return self.counters.income - 1

    def next_client_id(self) -> str:
        """Return a client id for an order that was sent without one."""
        self.counters.generated += 1
        return f"paper{self.counters.generated - 1:017d}"
