"""The names of symbols: `BTC/USDT` for a pair or a perpetual contract, `BTC/USDT-261225` for a dated contract.

A name is made of the exchange's own name and its quote asset alone, and gives both back, so that orders need no list of
markets. No alphabet is assumed: the exchange lists `币安人生/USDT` as well.
"""

from __future__ import annotations

_KNOWN_QUOTES = ("USDT", "USDC", "FDUSD", "BUSD", "USD1", "BTC", "ETH", "BNB")
"""Quote assets of symbols that the exchange lists no more, so that their name alone has to tell."""


def symbol_name(venue_symbol: str, *, quote: str) -> str | None:
    """Return our name of a symbol by the exchange's; None if that does not consist of base, quote and date.

    `BTCUSDT` → `BTC/USDT`, `BTCUSDT_261225` → `BTC/USDT-261225`.
    """
    pair, separator, date = venue_symbol, "", ""
    if quote and not pair.endswith(quote):
        pair, separator, date = venue_symbol.rpartition("_")
    base = pair.removesuffix(quote)
    if not quote or not base or base == pair or (separator and not date):
        return None
    return f"{base}/{quote}-{date}" if date else f"{base}/{quote}"


def unlisted_symbol_name(venue_symbol: str) -> str:
    """Return our name of a symbol that is not listed, by the quote assets that are common; else the exchange's name."""
    names = (symbol_name(venue_symbol, quote=quote) for quote in _KNOWN_QUOTES)
    return next((name for name in names if name is not None), venue_symbol)


def venue_symbol(symbol: str) -> str:
    """Return the exchange's name of a symbol: `BTC/USDT-261225` → `BTCUSDT_261225`."""
    base, _, rest = symbol.partition("/")
    quote, separator, date = rest.partition("-")
    return f"{base}{quote}_{date}" if separator else base + quote


def assets_of(symbol: str) -> tuple[str, str]:
    """Return the base and the quote asset of a symbol; a linear contract's margin and profit are in the quote asset."""
    base, _, rest = symbol.partition("/")
    return base, rest.partition("-")[0]
