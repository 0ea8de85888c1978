"""Requests and answers of the endpoints of a user's own followers."""

from __future__ import annotations

from typing import TypedDict

from shared.api.answers import Id, Time
from shared.clock import to_iso
from shared.models.exchange_key import ExchangeKey
from shared.models.follower import Follower
from shared.models.risk_profile import RiskProfile
from shared.models.strategy import Strategy


class FollowedStrategy(TypedDict):
    """The strategy that a follower follows; "" where its record is gone."""

    id: Id
    name: str
    symbol: str


class FollowingKey(TypedDict):
    """The exchange key that a follower trades with; "" where its record is gone."""

    id: Id
    name: str


class ChosenProfile(TypedDict):
    """The risk profile that a follower has chosen; "" where its record is gone."""

    id: Id
    name: str


class OwnFollowerItem(TypedDict):
    """List Own Followers: one follower."""

    id: Id
    active: bool
    StrategyAutomated: FollowedStrategy
    ExchangeKey: FollowingKey
    StrategyRiskProfile: ChosenProfile
    createdAt: Time
    updatedAt: Time


def follower_item(
    follower: Follower, *, strategy: Strategy | None, key: ExchangeKey | None, profile: RiskProfile | None
) -> OwnFollowerItem:
    """Return a follower as its user sees it."""
    return {
        "id": follower.id,
        "active": follower.active,
        "StrategyAutomated": {
            "id": follower.strategy_id,
            "name": strategy.name if strategy else "",
            "symbol": follower.symbol,
        },
        "ExchangeKey": {"id": follower.api_key_id, "name": key.name if key else ""},
        "StrategyRiskProfile": {"id": follower.risk_profile_id, "name": profile.name if profile else ""},
        "createdAt": to_iso(follower.created_at),
        "updatedAt": to_iso(follower.updated_at),
    }
