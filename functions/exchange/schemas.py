"""Requests and answers of the endpoints that change a user's own exchange keys."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar, Literal, NotRequired, TypedDict

from shared.api.answers import Id, Time
from shared.api.fields import (
    UNCHANGED,
    ApiKeyText,
    ApiSecretText,
    ExchangeId,
    Flag,
    Name,
    StrategyTypeName,
    TradeTypeName,
)
from shared.api.requests import Body
from shared.trading.signal import Content
from shared.views.exchange_keys import ExchangeKeyItem


class NewKey(Body):
    """Connect Exchange Key: the body."""

    answer: ClassVar[type] = ExchangeKeyItem

    exchange_id: ExchangeId
    trade_type: TradeTypeName
    strategy_type: StrategyTypeName
    name: Name
    api_key: ApiKeyText
    api_secret_key: ApiSecretText

    def content(self) -> dict[str, Content]:
        """Return the content that is the same for repeats of one request."""
        return {**self.model_dump()}


class KeyChange(Body):
    """Update Exchange Key: the body. What it does not name stays; an API key comes with its secret."""

    answer: ClassVar[type] = ExchangeKeyItem

    name: Name = UNCHANGED
    api_key: ApiKeyText = UNCHANGED
    api_secret_key: ApiSecretText = UNCHANGED
    active: Flag = UNCHANGED


class Finding(TypedDict):
    """One thing that keeps a key from trading, or deserves a warning, and what to change."""

    code: str
    msg: str


class InspectionItem(TypedDict):
    """Inspect Exchange Key: what the exchange says of the key now."""

    id: Id
    ready: bool
    reasons: list[Finding]
    warnings: list[Finding]
    checkedAt: Time


class DeletedKey(TypedDict):
    """Delete Exchange Key: the key that is gone, with its secret."""

    id: Id
    deleted: Literal[True]


class ProfileEquity(TypedDict):
    """The least equity of an account that follows a strategy with a risk profile."""

    id: Id
    name: str
    percentage: Decimal
    leastEquity: Decimal | None
    """In the quote asset. None where the strategy has shown no stop yet, or the exchange does not list its symbol."""


class StrategyRequirement(TypedDict):
    """What a strategy's usual stop asks of an account."""

    id: Id
    name: str
    symbol: str
    stopPercentage: Decimal | None
    """The usual distance of its stop, in percent of the entry's price; None where it has shown none yet."""
    StrategyRiskProfiles: list[ProfileEquity]


class Requirement(TypedDict):
    """Key Requirement: what a key must have, and must not, to be connected; and a page of strategies."""

    exchangeId: str
    requirements: list[Finding]
    """Each with the code by which a key that lacks it is refused."""
    addresses: list[str]
    """The addresses that the key must be restricted to."""
    items: list[StrategyRequirement]
    nextToken: NotRequired[str]
