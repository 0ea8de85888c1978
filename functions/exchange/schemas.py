"""Requests and answers of the endpoints that change a user's own exchange keys."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, ClassVar, Literal, NotRequired, TypedDict

from pydantic import Field

from shared.api.answers import Id
from shared.api.fields import (
    UNCHANGED,
    ApiKeyText,
    ApiSecretText,
    ExchangeId,
    Flag,
    IpAddress,
    ListFaultMessage,
    Name,
    StrategyTypeName,
    TradeTypeName,
)
from shared.api.requests import Body
from shared.trading.signal import Content
from shared.views.exchange_keys import ExchangeKeyItem
from shared.views.key_findings import Finding

_MOST_ADDRESSES = 30
"""That the exchange takes for a key."""

Addresses = Annotated[
    list[IpAddress],
    Field(min_length=1, max_length=_MOST_ADDRESSES),
    ListFaultMessage(f"must be list of 1 to {_MOST_ADDRESSES} addresses"),
]


class OwnExchangeKeyItem(ExchangeKeyItem):
    """One of the user's own keys."""

    addresses: list[str]
    """Ours that strategies trade from with the key, of those that the requirements list."""


class NewKey(Body):
    """Connect Exchange Key: the body."""

    answer: ClassVar[type] = OwnExchangeKeyItem

    exchange_id: ExchangeId
    trade_type: TradeTypeName
    strategy_type: StrategyTypeName
    name: Name
    api_key: ApiKeyText
    api_secret_key: ApiSecretText
    addresses: Addresses = UNCHANGED
    """Ours that the key is bound to at the exchange; the first one of the requirements, if left out."""

    def content(self) -> dict[str, Content]:
        """Return the content that is the same for repeats of one request."""
        return {**self.model_dump()}


class KeyChange(Body):
    """Update Exchange Key: the body. What it does not name stays; an API key comes with its secret.

    An API key in place of another is bound to the first address alone, unless `addresses` names more.
    """

    answer: ClassVar[type] = OwnExchangeKeyItem

    name: Name = UNCHANGED
    api_key: ApiKeyText = UNCHANGED
    api_secret_key: ApiSecretText = UNCHANGED
    active: Flag = UNCHANGED
    addresses: Addresses = UNCHANGED
    """Ours that the key is bound to at the exchange now."""


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
    leastEquityAtMinimum: Decimal | None
    """The same for a follower with `belowMinimum` MINIMUM, whose position may lose up to twice the percentage."""


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
    """Ours, to which the key must be restricted at the exchange: to the first, and for more speed to the others too."""
    items: list[StrategyRequirement]
    nextToken: NotRequired[str]
