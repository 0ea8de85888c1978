"""Answers of the endpoints of strategies, as users see them."""

from __future__ import annotations

from typing import TypedDict

from shared.api.answers import Id, Time
from shared.clock import to_iso
from shared.models.strategy import Strategy


class OpenStrategyItem(TypedDict):
    """One strategy that can be followed. There is no key in it."""

    id: Id
    name: str
    description: str | None
    exchangeId: str
    symbol: str
    createdAt: Time
    updatedAt: Time


def strategy_item(strategy: Strategy) -> OpenStrategyItem:
    """Return a strategy as users see it."""
    return {
        "id": strategy.id,
        "name": strategy.name,
        "description": strategy.description,
        "exchangeId": strategy.exchange_id,
        "symbol": strategy.symbol,
        "createdAt": to_iso(strategy.created_at),
        "updatedAt": to_iso(strategy.updated_at),
    }
