"""Values what an exchange key holds in US dollars, by the latest prices. The rule is in `trading.valuation`."""

from __future__ import annotations

import time
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from shared.exchange import account_queries
from shared.models.exchange_key import ExchangeKey, TradeType
from shared.observability import logger
from shared.process_state import on_reset
from shared.trading.valuation import UsdValue, unpriced_assets, usd_value

PRICES_FOR_S = 60.0
"""How long a container uses the prices that it has read: many keys are valued by the same ones."""

Amounts = Mapping[str, Decimal]
Prices = dict[str, Decimal]

_prices: dict[TradeType, tuple[float, Prices]] = {}


def amounts_of(balance: Mapping[str, Mapping[str, Any]]) -> dict[str, Decimal]:
    """Return the total of each asset in a balance."""
    return {asset: Decimal(amounts["total"]) for asset, amounts in balance.items()}


def usd_value_of(key: ExchangeKey, held: Amounts, prices: Mapping[str, Decimal]) -> UsdValue:
    """Return the value of a key's assets in US dollars; an asset without a price is named, and logged."""
    value = usd_value(held, prices)
    if value.unpriced:
        logger.warning("assets_without_price", api_key_id=key.id, assets=value.unpriced)
    return value


async def read_usd_value(key: ExchangeKey, held: Amounts) -> UsdValue:
    """Return the value by the latest prices, read only where they are needed; raise ExchangeError."""
    return usd_value_of(key, held, await prices_for(held, key.trade_type))


async def prices_for(held: Amounts, trade_type: TradeType) -> Prices:
    """Return prices for these assets, at most a minute old; raise ExchangeError.

    The account's own market comes first. The other market is read if assets are left that the first does not trade.
    """
    prices: Prices = {}
    for market in markets_by_rank(trade_type):
        if not unpriced_assets(held, prices):
            break
        prices = await latest_prices(market) | prices
    return prices


def markets_by_rank(trade_type: TradeType) -> tuple[TradeType, ...]:
    """Return every market, the one that an account of this type trades on first."""
    return (trade_type, *(other for other in TradeType if other is not trade_type))


async def latest_prices(trade_type: TradeType) -> Prices:
    """Return every price of a market, at most a minute old; raise ExchangeError."""
    cached = _prices.get(trade_type)
    if cached is not None and time.monotonic() < cached[0]:
        return cached[1]
    found = await account_queries.read_prices(trade_type)
    _prices[trade_type] = (time.monotonic() + PRICES_FOR_S, found)
    return found


@on_reset
def forget_prices() -> None:
    """Read them again with the next key."""
    _prices.clear()
