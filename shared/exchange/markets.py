"""The exchange's markets: names, filters, leverage brackets. Kept per process, for every account.

An entry needs what was read within the hour. An exit takes what was read last, however old: if the exchange refuses it
for that, it says so, and the filters are read again.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from shared.errors import ExchangeError, NotFound, OutcomeUnknown
from shared.exchange import responses, transport, weights
from shared.observability import logger
from shared.process_state import on_reset
from shared.trading.brackets import LeverageBracket
from shared.trading.entry_price import MarketPrices
from shared.trading.filters import SymbolFilters
from shared.trading.symbols import symbol_name, venue_symbol

CACHE_TTL_S = 3600.0
READ_TIMEOUT_S = 10.0
EXIT_READ_TIMEOUT_S = 2.0
"""How long an exit waits for filters: a position may be naked meanwhile."""
_EXITS_RETRY_AFTER_S = 10.0
"""After a failed read, exits do without filters for so long rather than wait for each next one."""
PRICES_TIMEOUT_S = 5.0
PRICES_MAX_AGE_S = 1.0
"""How old the prices may be that an entry is bounded by; the bound holds all the same, but may miss the market."""
_ON_STOCKS = "TRADIFI_PERPETUAL"
"""The type of contracts on stocks and commodities."""
_NEVER = float("-inf")


@dataclass(slots=True)
class _SharedRead:
    """A read that many ask for at once: one of them reads, and the others share its answer. Times are monotonic."""

    asked_at_s: float = _NEVER
    """When the last answer was asked for."""
    failed_at_s: float = _NEVER
    """When the last attempt to read has failed."""
    failure: ExchangeError | None = None
    _locks: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = field(default_factory=WeakKeyDictionary)
    """One for each event loop: a lock that another loop waits on cannot be shared."""

    async def read_unless_asked_since(self, since_s: Callable[[], float], read: Callable[[], Awaitable[None]]) -> None:
        """Read unless an answer was asked for since then, judged when it is one's turn; those who wait share a failure.

        `since_s` returns a monotonic time.
        """
        waits_since_s = time.monotonic()
        async with self._locks.setdefault(asyncio.get_running_loop(), asyncio.Lock()):
            if self.asked_at_s >= since_s():
                return
            if self.failure is not None and self.failed_at_s >= waits_since_s:
                raise self.failure
            asked_at_s = time.monotonic()
            try:
                await read()
            except (ExchangeError, asyncio.CancelledError) as error:
                self.failed_at_s = time.monotonic()
                self.failure = error if isinstance(error, ExchangeError) else None
                raise
            self.asked_at_s, self.failure = asked_at_s, None


@dataclass(slots=True)
class _Symbols(_SharedRead):
    """What Exchange Information has said."""

    filters: dict[str, SymbolFilters] = field(default_factory=dict)
    """Each symbol's filters as they were read last, also of symbols that the last answer lacks."""
    listed: set[str] = field(default_factory=set)
    trading: set[str] = field(default_factory=set)
    on_stocks: set[str] = field(default_factory=set)
    """Also symbols that the last answer lacks."""
    unreadable: set[str] = field(default_factory=set)
    """The symbols that could not be parsed, and were logged for it."""


@dataclass(slots=True)
class _Prices(_SharedRead):
    """The prices of one symbol."""

    found: MarketPrices | None = None


_symbols = _Symbols()
_brackets: dict[str, tuple[float, tuple[LeverageBracket, ...]]] = {}
_prices: dict[str, _Prices] = {}


@on_reset
def forget() -> None:
    """Read filters, brackets and prices again when they are needed."""
    global _symbols  # noqa: PLW0603 - one cache per process
    _symbols = _Symbols()
    _brackets.clear()
    _prices.clear()


async def symbol_filters(client: Any, symbol: str) -> SymbolFilters:
    """Return the symbol's filters, also while its trading is paused; raise NotFound if it is no linear contract."""
    await _read_symbols_unless_asked_since(client, time.monotonic() - CACHE_TTL_S)
    if symbol not in _symbols.listed:
        raise NotFound(f"{symbol} is not listed")
    return _symbols.filters[symbol]


async def filters_for_exit(client: Any, symbol: str) -> SymbolFilters | None:
    """Return the symbol's filters as they were read last, however long ago; None if they were never read.

    Only a process that has read none yet asks for them, and not for long.
    """
    if symbol not in _symbols.filters and time.monotonic() - _symbols.failed_at_s >= _EXITS_RETRY_AFTER_S:
        with contextlib.suppress(ExchangeError, TimeoutError):
            async with asyncio.timeout(EXIT_READ_TIMEOUT_S):
                await _read_symbols_unless_asked_since(client, time.monotonic() - CACHE_TTL_S)
    return _symbols.filters.get(symbol)


