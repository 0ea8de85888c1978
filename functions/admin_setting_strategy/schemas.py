"""Requests and answers of the endpoints of strategies and risk profiles, by their documented names."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, ClassVar, TypedDict

from pydantic import AfterValidator, Field, StringConstraints

from shared.api.alert_json import MAX_BYTES
from shared.api.answers import Id, Time
from shared.api.fields import (
    UNCHANGED,
    AlphabetName,
    ApiKeyText,
    ApiSecretText,
    Description,
    ExchangeId,
    FaultMessage,
    Flag,
    Minutes,
    Name,
    Percentage,
    StopShare,
    Symbol,
    TargetCount,
    TargetWeights,
)
from shared.api.requests import Body
from shared.clock import to_iso
from shared.models.strategy import Strategy
from shared.trading.sides import TriggerAction
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


class RulesItem(TypedDict):
    """A strategy's own rules; null means the default."""

    breakevenAfter: Annotated[
        int | None,
        Field(
            description="The take-profit, from the nearest, after which the stop moves to break-even; null is never."
        ),
    ]
    takeProfitWeights: Annotated[
        list[Decimal] | None,
        Field(description="Percentages for the nearest take-profit, the next, and so on; null is equal parts."),
    ]
    maxChase: Annotated[
        Decimal | None,
        Field(
            description="How far the market may have moved since the alert, as a share of the distance to the stop; "
            "null is the deployment's share."
        ),
    ]
    expectEvery: Annotated[
        int | None,
        Field(description="Minutes in which at least one alert is expected; null is no expectation."),
    ]


class RulesChange(Body):
    """Change the strategy's own rules: the body. What it does not name stays; null is the default."""

    answer: ClassVar[type] = RulesItem

    breakeven_after: TargetCount | None = UNCHANGED
    take_profit_weights: TargetWeights | None = UNCHANGED
    max_chase: StopShare | None = UNCHANGED
    expect_every: Minutes | None = UNCHANGED


class WebhookItem(TypedDict):
    """A strategy's new webhook secret: the secret this once, where to send alerts, and what to send."""

    secret: str
    url: str
    message: str


def _short_enough(text: str) -> str:
    if len(text.encode(errors="surrogatepass")) > MAX_BYTES:
        raise ValueError("more than the webhook takes")
    return text


MessageText = Annotated[
    str,
    StringConstraints(max_length=MAX_BYTES),
    AfterValidator(_short_enough),
    FaultMessage(f"must be text of at most {MAX_BYTES} bytes"),
]


class CheckedField(TypedDict):
    """One field of a message, and what it does; the secret's value is removed."""

    field: str
    value: Any
    effect: str


class AlertCheck(TypedDict):
    """What a message would do if TradingView sent it now, and the strategy's rules that would hold for it."""

    action: TriggerAction
    effect: str
    fields: list[CheckedField]
    rules: RulesItem


class AlertMessage(Body):
    """Check a message: the body. The text is what TradingView would send, with its placeholders filled."""

    answer: ClassVar[type] = AlertCheck

    message: MessageText


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


def rules_item(strategy: Strategy) -> RulesItem:
    """Return a strategy's own rules."""
    weights = strategy.take_profit_weights
    return {
        "breakevenAfter": strategy.breakeven_after,
        "takeProfitWeights": None if weights is None else list(weights),
        "maxChase": strategy.max_chase,
        "expectEvery": strategy.expect_every,
    }


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
