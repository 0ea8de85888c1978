"""Answers which positions an admin's request closes. Requests nothing itself: that is `shared.close_requests`."""

from __future__ import annotations

from shared import close_requests
from shared.api.paging import Listing, listing
from shared.models.follower import Follower
from shared.models.strategy import Strategy
from shared.views.closings import ClosingItem, closing_items


def close_all(strategy: Strategy, *, delivery: str) -> Listing[ClosingItem]:
    """Request the close of every position that the strategy's followers hold or are about to open."""
    return listing(closing_items(close_requests.close_all(strategy, delivery=delivery)), token=None)


def close_one(follower: Follower, *, delivery: str) -> Listing[ClosingItem]:
    """Request the close of every position that one follower holds or is about to open."""
    return listing(closing_items(close_requests.close_one(follower, delivery=delivery)), token=None)
