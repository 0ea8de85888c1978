"""A follower's settings as both APIs show and change them. They hold from the next alert on."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Final, Literal, NotRequired, Self, TypedDict

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pynamodb.expressions.update import Action

from shared.api.fields import UNCHANGED, FaultMessage, Positive
from shared.api.requests import Body
from shared.clock import utc_now
from shared.errors import NotFound, ServiceUnavailable
from shared.models.base import conditional_write
from shared.models.follower import Follower, FollowerMode
from shared.trading.entry_settings import PROFILE_ALONE, BelowMinimum, EntrySettings, LossLimit, SizingType

_ATTEMPTS: Final = 5
_MOST_LEVERAGE: Final = 125
_MOST_PERCENT_OF_EQUITY: Final = 1000


class _Choice(BaseModel):
    """One form of a setting; a field that it does not have is a fault."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class RiskSizing(_Choice):
    """By the profile: what the position may lose at its stop."""

    type: Literal["RISK"]


class NotionalSizing(_Choice):
    """A fixed amount of the quote asset."""

    type: Literal["NOTIONAL"]
    value: Positive


class EquitySizing(_Choice):
    """A notional of so many percent of equity."""

    type: Literal["EQUITY"]
    percentage: Annotated[Positive, Field(le=_MOST_PERCENT_OF_EQUITY)]


class NewLossLimit(_Choice):
    """When the follower opens nothing more: at so many percent lost in 24 hours, or in 7 days."""

    day: Annotated[Positive, Field(le=100)] | None = None
    week: Annotated[Positive, Field(le=100)] | None = None
    close: Annotated[bool, Field(strict=True)] = False

    @model_validator(mode="after")
    def _names_a_window(self) -> Self:
        if self.day is None and self.week is None:
            raise ValueError("neither day nor week")
        return self

    def limit(self) -> LossLimit:
        """Return the limit."""
        return LossLimit(day_pct=self.day, week_pct=self.week, close=self.close)


SizingChoice = Annotated[
    Annotated[RiskSizing | NotionalSizing | EquitySizing, Field(discriminator="type")],
    FaultMessage(
        'must be {"type": "RISK"}, {"type": "NOTIONAL", "value": more than 0} or '
        f'{{"type": "EQUITY", "percentage": more than 0 and at most {_MOST_PERCENT_OF_EQUITY}}}'
    ),
]
Mode = Annotated[Literal["ACTIVE", "EXITS_ONLY"], FaultMessage("must be supported mode")]
MaxNotional = Annotated[Positive | None, FaultMessage("must be null or greater than 0")]
MaxLeverage = Annotated[
    Annotated[Positive, Field(le=_MOST_LEVERAGE)] | None,
    FaultMessage(f"must be null or greater than 0 and at most {_MOST_LEVERAGE}"),
]
LossLimitChoice = Annotated[
    NewLossLimit | None,
    FaultMessage(
        'must be null or {"day": percent, "week": percent, "close": boolean} with day, week or both, '
        "more than 0 and at most 100"
    ),
]
BelowMinimumChoice = Annotated[Literal["SKIP", "MINIMUM"], FaultMessage("must be SKIP or MINIMUM")]


class SettingsChange(Body):
    """A change of a follower's settings. What it does not name stays; `null` takes a cap or a limit away."""

    mode: Mode = UNCHANGED
    sizing: SizingChoice = UNCHANGED
    max_notional: MaxNotional = None
    max_leverage: MaxLeverage = None
    below_minimum: BelowMinimumChoice = UNCHANGED
    loss_limit: LossLimitChoice = None

    def applied_to(self, settings: EntrySettings) -> EntrySettings:
        """Return the settings with what the request changes."""
        named = self.model_fields_set
        sizing, value = settings.sizing, settings.value
        match self.sizing:
            case RiskSizing():
                sizing, value = SizingType.RISK, None
            case NotionalSizing(value=amount):
                sizing, value = SizingType.NOTIONAL, amount
            case EquitySizing(percentage=percentage):
                sizing, value = SizingType.EQUITY, percentage
        loss_limit = settings.loss_limit
        if "loss_limit" in named:
            loss_limit = self.loss_limit.limit() if self.loss_limit is not None else None
        return EntrySettings(
            sizing=sizing,
            value=value,
            max_notional=self.max_notional if "max_notional" in named else settings.max_notional,
            max_leverage=self.max_leverage if "max_leverage" in named else settings.max_leverage,
            below_minimum=BelowMinimum(self.below_minimum) if self.below_minimum else settings.below_minimum,
            loss_limit=loss_limit,
        )


class Sizing(TypedDict):
    """What an entry's amount is calculated from."""

    type: SizingType
    value: NotRequired[Decimal]
    """With NOTIONAL, in the quote asset."""
    percentage: NotRequired[Decimal]
    """With EQUITY, of equity."""


class ChosenLossLimit(TypedDict):
    """In percent of the wallet at the window's beginning; None for a window without a limit."""

    day: Decimal | None
    week: Decimal | None
    close: bool
    """Whether the open position is closed when the limit is reached."""


class SettingsFields(TypedDict):
    """A follower's settings."""

    mode: FollowerMode
    sizing: Sizing
    maxNotional: Decimal | None
    maxLeverage: Decimal | None
    belowMinimum: BelowMinimum
    """With MINIMUM an entry may lose up to twice the profile's percentage at its stop."""
    lossLimit: ChosenLossLimit | None


def settings_fields(follower: Follower) -> SettingsFields:
    """Return a follower's settings as they are answered."""
    chosen = follower.chosen
    sizing: Sizing = {"type": chosen.sizing}
    if chosen.value is not None:
        sizing["percentage" if chosen.sizing is SizingType.EQUITY else "value"] = chosen.value
    limit = chosen.loss_limit
    loss_limit: ChosenLossLimit | None = None
    if limit is not None:
        loss_limit = {"day": limit.day_pct, "week": limit.week_pct, "close": limit.close}
    return {
        "mode": follower.mode,
        "sizing": sizing,
        "maxNotional": chosen.max_notional,
        "maxLeverage": chosen.max_leverage,
        "belowMinimum": chosen.below_minimum,
        "lossLimit": loss_limit,
    }


def store_settings(follower: Follower, body: SettingsChange, *, also: tuple[Action, ...] = ()) -> None:
    """Change a follower's settings, and `also` what else of the record; raise NotFound if it has ended.

    Of two changes at once of different settings, both count.
    """
    for _ in range(_ATTEMPTS):
        settings = body.applied_to(follower.chosen)
        actions: list[Any] = [Follower.updated_at.set(utc_now()), *also]
        if body.mode is not None:
            actions.append(Follower.mode.set(FollowerMode(body.mode)))
        unchanged = Follower.id.exists()
        if settings != follower.chosen:
            if follower.entry_settings is None:
                unchanged &= Follower.entry_settings.does_not_exist()
            else:
                unchanged &= Follower.entry_settings == follower.entry_settings
            attribute = Follower.entry_settings
            actions.append(attribute.remove() if settings == PROFILE_ALONE else attribute.set(settings))
        with conditional_write() as write:
            follower.update(actions=actions, condition=unchanged)
        if write.applied:
            return
        found = Follower.find(follower.strategy_id, follower.created_key)
        if found is None:
            raise NotFound(f"follower {follower.id} has ended")
        follower.entry_settings = found.entry_settings
    raise ServiceUnavailable("the follower is changing too fast, please repeat the request")
