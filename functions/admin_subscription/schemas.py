"""What the endpoints of plans answer, by their documented names."""

from __future__ import annotations

from decimal import Decimal
from typing import TypedDict

from shared.clock import to_iso
from shared.models.subscription import Subscription


class SubscriptionItem(TypedDict):
    """One plan."""

    id: str
    name: str
    stripePriceId: str | None
    monthlyPriceUSD: Decimal | None
    maxBalanceUSD: int
    maxApiKey: int
    private: bool
    default: bool
    strategyAutomated: bool
    createdAt: str
    updatedAt: str


def subscription_item(subscription: Subscription) -> SubscriptionItem:
    """Return a plan as documented."""
    return {
        "id": subscription.id,
        "name": subscription.name,
        "stripePriceId": subscription.stripe_price_id,
        "monthlyPriceUSD": subscription.monthly_price_usd,
        "maxBalanceUSD": subscription.max_balance_usd,
        "maxApiKey": subscription.max_api_key,
        "private": subscription.private,
        "default": subscription.default,
        "strategyAutomated": subscription.strategy_automated,
        "createdAt": to_iso(subscription.created_at),
        "updatedAt": to_iso(subscription.updated_at),
    }
