"""Query and answer of the preview of a follower's settings."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal, TypedDict

from pydantic import Field

from functions.strategy_follower.schemas import Reason
from shared.api.answers import Id, Time
from shared.api.fields import FaultMessage, PositiveText, Uuid
from shared.api.requests import Query
from shared.trading.execution import DenialReason, ExecutionState
from shared.trading.sides import Side
from shared.trading.sizing import Cap
from shared.views.follower_settings import Mode, SettingsFields

_Positive = Annotated[PositiveText, FaultMessage("must be greater than 0")]
_Percent = Annotated[Annotated[PositiveText, Field(le=100)], FaultMessage("must be greater than 0 and at most 100")]


class PreviewQuery(Query):
    """Settings to try instead of the stored ones; what is not named is as stored."""

    risk_profile_id: Uuid | None = None
    mode: Mode | None = None
    sizing: Annotated[Literal["RISK", "NOTIONAL", "EQUITY"], FaultMessage("must be supported sizing")] | None = None
    value: _Positive | None = None
    max_notional: _Positive | None = None
    max_leverage: _Positive | None = None
    loss_limit_day: _Percent | None = None
    loss_limit_week: _Percent | None = None


class EquitySource(StrEnum):
    """Where the equity at a past alert is from."""

    EXECUTION = "EXECUTION"
    """The entry of this alert was sized by it."""
    NEAREST_EXECUTION = "NEAREST_EXECUTION"
    """The follower's entry nearest in time was."""
    KEY_BALANCE = "KEY_BALANCE"
    """The latest recorded balance of the key, in USD: the follower has entered nothing yet."""


class RecordedOutcome(TypedDict):
    """What became of the alert on this follower."""

    status: ExecutionState
    reason: str | None
    amount: Decimal | None


class PreviewedAlert(TypedDict):
    """What one alert would have opened. Without an equity on record there is neither an amount nor a denial."""

    triggerId: Id
    createdAt: Time
    side: Side
    orderPrice: Decimal
    stop: Decimal
    equity: Decimal | None
    equityFrom: EquitySource | None
    amount: Decimal | None
    """In the base asset, not rounded to the exchange's step."""
    notional: Decimal | None
    risk: Decimal | None
    """What the position would have lost at its stop, fees included, in the quote asset."""
    caps: list[Cap]
    denied: DenialReason | None
    recorded: RecordedOutcome | None
    """None where the alert did not reach the follower, which may not have existed."""


class PreviewedSettings(SettingsFields, TypedDict):
    """The settings that were tried."""

    riskPercentage: Decimal


class Preview(TypedDict):
    """Preview Settings: the last 30 alerts that open, the latest first."""

    settings: PreviewedSettings
    unknown: list[Reason]
    """What no record says, and what the preview assumes instead."""
    items: list[PreviewedAlert]
