"""Answers of the endpoints of plans, as users see them."""

from __future__ import annotations

from typing import TypedDict

from shared.api.answers import Time
from shared.clock import to_iso
from shared.models.plan import Plan
from shared.models.user import User
from shared.views.plans import SubscriptionItem, plan_item


class PlanUse(TypedDict):
    """What is used of a plan."""

    apiKeys: int


class OwnPlan(TypedDict):
    """Get Own Plan. `lapsed` is true while the plan is not paid for: no new entries, open positions stay protected."""

    SubscriptionType: SubscriptionItem | None
    lapsed: bool
    updatedAt: Time
    use: PlanUse


def own_plan(user: User, plan: Plan | None, *, api_keys: int) -> OwnPlan:
    """Return the user's plan with its standing and use."""
    return {
        "SubscriptionType": plan_item(plan) if plan else None,
        "lapsed": user.plan_lapsed,
        "updatedAt": to_iso(user.plan_changed_at or user.created_at),
        "use": {"apiKeys": api_keys},
    }
