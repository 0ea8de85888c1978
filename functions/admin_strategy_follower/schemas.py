"""What the endpoints of strategies' followers answer, by their documented names."""

from __future__ import annotations

from decimal import Decimal
from typing import TypedDict


class UserProfile(TypedDict):
    """A user's name; "" where none was given."""

    firstName: str
    lastName: str


class SubscriptionType(TypedDict):
    """A user's plan."""

    id: str
    name: str
    private: bool


class UserSubscription(TypedDict):
    """A user's subscription."""

    SubscriptionType: SubscriptionType


class FollowerUser(TypedDict):
    """The user behind an exchange key."""

    id: str
    UserProfile: UserProfile
    UserSubscription: UserSubscription | None


class ExchangeKeyBalance(TypedDict):
    """The latest recorded total of an exchange key."""

    totalUSD: Decimal
    updatedAt: str


class FollowerExchangeKey(TypedDict):
    """The key that a follower trades with."""

    id: str
    active: bool
    User: FollowerUser
    ExchangeKeyBalance: ExchangeKeyBalance | None


class StrategyRiskProfile(TypedDict):
    """The risk profile that a follower chose."""

    id: str
    name: str


class StrategyAutomatedFollowPerformance(TypedDict):
    """What a follower has won or lost so far."""

    id: str
    totalProfit: Decimal
    closedBalance: Decimal | None
    updatedAt: str


class FollowerItem(TypedDict):
    """List Followers: one follower."""

    id: str
    ExchangeKey: FollowerExchangeKey
    StrategyRiskProfile: StrategyRiskProfile | None
    StrategyAutomatedFollowPerformance: StrategyAutomatedFollowPerformance | None


class ClosingItem(TypedDict):
    """Close Order, Close All Orders: one execution whose position is being closed."""

    id: str
    strategyFollowId: str
    status: str
