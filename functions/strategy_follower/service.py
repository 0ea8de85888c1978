"""Reads a user's own followers. Knows no HTTP."""

from __future__ import annotations

from functions.strategy_follower.schemas import OwnFollowerItem, follower_item
from shared.api.paging import Listing, listing, query_page
from shared.api.requests import ListQuery
from shared.models.exchange_key import ExchangeKey
from shared.models.follower import Follower
from shared.models.risk_profile import RiskProfile
from shared.models.strategy import Strategy


def list_followers(user_id: str, query: ListQuery) -> Listing[OwnFollowerItem]:
    """Return a page of the user's followers with their strategies, keys and risk profiles, newest first."""
    page = query_page(
        Follower.by_user.query, user_id, load=_load, limit=query.limit, after=query.start, newest_first=True
    )
    followers = page.records
    strategies = Strategy.find_many(one.strategy_id for one in followers)
    keys = ExchangeKey.find_many(one.api_key_id for one in followers)
    profiles = RiskProfile.find_many(one.risk_profile_id for one in followers)
    items = (
        follower_item(
            one,
            strategy=strategies.get(one.strategy_id),
            key=keys.get(one.api_key_id),
            profile=profiles.get(one.risk_profile_id),
        )
        for one in followers
    )
    return listing(items, token=query.token_of(page))


def _load(found: list[Follower]) -> list[Follower | None]:
    ids = [(one.strategy_id, one.created_key) for one in found]
    records = Follower.find_many(ids)
    return [records.get(one) for one in ids]
