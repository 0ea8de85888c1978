"""A plan as both APIs show one. Reads no record."""

from __future__ import annotations

from decimal import Decimal
from typing import TypedDict

from shared.api.answers import Id, Time
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
