"""Reads positions, orders, fills, balances and prices through exchange keys, in the documented shapes. Changes nothing.

The functions block, for the API; their requests are sent concurrently. Those that begin with `read_` are coroutines,
for workers. Raises our ExchangeError classes, and NotFound for a symbol that does not trade at the exchange.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from ccxt.base import errors as ccxt_errors

from shared.errors import (
    ClockSkewed,
    ExchangeAuthorizationFailed,
    ExchangeError,
    ExchangeUnavailable,
    NotFound,
    OutcomeUnknown,
    SecretUnreadable,
    ServiceUnavailable,
)
from shared.exchange import lanes, transport
from shared.exchange.documented_shapes import (
    BALANCE,
    ORDER,
    POSITION,
    TRADE,
    newest_first,
    one_per_order,
    to_documented,
)
from shared.exchange.futures import READ_TIMEOUT_S, FuturesAccount
from shared.exchange.server_clock import server_clock
from shared.models.exchange_key import ExchangeKey, TradeType
from shared.process_state import on_reset
from shared.secrets import SecretKind, unseal
from shared.trading.filters import SymbolFilters
from shared.trading.symbols import symbol_name, venue_symbol

MARKETS_FOR_S = 3600.0
MAX_CONCURRENT_READS = 25
HISTORY_LIMIT = 500
"""How many entries of a history are shown: the exchange's latest."""

_PRICES: dict[TradeType, tuple[type[Any], str]] = {
    TradeType.FUTURES: (transport.FuturesClient, "fapiPublicV2GetTickerPrice"),
    TradeType.SPOT: (transport.SpotClient, "publicGetTickerPrice"),
}

_T = TypeVar("_T")
_runner = asyncio.Runner()
_markets: dict[type[Any], tuple[float, Any]] = {}
_loading: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()
on_reset(_loading.clear)


@on_reset
def forget_markets() -> None:
    """Load the markets again when they are needed."""
    _markets.clear()


def _close_runner() -> None:
    global _runner  # noqa: PLW0603 - one event loop per process is the point
    _runner.close()
    _runner = asyncio.Runner()


on_reset(_close_runner, last=True)


def positions(key: ExchangeKey, symbol: str | None) -> list[dict[str, Any]]:
    """Return the key's open positions, newest first, without those of size 0."""

    async def fetch(client: Any) -> Any:
        symbols = [_ccxt_symbol(client, key, symbol)] if symbol is not None else None
        # Version 2 of the exchange's endpoint still returns the leverage.
        return await client.fetch_positions(symbols, {"useV2": True})

    items = run(_with_client(key, fetch))
    held = [to_documented(item, POSITION) for item in items if item.get("contracts")]
    return newest_first(held)


def open_orders(key: ExchangeKey, symbol: str) -> list[dict[str, Any]]:
    """Return the open orders on a symbol, newest first, conditional orders included."""

    async def fetch(client: Any) -> Any:
        name = _ccxt_symbol(client, key, symbol)
        if key.trade_type is TradeType.SPOT:
            return await client.fetch_open_orders(name)
        # Since 2025 the exchange lists conditional orders separately.
        regular, conditional = await asyncio.gather(
            client.fetch_open_orders(name), client.fetch_open_orders(name, params={"trigger": True})
        )
        return [*regular, *conditional]

    items = run(_with_client(key, fetch))
    return newest_first([to_documented(item, ORDER) for item in items])


def order_history(key: ExchangeKey, symbol: str) -> list[dict[str, Any]]:
    """Return the latest orders on a symbol, newest first, conditional orders included, each once."""

    async def fetch(client: Any) -> Any:
        name = _ccxt_symbol(client, key, symbol)
        if key.trade_type is TradeType.SPOT:
            return await client.fetch_orders(name, limit=HISTORY_LIMIT)
        regular, conditional = await asyncio.gather(
            client.fetch_orders(name, limit=HISTORY_LIMIT),
            client.fetch_orders(name, limit=HISTORY_LIMIT, params={"trigger": True}),
        )
        return one_per_order(regular, conditional)

    items = run(_with_client(key, fetch))
    return newest_first([to_documented(item, ORDER) for item in items])[:HISTORY_LIMIT]


