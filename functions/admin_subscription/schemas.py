"""Requests and answers of the endpoints of plans, by their documented names."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field, ValidationInfo

from shared.api.fields import (
    UNCHANGED,
    FaultMessage,
    Flag,
    KeyCount,
    MonthlyPrice,
    Name,
    StripePriceId,
    WholeUsd,
)
from shared.api.requests import Body
from shared.views.plans import SubscriptionItem


def _only_default_has_none(price: Any, info: ValidationInfo) -> Any:
    wants_default = (info.context or {}).get("raw", {}).get("default") is True
    if price is None and not wants_default:
        raise ValueError("only the default plan needs no price")
    return price


class NewSubscription(Body):
    """Create Subscription: the body. A price is needed by every plan but the default one."""

    answer: ClassVar[type] = SubscriptionItem

    name: Name
    stripe_price_id: Annotated[StripePriceId | None, FaultMessage("price id does not exist")] = None
    monthly_price_usd: Annotated[
        Annotated[MonthlyPrice | None, BeforeValidator(_only_default_has_none)],
        Field(alias="monthlyPriceUSD", validate_default=True),
    ] = None
    max_balance_usd: Annotated[WholeUsd, Field(alias="maxBalanceUSD")]
    max_api_key: KeyCount
    private: Flag = True
    strategy_automated: Flag = True
    default: Flag = False


class SubscriptionChange(Body):
    """Update Subscription: the body. What it does not name stays."""

    answer: ClassVar[type] = SubscriptionItem

    name: Name = UNCHANGED
    stripe_price_id: Annotated[StripePriceId | None, FaultMessage("price id does not exist")] = UNCHANGED
    max_balance_usd: Annotated[WholeUsd, Field(alias="maxBalanceUSD")] = UNCHANGED
    max_api_key: KeyCount = UNCHANGED
    private: Flag = UNCHANGED
    strategy_automated: Flag = UNCHANGED
