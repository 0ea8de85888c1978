"""Calculates the value of a balance in US dollars from given prices. Reads nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

DOLLARS = frozenset({"USD", "USDT", "USDC", "BUSD", "FDUSD", "TUSD", "USDP", "DAI", "USD1", "BFUSD", "BNFCR", "RWUSD"})
"""Assets that count as one dollar each: stable coins, and what the exchange itself exchanges at one for one."""

_QUOTES = ("USDT", "USDC", "FDUSD", "BUSD", "TUSD")
_BRIDGES = ("BTC", "BNB", "ETH")
"""Assets through which an asset is priced that trades against no dollar asset."""

_LENT = "LD"
"""The exchange names what it has on loan from an account so: `LDBTC` is one BTC each, due on demand."""

_ONE = Decimal(1)


@dataclass(frozen=True, slots=True)
class UsdValue:
    """What a balance is worth in US dollars, and the assets that are not in the total, because they have no price."""

    total: Decimal
    unpriced: tuple[str, ...] = ()


def usd_price(asset: str, prices: Mapping[str, Decimal]) -> Decimal | None:
    """Return an asset's price in dollars, directly or through a bridge, from prices by symbol (BASE/QUOTE), or None.

    An asset on loan to the exchange has the price of the asset itself.
    """
    found = _traded_price(asset, prices)
    lent = asset.removeprefix(_LENT)
    # `LDO` is an asset of its own: only a name without a price is read as a loan.
    return found if found is not None or lent == asset else _traded_price(lent, prices)


def _traded_price(asset: str, prices: Mapping[str, Decimal]) -> Decimal | None:
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


def unpriced_assets(amounts: Mapping[str, Decimal], prices: Mapping[str, Decimal]) -> tuple[str, ...]:
    """Return the assets of a balance that have no price."""
    return usd_value(amounts, prices).unpriced


def usd_value(amounts: Mapping[str, Decimal], prices: Mapping[str, Decimal]) -> UsdValue:
    """Return the amounts' total value, in which assets without a price count 0."""
    total, unpriced = Decimal(0), []
    for asset, amount in amounts.items():
        if not amount:
            continue
        price = usd_price(asset, prices)
        if price is None:
            unpriced.append(asset)
        else:
            total += amount * price
    return UsdValue(total, tuple(unpriced))


def _in_dollars(asset: str, prices: Mapping[str, Decimal]) -> Decimal | None:
    return next((price for quote in _QUOTES if (price := _price(asset, quote, prices)) is not None), None)


def _price(base: str, quote: str, prices: Mapping[str, Decimal]) -> Decimal | None:
    direct = prices.get(f"{base}/{quote}")
    if direct:
        return direct
    inverse = prices.get(f"{quote}/{base}")
    return _ONE / inverse if inverse else None