def trade_history(key: ExchangeKey, symbol: str) -> list[dict[str, Any]]:
    """Return the latest fills on a symbol, newest first."""

    async def fetch(client: Any) -> Any:
        return await client.fetch_my_trades(_ccxt_symbol(client, key, symbol), limit=HISTORY_LIMIT)

    items = run(_with_client(key, fetch))
    return newest_first([to_documented(item, TRADE) for item in items])


def balance(key: ExchangeKey) -> dict[str, dict[str, Any]]:
    """Return every asset that the exchange lists, zeros included, in the exchange's order."""
    return run(read_balance(key))


async def read_balance(key: ExchangeKey) -> dict[str, dict[str, Any]]:
    """Return every asset that the exchange lists, as `balance` does, on the caller's event loop."""
    found: dict[str, dict[str, Any]] = await _with_client(key, _balance)
    return found


def balances(keys: Sequence[ExchangeKey]) -> list[dict[str, dict[str, Any]] | ExchangeError]:
    """Return the balance of each key, or the error that kept it from being read."""
    semaphore = asyncio.Semaphore(MAX_CONCURRENT_READS)

    async def read(key: ExchangeKey) -> dict[str, dict[str, Any]] | ExchangeError:
        try:
            async with semaphore:
                return await read_balance(key)
        except ExchangeError as error:
            return error

    async def read_all() -> list[dict[str, dict[str, Any]] | ExchangeError]:
        return await asyncio.gather(*(read(key) for key in keys))

    return run(read_all())


def prices(trade_type: TradeType) -> dict[str, Decimal]:
    """Return the latest price of every symbol of a market; no key is needed."""
    return run(read_prices(trade_type))


async def read_prices(trade_type: TradeType) -> dict[str, Decimal]:
    """Return the latest price of every symbol, as `prices` does, on the caller's event loop."""
    kind, method = _PRICES[trade_type]
    client = await transport.open_client(kind, api_key="", secret="", timeout_ms=int(READ_TIMEOUT_S * 1000))
    with _translated_errors():
        client.set_markets_from_exchange(await _markets_of(kind))
    markets = (market for market in client.markets.values() if _is_of(market, trade_type))
    names = {market["id"]: symbol_name(market["id"], quote=market["quoteId"]) for market in markets}
    rows = await transport.call(client, method, {}, timeout_s=READ_TIMEOUT_S)
    return {name: Decimal(str(row["price"])) for row in rows if (name := names.get(row["symbol"])) is not None}


def market_price(*, exchange_id: str, symbol: str) -> Decimal:
    """Return the last traded price of the symbol's perpetual contract; no key is needed."""
    del exchange_id  # BINANCE is the only documented exchange

    async def fetch() -> Decimal:
        account = await FuturesAccount.open(api_key="", secret="")
        return await account.market_price(symbol)

    return run(fetch())


@dataclass(frozen=True, slots=True)
class SymbolMarket:
    """What an entry's size depends on at the market: the symbol's filters, and its last price."""

    filters: SymbolFilters
    price: Decimal


def symbol_markets(symbols: Collection[str]) -> dict[str, SymbolMarket]:
    """Return filters and last price of each symbol that is listed, with one read of all prices; no key is needed."""

    async def read() -> dict[str, SymbolMarket]:
        account = await FuturesAccount.open(api_key="", secret="")
        prices = await read_prices(TradeType.FUTURES)
        found = {}
        for symbol in symbols:
            with contextlib.suppress(NotFound, KeyError):
                found[symbol] = SymbolMarket(await account.filters(symbol), prices[symbol])
        return found

    return run(read()) if symbols else {}


def verify_key(*, exchange_id: str, api_key: str, secret: str, symbol: str) -> None:
    """Check that a futures key is accepted and that the symbol trades; raise ExchangeError or NotFound."""
    del exchange_id  # BINANCE is the only documented exchange

    async def verify() -> None:
        account = await FuturesAccount.open(api_key=api_key, secret=secret)
        _, trades = await asyncio.gather(account.wallet_balance(), account.is_trading(symbol))
        if not trades:
            raise NotFound(f"{symbol} does not trade")

    run(verify())


