"""What a key holds, in dollars: a balance and prices brought together. The rule is trading.valuation's."""

from __future__ import annotations

import time
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from shared.exchange import account_queries
from shared.models.exchange_key import ExchangeKey, TradeType
from shared.observability import logger
from shared.trading.valuation import needs_prices, usd_value

PRICES_FOR_S = 60.0
"""How long a container goes by the prices that it has read: many keys are valued by the same ones."""

_prices: dict[TradeType, tuple[float, dict[str, Decimal]]] = {}


def amounts_of(balance: Mapping[str, Mapping[str, Any]]) -> dict[str, Decimal]:
    """Return what a balance holds of each asset."""
    return {asset: Decimal(amounts["total"]) for asset, amounts in balance.items()}


def worth_of(key: ExchangeKey, held: Mapping[str, Decimal], prices: Mapping[str, Decimal]) -> Decimal:
    """Return what a key holds, in dollars; an asset without a price counts nothing and is logged."""
    worth, unpriced = usd_value(held, prices)
    if unpriced:
        logger.warning("assets_without_price", api_key_id=key.id, assets=unpriced)
    return worth


async def read_worth(key: ExchangeKey, held: Mapping[str, Decimal]) -> Decimal:
    """Return the same by the latest prices; nothing is asked for a key that holds dollars only. Raise ExchangeError."""
    return worth_of(key, held, await latest_prices(key.trade_type) if needs_prices(held) else {})


async def latest_prices(trade_type: TradeType) -> dict[str, Decimal]:
    """Return every price of a kind of account, at most a minute old; raise ExchangeError."""
    kept = _prices.get(trade_type)
    if kept is not None and time.monotonic() < kept[0]:
        return kept[1]
    found = await account_queries.read_prices(trade_type)
    _prices[trade_type] = (time.monotonic() + PRICES_FOR_S, found)
    return found


def forget_prices() -> None:
    """Read them again with the next key."""
    _prices.clear()
