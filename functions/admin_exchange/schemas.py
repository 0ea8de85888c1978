"""Queries and answers of the endpoints of exchange keys that admins alone have."""

from __future__ import annotations

from typing import TypedDict

from shared.api.answers import Id, Time
from shared.api.fields import Symbol
from shared.api.requests import Query
from shared.clock import to_iso
from shared.models.follower import Follower


class FollowerQuery(Query):
    """Get Strategy Follow: the query."""

    symbol: Symbol


class StrategyFollowItem(TypedDict):
    """Get Strategy Follow: the follower."""

    id: Id
    active: bool
    createdAt: Time
    updatedAt: Time


def follower_item(follower: Follower) -> StrategyFollowItem:
    """Return a follower as documented."""
    return {
        "id": follower.id,
        "active": follower.active,
        "createdAt": to_iso(follower.created_at),
        "updatedAt": to_iso(follower.updated_at),
    }