async def read_through(
    key: ExchangeKey, fetch: Callable[[Any], Awaitable[_T]], *, kind: SecretKind = SecretKind.EXCHANGE_KEY
) -> _T:
    """Return what `fetch` reads with a client of the key, its markets loaded; raise ExchangeError.

    `kind` is that of the key's secret.
    """
    found: _T = await _with_client(key, fetch, kind)
    return found


def run(work: Awaitable[_T]) -> _T:
    """Return what a coroutine reads from the exchange, on the event loop of this process's API requests."""

    async def read() -> _T:
        # Another container may have recorded a ban: then no request may be sent.
        await lanes.limiter_of(lanes.DEFAULT_LANE).refresh()
        try:
            return await work
        finally:
            await lanes.flush()

    return _runner.run(read())


async def _with_client(
    key: ExchangeKey, fetch: Callable[[Any], Awaitable[Any]], secret_kind: SecretKind = SecretKind.EXCHANGE_KEY
) -> Any:
    try:
        # KMS blocks for milliseconds only, but several keys are read concurrently.
        secret = await asyncio.to_thread(unseal, key.secret_ciphertext, kind=secret_kind, owner_id=key.id)
    except (SecretUnreadable, ServiceUnavailable) as error:
        raise ExchangeUnavailable("the key's secret cannot be opened") from error
    futures = key.trade_type is TradeType.FUTURES
    kind: type[Any] = transport.FuturesClient if futures else transport.SpotClient
    client = await transport.open_client(
        kind, api_key=key.api_key, secret=secret, timeout_ms=int(READ_TIMEOUT_S * 1000)
    )
    await lanes.limiter_of(lanes.DEFAULT_LANE, lanes.FUTURES if futures else lanes.SPOT).refresh()
    with _translated_errors():
        client.set_markets_from_exchange(await _markets_of(kind))
        return await _resync_and_retry(client, fetch)


async def _resync_and_retry(client: Any, fetch: Callable[[Any], Awaitable[Any]]) -> Any:
    """Fetch, and retry once with a resynced clock if the exchange refuses the timestamp."""
    measurements = server_clock.measurements
    try:
        return await fetch(client)
    except ClockSkewed:
        if not await transport.resync_clock(client, since=measurements):
            raise
        return await fetch(client)


@contextlib.contextmanager
def _translated_errors() -> Iterator[None]:
    try:
        yield
    except ccxt_errors.AuthenticationError as error:
        raise ExchangeAuthorizationFailed("credentials refused") from error
    except ccxt_errors.BaseError as error:
        raise OutcomeUnknown(type(error).__name__) from error


async def _balance(client: Any) -> dict[str, dict[str, Any]]:
    found = await client.fetch_balance()
    rows = found["info"].get("assets") or found["info"].get("balances") or []
    codes = [client.safe_currency_code(row["asset"]) for row in rows]
    # ccxt omits an asset that the account never held; the exchange lists it with zeros.
    return {code: to_documented(found.get(code) or {}, BALANCE) for code in codes}


async def _markets_of(kind: type[Any]) -> Any:
    """Return a client whose markets are loaded, one per process: parsing them takes 34 ms and 1.7 MB."""
    # Concurrent reads wait for the first one to load the markets.
    async with _loading.setdefault(asyncio.get_running_loop(), asyncio.Lock()):
        cached = _markets.get(kind)
        if cached is not None and time.monotonic() < cached[0]:
            return cached[1]
        source = await transport.open_client(kind, api_key="", secret="", timeout_ms=10_000)
        await source.load_markets()
        _markets[kind] = (time.monotonic() + MARKETS_FOR_S, source)
        return source


def _ccxt_symbol(client: Any, key: ExchangeKey, symbol: str) -> str:
    """Return ccxt's name of a symbol on the key's market; raise NotFound."""
    for market in client.markets_by_id.get(venue_symbol(symbol), ()):
        if _is_of(market, key.trade_type) and symbol_name(market["id"], quote=market["quoteId"]) == symbol:
            return str(market["symbol"])
    raise NotFound(f"{symbol} does not trade")


def _is_of(market: Mapping[str, Any], trade_type: TradeType) -> bool:
    """Return whether a market of ccxt is one that keys of this type trade: a linear contract of any kind, or a pair."""
    return bool(market["linear"]) if trade_type is TradeType.FUTURES else bool(market["spot"])
