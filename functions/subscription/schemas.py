"""Requests and answers of the endpoints of plans, as users see them."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar, TypedDict

from shared.api.answers import Time
from shared.api.fields import Uuid
from shared.api.requests import Body
from shared.billing.entitlement import PlanStanding
from shared.billing.plan_use import PlanExcess, PlanUse, excess_of
from shared.clock import to_iso
from shared.models.plan import Plan
from shared.models.user import User
from shared.trading.connection import KeyRefusal
from shared.trading.execution import DenialReason
from shared.trading.signal import Content
from shared.views.plans import SubscriptionItem, plan_item


class Stop(TypedDict):
    """What stops under a plan, with a code that stays when the words change."""

    code: str
    msg: str


class PublicPlan(SubscriptionItem):
    """One plan to choose, with what would stop under it of what the user has."""

    stops: list[Stop]


class UseOfPlan(TypedDict):
    """What is used of a plan. The balance is that of the largest account which strategies trade; null without one."""

    apiKeys: int
    largestBalanceUSD: Decimal | None


class OwnPlan(TypedDict):
    """Get Own Plan. `lapsed` is true while the plan is not paid for: no new entries, open positions stay protected."""

    SubscriptionType: SubscriptionItem | None
    standing: PlanStanding
    lapsed: bool
    updatedAt: Time
    use: UseOfPlan
    stops: list[Stop]


class PageLink(TypedDict):
    """A page of Stripe's to open in the browser."""

    url: str


class Conflict(TypedDict):
    """Why a page is not opened, and the endpoint that is the right one now."""

    message: str
    code: str
    path: str


class NewCheckout(Body):
    """Check Out a Plan: the body."""

    answer: ClassVar[type] = PageLink

    subscription_id: Uuid

    def content(self) -> dict[str, Content]:
        """Return the content that is the same for repeats of one request."""
        return {**self.model_dump()}


def public_plan(plan: Plan, use: PlanUse) -> PublicPlan:
    """Return a plan to choose."""
    return {**plan_item(plan), "stops": stops_of(excess_of(plan, use), plan)}


def own_plan(user: User, plan: Plan | None, *, standing: PlanStanding, use: PlanUse) -> OwnPlan:
    """Return the user's plan with its standing and use."""
    stops = stops_of(excess_of(plan, use), plan) if plan is not None else []
    if standing is PlanStanding.LAPSED:
        lapsed: Stop = {"code": DenialReason.PLAN_LAPSED, "msg": "strategies open no position until the plan is paid"}
        stops.insert(0, lapsed)
    return {
        "SubscriptionType": plan_item(plan) if plan else None,
        "standing": standing,
        "lapsed": user.plan_lapsed,
        "updatedAt": to_iso(user.plan_changed_at or user.created_at),
        "use": {"apiKeys": use.keys, "largestBalanceUSD": use.largest_balance_usd},
        "stops": stops,
    }


def stops_of(excess: PlanExcess, plan: Plan) -> list[Stop]:
    """Return what stops where a plan does not carry a use; open positions keep their stops and take-profits."""
    stops: list[Stop] = []
    if excess.without_automation:
        stops.append({"code": DenialReason.PLAN_WITHOUT_AUTOMATION, "msg": "strategies open no position"})
    elif excess.accounts_above_maximum:
        msg = (
            f"strategies open no position on {excess.accounts_above_maximum} account(s) "
            f"above {plan.max_balance_usd} USD"
        )
        stops.append({"code": DenialReason.BALANCE_OVER_PLAN_MAXIMUM, "msg": msg})
    if excess.keys:
        msg = (
            f"no key can be added to the {excess.keys} that are connected and stay so; the plan has {plan.max_api_key}"
        )
        stops.append({"code": KeyRefusal.PLAN_MAX_API_KEY, "msg": msg})
    return stops
