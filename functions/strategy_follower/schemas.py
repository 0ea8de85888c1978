"""Requests and answers of the endpoints of a user's own followers."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, ClassVar, Literal, NotRequired, TypedDict

from shared.api.answers import Id, Time
from shared.api.fields import UNCHANGED, FaultMessage, Uuid
from shared.api.requests import Body, Query
from shared.clock import to_iso
from shared.models.exchange_key import ExchangeKey
from shared.models.follower import Follower
from shared.models.risk_profile import RiskProfile
from shared.models.strategy import Strategy
from shared.trading.signal import Content
from shared.trading.sizing import Cap
from shared.views.closings import ClosingItem
from shared.views.follower_settings import SettingsChange, SettingsFields, settings_fields


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


class OwnFollowerItem(SettingsFields, TypedDict):
    """List Own Followers: one follower."""

    id: Id
    active: bool
    endedAt: NotRequired[Time]
    """Since when it only waits for its open position to end, and then goes."""
    StrategyAutomated: FollowedStrategy
    ExchangeKey: FollowingKey
    StrategyRiskProfile: ChosenProfile
    createdAt: Time
    updatedAt: Time


class NewFollower(Body):
    """Follow: the body."""

    answer: ClassVar[type] = OwnFollowerItem

    strategy_id: Uuid
    api_key_id: Uuid
    risk_profile_id: Uuid

    def content(self) -> dict[str, Content]:
        """Return the content that is the same for repeats of one request."""
        return {**self.model_dump()}


class FollowerChange(SettingsChange):
    """Update Follower: the body. What it does not name stays; `null` takes a cap or a limit away."""

    answer: ClassVar[type] = OwnFollowerItem

    risk_profile_id: Uuid = UNCHANGED


class EndQuery(Query):
    """End Following: what becomes of an open position."""

    positions: Annotated[Literal["KEEP", "CLOSE"], FaultMessage("must be KEEP or CLOSE")] = "KEEP"


class EndedFollower(TypedDict):
    """End Following: the follower is gone (ENDED), or goes when its open position has ended (ENDING)."""

    id: Id
    status: Literal["ENDED", "ENDING"]
    items: list[ClosingItem]
    """What is being closed for it."""


class Reason(TypedDict):
    """Why an alert would open nothing."""

    code: str
    msg: str


class AmountAt(TypedDict):
    """What an alert would open at the market's price with the strategy's usual stop."""

    side: str
    orderPrice: Decimal
    stop: Decimal
    amount: Decimal
    """In the base asset."""
    notional: Decimal
    risk: Decimal
    """What the position loses at its stop, fees included, in the quote asset."""
    caps: list[Cap]
    """What makes it smaller than its sizing asks for, the lowest first."""
    atMinimum: bool
    """Whether it is the exchange's minimum, which may lose up to twice the profile's percentage."""


class ReadinessItem(TypedDict):
    """Follower Readiness: what an alert would do now."""

    ready: bool
    reasons: list[Reason]
    amountAt: AmountAt | None
    """None where nothing would be opened, or the strategy has shown no stop yet."""


def follower_item(
    follower: Follower, *, strategy: Strategy | None, key: ExchangeKey | None, profile: RiskProfile | None
) -> OwnFollowerItem:
    """Return a follower as its user sees it."""
    settings = settings_fields(follower)
    item: OwnFollowerItem = {
        "id": follower.id,
        "active": follower.active,
        "mode": settings["mode"],
        "sizing": settings["sizing"],
        "maxNotional": settings["maxNotional"],
        "maxLeverage": settings["maxLeverage"],
        "belowMinimum": settings["belowMinimum"],
        "lossLimit": settings["lossLimit"],
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
    if follower.ended_at is not None:
        item["endedAt"] = to_iso(follower.ended_at)
    return item
