"""Finds exchange keys and their followers for an admin. Knows no HTTP."""

from __future__ import annotations

from functions.admin_exchange.schemas import StrategyFollowItem, follower_item
from shared.api.records import find_record
from shared.errors import NotFound
from shared.models.exchange_key import ExchangeKey
from shared.models.follower import Follower


def find_key(api_key_id: str) -> ExchangeKey:
    """Return the key; raise NotFound."""
    return find_record(ExchangeKey, api_key_id, noun="exchange key")


def get_follower(key: ExchangeKey, symbol: str) -> StrategyFollowItem:
    """Return the key's follower on a symbol: an active one rather than an inactive one, then the newest."""
    found = Follower.by_key.query(key.id, Follower.symbol == symbol)
    followers = Follower.find_many(((one.strategy_id, one.created_key) for one in found), consistent=True).values()
    if not followers:
        raise NotFound(f"exchange key {key.id} follows nothing on {symbol}")
    return follower_item(max(followers, key=lambda one: (one.active, one.created_key)))
