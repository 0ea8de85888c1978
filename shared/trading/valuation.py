"""Calculates the value of a balance in US dollars from given prices. Reads nothing."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

DOLLARS = frozenset({"USD", "USDT", "USDC", "BUSD", "FDUSD", "TUSD", "USDP", "DAI", "USD1", "BFUSD"})
"""Assets that count as one dollar each."""

_QUOTES = ("USDT", "USDC", "FDUSD", "BUSD", "TUSD")
_BRIDGES = ("BTC", "BNB", "ETH")
"""Assets through which an asset is priced that trades against no dollar asset."""

_ONE = Decimal(1)


def needs_prices(amounts: Mapping[str, Decimal]) -> bool:
    """Return whether the balance contains anything but dollar assets."""
    return any(amount and asset not in DOLLARS for asset, amount in amounts.items())


def usd_price(asset: str, prices: Mapping[str, Decimal]) -> Decimal | None:
    """Return an asset's price in dollars, directly or through a bridge, from prices by symbol (BASE/QUOTE), or None."""
    if asset in DOLLARS:
        return _ONE
    direct = _in_dollars(asset, prices)
    if direct is not None:
        return direct
    for bridge in _BRIDGES:
        in_bridge, in_dollars = _price(asset, bridge, prices), _in_dollars(bridge, prices)
        if in_bridge is not None and in_dollars is not None:
            return in_bridge * in_dollars
    return None


def usd_value(amounts: Mapping[str, Decimal], prices: Mapping[str, Decimal]) -> tuple[Decimal, list[str]]:
    """Return the amounts' total value, and the assets without a price, which count 0."""
    total, unpriced = Decimal(0), []
    for asset, amount in amounts.items():
        if not amount:
            continue
        price = usd_price(asset, prices)
        if price is None:
            unpriced.append(asset)
        else:
            total += amount * price
    return total, unpriced


def _in_dollars(asset: str, prices: Mapping[str, Decimal]) -> Decimal | None:
    return next((price for quote in _QUOTES if (price := _price(asset, quote, prices)) is not None), None)


def _price(base: str, quote: str, prices: Mapping[str, Decimal]) -> Decimal | None:
    direct = prices.get(f"{base}/{quote}")
    if direct:
        return direct
    inverse = prices.get(f"{quote}/{base}")
    return _ONE / inverse if inverse else None
