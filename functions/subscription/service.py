"""Reads plans for a user, and finds the one that a user may buy. Knows no HTTP; charges nobody."""

from __future__ import annotations

from functions.subscription.schemas import OwnPlan, PublicPlan, own_plan, public_plan
from shared.api.paging import Listing, listing, load_by_id, query_page
from shared.api.requests import ListQuery, fault
from shared.billing.entitlement import standing_of
from shared.billing.plan_use import plan_use_of
from shared.errors import RequestUnprocessable
from shared.models.base import LISTED
from shared.models.plan import Plan
from shared.models.stripe_subscription import StripeSubscription
from shared.models.user import User


def list_plans(user: User, query: ListQuery) -> Listing[PublicPlan]:
    """Return the public ones of the next `limit` plans, newest first."""
    # Filtered after the page is read, so that private plans cost no more than a page.
    page = query_page(
        Plan.by_created.query, LISTED, load=load_by_id(Plan), limit=query.limit, after=query.start, newest_first=True
    )
    use = plan_use_of(user.id)
    public = (plan for plan in page.records if not plan.private)
    return listing((public_plan(plan, use) for plan in public), token=query.token_of(page))


def get_plan(user: User) -> OwnPlan:
    """Return the user's plan, whether it is paid for, and what they have of what it limits."""
    plan = Plan.find(user.plan_id, consistent=False) if user.plan_id else None
    standing = standing_of(StripeSubscription.query(user.id), lapsed=user.plan_lapsed)
    return own_plan(user, plan, standing=standing, use=plan_use_of(user.id))


def find_plan_to_buy(plan_id: str) -> Plan:
    """Return a public plan that has a price; raise RequestUnprocessable for any other."""
    plan = Plan.find(plan_id)
    if plan is None or plan.private or plan.stripe_price_id is None:
        wrong = fault(
            "must be public subscription with a price", param="subscriptionId", location="body", value=plan_id
        )
        raise RequestUnprocessable([wrong])
    return plan
