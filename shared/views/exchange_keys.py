"""A user's exchange keys as both APIs list them. Asks no exchange."""

from __future__ import annotations

from typing import TypedDict

from shared.api.answers import Id, Time
from shared.api.fields import TradeTypeName
from shared.api.paging import Listing, Page, listing, load_by_id, query_page
from shared.api.requests import ListQuery
from shared.clock import to_iso
from shared.models.exchange_key import ApiKeyStatus, ExchangeKey, StrategyType, TradeType


class ExchangeKeyQuery(ListQuery):
    """List Exchange Keys: the query."""

    trade_type: TradeTypeName | None = None


class ExchangeKeyItem(TypedDict):
    """List Exchange Keys: one key. There is no secret in it."""

    id: Id
    exchangeId: str
    tradeType: TradeType
    strategyType: StrategyType
    active: bool
    name: str
    apiKeyStatus: ApiKeyStatus
    apiKey: str
    createdAt: Time
    updatedAt: Time


def list_keys(user_id: str, query: ExchangeKeyQuery) -> Listing[ExchangeKeyItem]:
    """Return a page of the user's keys, newest first."""
    page = read_page(user_id, query)
    return listing(map(exchange_key_item, page.records), token=query.token_of(page))


def read_page(user_id: str, query: ExchangeKeyQuery) -> Page[ExchangeKey]:
    """Return the records of a page of the user's keys, newest first."""
    return query_page(
        ExchangeKey.by_user.query,
        user_id,
        load=load_by_id(ExchangeKey, include=lambda key: query.trade_type in {None, key.trade_type.value}),
        limit=query.limit,
        after=query.start,
        newest_first=True,
    )


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
