"""Requests and answers of the endpoints of plans, by their documented names."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, ClassVar, TypedDict

from pydantic import BeforeValidator, Field, ValidationInfo

from shared.api.answers import Id, Time
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
from shared.clock import to_iso
from shared.models.plan import Plan


class SubscriptionItem(TypedDict):
    """One plan."""

    id: Id
    name: str
    stripePriceId: str | None
    monthlyPriceUSD: Decimal | None
    maxBalanceUSD: int
    maxApiKey: int
    private: bool
    default: bool
    strategyAutomated: bool
    createdAt: Time
    updatedAt: Time


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


def plan_item(plan: Plan) -> SubscriptionItem:
    """Return a plan as documented."""
    return {
        "id": plan.id,
        "name": plan.name,
        "stripePriceId": plan.stripe_price_id,
        "monthlyPriceUSD": plan.monthly_price_usd,
        "maxBalanceUSD": plan.max_balance_usd,
        "maxApiKey": plan.max_api_key,
        "private": plan.private,
        "default": plan.default,
        "strategyAutomated": plan.strategy_automated,
        "createdAt": to_iso(plan.created_at),
        "updatedAt": to_iso(plan.updated_at),
    }
