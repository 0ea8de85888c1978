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
from shared.trading.valuation import needs_prices, usd_value

PRICES_FOR_S = 60.0
"""How long a container uses the prices that it has read: many keys are valued by the same ones."""

_prices: dict[TradeType, tuple[float, dict[str, Decimal]]] = {}


def amounts_of(balance: Mapping[str, Mapping[str, Any]]) -> dict[str, Decimal]:
    """Return the total of each asset in a balance."""
    return {asset: Decimal(amounts["total"]) for asset, amounts in balance.items()}


def usd_value_of(key: ExchangeKey, held: Mapping[str, Decimal], prices: Mapping[str, Decimal]) -> Decimal:
    """Return the value of a key's assets in US dollars; an asset without a price counts 0 and is logged."""
    value, unpriced = usd_value(held, prices)
    if unpriced:
        logger.warning("assets_without_price", api_key_id=key.id, assets=unpriced)
    return value


async def read_usd_value(key: ExchangeKey, held: Mapping[str, Decimal]) -> Decimal:
    """Return the value by the latest prices, read only if there is more than dollars; raise ExchangeError."""
    return usd_value_of(key, held, await latest_prices(key.trade_type) if needs_prices(held) else {})


async def latest_prices(trade_type: TradeType) -> dict[str, Decimal]:
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
