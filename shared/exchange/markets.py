"""The exchange's markets: names, filters, leverage brackets. Cached for an hour per process, for every account."""

from __future__ import annotations

import time
from typing import Any

from shared.errors import NotFound
from shared.exchange import responses, transport
from shared.process_state import on_reset
from shared.trading.brackets import LeverageBracket
from shared.trading.filters import SymbolFilters

CACHE_TTL_S = 3600.0

_filters: dict[str, SymbolFilters] = {}
_trading: set[str] = set()
_filters_until = 0.0
_brackets: dict[str, tuple[float, tuple[LeverageBracket, ...]]] = {}


@on_reset
def forget() -> None:
    """Read filters and brackets again when they are needed."""
    global _filters_until  # noqa: PLW0603 - one cache per process
    _filters.clear()
    _trading.clear()
    _brackets.clear()
    _filters_until = 0.0


def venue_symbol(symbol: str) -> str:
    """Return the exchange's name of a perpetual contract: `BTC/USDT` → `BTCUSDT`."""
    base, _, quote = symbol.partition("/")
    return base + quote


async def symbol_filters(client: Any, symbol: str) -> SymbolFilters:
    """Return the symbol's filters, also while its trading is paused; raise NotFound if it is no perpetual contract."""
    global _filters_until  # noqa: PLW0603 - one cache per process
    if symbol not in _filters or time.monotonic() >= _filters_until:
        answer = await transport.call(client, "fapiPublicGetExchangeInfo", {}, timeout_s=10.0)
        fresh, trading = {}, set[str]()
        for market in answer["symbols"]:
            if market.get("contractType") == "PERPETUAL":
                name = f"{market['baseAsset']}/{market['quoteAsset']}"
                fresh[name] = responses.symbol_filters(market, symbol=name)
                trading |= {name} if market.get("status") == "TRADING" else set()
        _filters.clear()
        _filters.update(fresh)
        _trading.clear()
        _trading.update(trading)
        _filters_until = time.monotonic() + CACHE_TTL_S
    if symbol not in _filters:
        raise NotFound(f"{symbol} is not listed")
    return _filters[symbol]


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


async def is_trading(client: Any, symbol: str) -> bool:
    """Return whether the symbol accepts new orders."""
    try:
        await symbol_filters(client, symbol)
    except NotFound:
        return False
    return symbol in _trading
