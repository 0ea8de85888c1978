"""Requests and answers of the endpoints of strategies' followers, by their documented names."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, ClassVar, Final, Literal, NotRequired, TypedDict

from pydantic import Field

from shared.api.answers import Id, Time
from shared.api.fields import ListFaultMessage, OrderType, Price, TradeSide, Uuid
from shared.api.requests import Body
from shared.trading.ids import TAKE_PROFIT_LEGS
from shared.trading.signal import Content
from shared.views.follower_settings import SettingsChange, SettingsFields

_MOST_TAKE_PROFITS: Final = len(TAKE_PROFIT_LEGS)
_MOST_FOLLOWERS: Final = 500


class UserProfile(TypedDict):
    """A user's name; "" where none was given."""

    firstName: str
    lastName: str


class SubscriptionType(TypedDict):
    """A user's plan."""

    id: Id
    name: str
    private: bool


class UserSubscription(TypedDict):
    """A user's subscription."""

    SubscriptionType: SubscriptionType


class FollowerUser(TypedDict):
    """The user behind an exchange key."""

    id: Id
    UserProfile: UserProfile
    UserSubscription: UserSubscription | None


class ExchangeKeyBalance(TypedDict):
    """The latest recorded total of an exchange key."""

    totalUSD: Decimal
    updatedAt: Time
    unpriced: NotRequired[list[str]]
    """The assets that are not in the total, because no market had a price for them."""


class FollowerExchangeKey(TypedDict):
    """The key that a follower trades with."""

    id: Id
    active: bool
    User: FollowerUser
    ExchangeKeyBalance: ExchangeKeyBalance | None


class StrategyRiskProfile(TypedDict):
    """The risk profile that a follower chose."""

    id: Id
    name: str


class StrategyAutomatedFollowPerformance(TypedDict):
    """What a follower has won or lost so far."""

    id: Id
    totalProfit: Decimal
    closedBalance: Decimal | None
    updatedAt: Time


class FollowerItem(TypedDict):
    """List Followers: one follower."""

    id: Id
    ExchangeKey: FollowerExchangeKey
    StrategyRiskProfile: StrategyRiskProfile | None
    StrategyAutomatedFollowPerformance: StrategyAutomatedFollowPerformance | None


class FollowerSettings(SettingsFields, TypedDict):
    """Follower Settings: what the user, or an admin, has chosen for a follower."""

    id: Id
    updatedAt: Time


class NewSettings(SettingsChange):
    """Update Follower Settings: the body. What it does not name stays; `null` takes a cap or a limit away."""

    answer: ClassVar[type] = FollowerSettings


class QueuedItem(TypedDict):
    """New Orders: one execution that waits for its turn."""

    id: Id
    strategyFollowId: Id
    status: Literal["QUEUED"]


class QueuedItems(TypedDict):
    """New Orders: the answer."""

    items: list[QueuedItem]


class NewOrders(Body):
    """New Orders: the body."""

    answer: ClassVar[type] = QueuedItems

    side: TradeSide
    stop_type: OrderType
    stop_price: Price
    take_profit_prices: Annotated[
        list[Price],
        Field(min_length=1, max_length=_MOST_TAKE_PROFITS),
        ListFaultMessage(f"must include at least one takeProfit, at most {_MOST_TAKE_PROFITS}"),
    ]
    strategy_follow_ids: Annotated[
        list[Uuid],
        Field(max_length=_MOST_FOLLOWERS, default_factory=list),
        ListFaultMessage(f"must be list of at most {_MOST_FOLLOWERS} strategy follower IDs"),
    ]

    def content(self) -> dict[str, Content]:
        """Return the content that is the same for repeats of one request."""
        return {**self.model_dump()}
