"""Reads the strategies for users. Knows no HTTP, and shows no key."""

from __future__ import annotations

from functions.strategy.schemas import OpenStrategyItem, strategy_item
from shared.api.paging import Listing, listing, load_by_id, query_page
from shared.api.records import find_record
from shared.api.requests import ListQuery
from shared.models.base import LISTED
from shared.models.strategy import Strategy


def list_strategies(query: ListQuery) -> Listing[OpenStrategyItem]:
    """Return the active ones of the next `limit` strategies, oldest first."""
    # Filtered after the page is read, so that inactive strategies cost no more than a page.
    page = query_page(
        Strategy.by_created.query, LISTED, load=load_by_id(Strategy), limit=query.limit, after=query.start
    )
    active = (strategy for strategy in page.records if strategy.active)
    return listing(map(strategy_item, active), token=query.token_of(page))


def find_strategy(strategy_id: str) -> Strategy:
    """Return the strategy, an inactive one too: those who follow it may look at its past; raise NotFound."""
    return find_record(Strategy, strategy_id, noun="strategy")
