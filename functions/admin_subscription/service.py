"""Reads the plans for an admin. Knows no HTTP."""

from __future__ import annotations

from functions.admin_subscription.schemas import SubscriptionItem, subscription_item
from shared.api.paging import Listing, by_id, listing, read_page
from shared.api.requests import ListQuery
from shared.models.base import LISTED
from shared.models.subscription import Subscription


def list_subscriptions(query: ListQuery) -> Listing[SubscriptionItem]:
    """Return a page of the plans, newest first."""
    found = Subscription.by_created.query(
        LISTED, scan_index_forward=False, page_size=query.limit + 1, last_evaluated_key=query.start
    )
    page = read_page(found, by_id(Subscription), limit=query.limit)
    return listing(map(subscription_item, page.records), token=query.token_of(page))
