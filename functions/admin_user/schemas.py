"""What the endpoints of the users' accounts take and answer, by their documented names."""

from __future__ import annotations

from typing import TypedDict

from shared.api.fields import TradeTypeName
from shared.api.requests import ListQuery
from shared.clock import to_iso
from shared.models.exchange_key import ExchangeKey


class ExchangeKeyQuery(ListQuery):
    """List Exchange Keys: the query."""

    trade_type: TradeTypeName | None = None


class ExchangeKeyItem(TypedDict):
    """List Exchange Keys: one key. There is no secret in it."""

    id: str
    exchangeId: str
    tradeType: str
    strategyType: str
    active: bool
    name: str
    apiKeyStatus: str
    apiKey: str
    createdAt: str
    updatedAt: str


def exchange_key_item(key: ExchangeKey) -> ExchangeKeyItem:
    """Return a key as documented."""
    return {
        "id": key.id,
        "exchangeId": key.exchange_id,
        "tradeType": key.trade_type,
        "strategyType": key.strategy_type,
        "active": key.active,
        "name": key.name,
        "apiKeyStatus": key.api_key_status,
        "apiKey": key.api_key,
        "createdAt": to_iso(key.created_at),
        "updatedAt": to_iso(key.updated_at),
    }