async def renewed_filters(
    client: Any, symbol: str, *, refused: SymbolFilters, sent_at_s: float, timeout_s: float
) -> SymbolFilters:
    """Return the symbol's filters after a request, sent at a monotonic time, was refused with those in `refused`.

    They are read again, unless somebody has since: of many requests that are refused together, one reads. Raise
    NotFound for a symbol that is not listed any more, and OutcomeUnknown without an answer in time.
    """
    if _symbols.filters.get(symbol, refused) == refused:
        try:
            async with asyncio.timeout(timeout_s):
                await _read_symbols_unless_asked_since(client, sent_at_s)
        except TimeoutError as error:
            raise OutcomeUnknown("the filters could not be read in time") from error
    if symbol not in _symbols.listed:
        raise NotFound(f"{symbol} is not listed")
    return _symbols.filters[symbol]


async def _read_symbols_unless_asked_since(client: Any, since_s: float) -> None:
    async def read() -> None:
        _take(await transport.call(client, "fapiPublicGetExchangeInfo", {}, timeout_s=READ_TIMEOUT_S))

    await _symbols.read_unless_asked_since(lambda: since_s, read)


def _take(answer: Any) -> None:
    """Take over an answer: every linear contract, whatever its kind. One that cannot be parsed is left out, and logged.

    A linear contract's margin is in its quote asset; contracts of another margin are not for this code.
    """
    markets = answer.get("symbols") if isinstance(answer, dict) else None
    if not isinstance(markets, list):
        raise OutcomeUnknown("the answer names no symbols")
    listed, trading = set[str](), set[str]()
    for market in markets:
        if not isinstance(market, dict) or market.get("marginAsset") != market.get("quoteAsset"):
            continue
        try:
            name = _name_of(market)
            _symbols.filters[name] = responses.symbol_filters(market, symbol=name)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            unreadable = str(market.get("symbol"))
            if unreadable not in _symbols.unreadable:
                logger.error("symbol_unreadable", symbol=unreadable, error=type(error).__name__)
            _symbols.unreadable.add(unreadable)
            continue
        listed.add(name)
        if market.get("status") == "TRADING":
            trading.add(name)
        if market.get("contractType") == _ON_STOCKS:
            _symbols.on_stocks.add(name)
    _symbols.listed, _symbols.trading = listed, trading


def pays_dividends(symbol: str) -> bool | None:
    """Return whether funding of the symbol includes dividends; None while nothing is known of the symbol."""
    return symbol in _symbols.on_stocks if symbol in _symbols.filters else None


def funding_weight(symbol: str) -> int:
    """Return the request weight of reading thirty days of the symbol's funding."""
    return weights.FUNDING * (2 if pays_dividends(symbol) else 1)


def _name_of(market: dict[str, Any]) -> str:
    name = symbol_name(market["symbol"], quote=market["quoteAsset"])
    if name is None:
        raise ValueError("the name does not end with the quote asset")
    return name


async def leverage_brackets(client: Any, symbol: str) -> tuple[LeverageBracket, ...]:
    """Return the symbol's leverage brackets."""
    cached = _brackets.get(symbol)
    if cached is not None and time.monotonic() < cached[0]:
        return cached[1]
    name = venue_symbol(symbol)
    answer = await transport.call(client, "fapiPrivateGetLeverageBracket", {"symbol": name}, timeout_s=5.0)
    found = responses.brackets_of(answer if isinstance(answer, list) else [answer], symbol=name)
    _brackets[symbol] = (time.monotonic() + CACHE_TTL_S, found)
    return found


def forget_brackets(symbol: str) -> None:
    """Read the symbol's brackets again when they are needed next."""
    _brackets.pop(symbol, None)


async def market_prices(client: Any, symbol: str, *, asked_since_s: float | None = None) -> MarketPrices:
    """Return the symbol's prices, asked for at most a second ago, or not before a monotonic time.

    Those who wait share the answer, or its failure.
    """
    prices = _prices.setdefault(symbol, _Prices())

    async def read() -> None:
        params = {"symbol": venue_symbol(symbol)}
        ticker, book = await asyncio.gather(
            transport.call(client, "fapiPublicGetTickerPrice", params, timeout_s=PRICES_TIMEOUT_S),
            transport.call(client, "fapiPublicGetTickerBookTicker", params, timeout_s=PRICES_TIMEOUT_S),
        )
        prices.found = responses.market_prices(ticker=ticker, book=book)

    def since_s() -> float:
        return time.monotonic() - PRICES_MAX_AGE_S if asked_since_s is None else asked_since_s

    await prices.read_unless_asked_since(since_s, read)
    if prices.found is None:
        raise AssertionError("unreachable: an answer was asked for")
    return prices.found


async def is_trading(client: Any, symbol: str) -> bool:
    """Return whether the symbol accepts new orders."""
    try:
        await symbol_filters(client, symbol)
    except NotFound:
        return False
    return symbol in _symbols.trading
