"""Reads plans for a user. Knows no HTTP; charges nobody."""

from __future__ import annotations

from functions.subscription.schemas import OwnPlan, own_plan
from shared.api.paging import Listing, listing, load_by_id, query_page
from shared.api.requests import ListQuery
from shared.models.base import LISTED
from shared.models.exchange_key import ExchangeKey
from shared.models.plan import Plan
from shared.models.user import User
from shared.views.plans import SubscriptionItem, plan_item


def list_plans(query: ListQuery) -> Listing[SubscriptionItem]:
    """Return the public ones of the next `limit` plans, newest first."""
    # Filtered after the page is read, so that private plans cost no more than a page.
    page = query_page(
        Plan.by_created.query, LISTED, load=load_by_id(Plan), limit=query.limit, after=query.start, newest_first=True
    )
    public = (plan for plan in page.records if not plan.private)
    return listing(map(plan_item, public), token=query.token_of(page))


def get_plan(user: User) -> OwnPlan:
    """Return the user's plan, and how many exchange keys they have of those it allows."""
    plan = Plan.find(user.plan_id, consistent=False) if user.plan_id else None
    return own_plan(user, plan, api_keys=ExchangeKey.by_user.count(user.id))
