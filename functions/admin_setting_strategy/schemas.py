"""Requests and answers of the endpoints of strategies and risk profiles, by their documented names."""

from __future__ import annotations

from typing import ClassVar, TypedDict

from shared.api.answers import Id, Time
from shared.api.fields import (
    UNCHANGED,
    AlphabetName,
    ApiKeyText,
    ApiSecretText,
    Description,
    ExchangeId,
    Flag,
    Name,
    Percentage,
    Symbol,
)
from shared.api.requests import Body
from shared.clock import to_iso
from shared.models.strategy import Strategy
from shared.views.risk_profiles import RiskProfileItem


class StrategyItem(TypedDict):
    """One strategy. There is no secret in it."""

    id: Id
    active: bool
    name: str
    description: str | None
    exchangeId: str
    symbol: str
    reportExchangeApiKey: str
    createdAt: Time
    updatedAt: Time


class NewStrategy(Body):
    """Create Strategy Automated: the body."""

    answer: ClassVar[type] = StrategyItem

    active: Flag = True
    name: Name
    description: Description = None
    exchange_id: ExchangeId
    symbol: Symbol
    report_exchange_api_key: ApiKeyText
    report_exchange_api_secret_key: ApiSecretText


class StrategyChange(Body):
    """Update Strategy Automated: the body. What it does not name stays."""

    answer: ClassVar[type] = StrategyItem

    active: Flag = UNCHANGED
    name: Name = UNCHANGED
    description: Description = UNCHANGED


class ReportKeyChange(Body):
    """Replace the report key: the body. Both parts belong together."""

    answer: ClassVar[type] = StrategyItem

    report_exchange_api_key: ApiKeyText
    report_exchange_api_secret_key: ApiSecretText


class WebhookItem(TypedDict):
    """A strategy's new webhook secret: the secret this once, where to send alerts, and what to send."""

    secret: str
    url: str
    message: str


class RiskProfileChange(Body):
    """Update Strategy Risk Profile: the body. The documentation's table and its example name the field differently."""

    answer: ClassVar[type] = RiskProfileItem
    other_names: ClassVar[dict[str, str]] = {"percent": "percentage"}

    percentage: Percentage


class NewRiskProfile(Body):
    """Create Strategy Risk Profile: the body."""

    answer: ClassVar[type] = RiskProfileItem
    other_names: ClassVar[dict[str, str]] = RiskProfileChange.other_names

    name: AlphabetName
    percentage: Percentage


def strategy_item(strategy: Strategy) -> StrategyItem:
    """Return a strategy as documented."""
    return {
        "id": strategy.id,
        "active": strategy.active,
        "name": strategy.name,
        "description": strategy.description,
        "exchangeId": strategy.exchange_id,
        "symbol": strategy.symbol,
        "reportExchangeApiKey": strategy.report_api_key,
        "createdAt": to_iso(strategy.created_at),
        "updatedAt": to_iso(strategy.updated_at),
    }
