"""Requests and answers of the endpoints of strategies' followers, by their documented names."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, ClassVar, Final, Literal, NotRequired, TypedDict

from pydantic import ConfigDict, Field, WithJsonSchema

from shared.api.answers import Id, Time
from shared.api.fields import FaultMessage, Flag, ListFaultMessage, OrderType, Price, TradeSide, Uuid, in_any_case
from shared.api.requests import Body
from shared.trading.ids import TAKE_PROFIT_LEGS
from shared.trading.sides import TriggerAction
from shared.trading.signal import Content
from shared.trading.stop_moves import MOST_TARGETS
from shared.views.follower_settings import SettingsChange, SettingsFields

_MOST_TAKE_PROFITS: Final = len(TAKE_PROFIT_LEGS)
_MOST_FOLLOWERS: Final = 500

WRONG_TYPE: Final = "must be reduce or update"


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


class QueuedExit(TypedDict):
    """New Orders: the answer to a reduction or an update."""

    triggerId: Id
    """Its timeline shows what has become of it for each follower."""
    items: list[QueuedItem]
    """None if it is for all followers: the fan-out finds out who they are."""


FollowIds = Annotated[
    list[Uuid],
    Field(max_length=_MOST_FOLLOWERS, default_factory=list),
    ListFaultMessage(f"must be list of at most {_MOST_FOLLOWERS} strategy follower IDs"),
]

_NUMBER: Final = {"type": "number", "exclusiveMinimum": 0}

ExitPrice = Annotated[Any, WithJsonSchema(_NUMBER), FaultMessage("must be greater than 0")]


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
    strategy_follow_ids: FollowIds

    def content(self) -> dict[str, Content]:
        """Return the content that is the same for repeats of one request."""
        return {**self.model_dump()}


class ExitOrder(Body):
    """Whom an exit is for. What it asks for is read as an alert's: the types of those fields only describe them."""

    answer: ClassVar[type] = QueuedExit

    strategy_follow_ids: FollowIds
    all_followers: Flag = False


class ReduceOrder(ExitOrder):
    """New Orders: the body of a reduction to `keep` percent of the entry's amount.

    It is for the follower and those listed, or for all of the strategy.
    """

    model_config = ConfigDict(json_schema_extra={"required": ["type", "keep"]})

    type: Annotated[Any, in_any_case([TriggerAction.REDUCE]), FaultMessage(WRONG_TYPE)] = None
    keep: Annotated[
        Any,
        WithJsonSchema({**_NUMBER, "exclusiveMaximum": 100}),
        FaultMessage("must be greater than 0 and less than 100"),
    ] = None


class UpdateOrder(ExitOrder):
    """New Orders: the body of an update of stop and take-profits, at least one of which is needed.

    It is for the follower and those listed, or for all of the strategy. New take-profits take the place of all others.
    """

    model_config = ConfigDict(json_schema_extra={"required": ["type"]})

    type: Annotated[Any, in_any_case([TriggerAction.UPDATE]), FaultMessage(WRONG_TYPE)] = None
    stop: Annotated[
        Any,
        WithJsonSchema({"anyOf": [_NUMBER, in_any_case(["breakeven"]).json_schema]}),
        FaultMessage("must be greater than 0 or breakeven"),
    ] = None
    take_profit: ExitPrice = None
    take_profit1: ExitPrice = None
    take_profit2: ExitPrice = None
    take_profit3: ExitPrice = None
    take_profit_price1: ExitPrice = None
    take_profit_price2: ExitPrice = None
    take_profit_price3: ExitPrice = None
    breakeven_after: Annotated[
        Any,
        WithJsonSchema({"type": "integer", "minimum": 1, "maximum": MOST_TARGETS}),
        FaultMessage(f"must be integer from 1 to {MOST_TARGETS}"),
    ] = None
