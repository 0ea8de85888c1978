"""Reads a strategy's triggers and their executions for an admin. Knows no HTTP."""

from __future__ import annotations

from functions.admin_strategy.schemas import (
    HistoryItem,
    StrategyHistory,
    TriggerItem,
    strategy_history,
    trigger_item,
)
from shared.api.paging import Cursor, Listing, listing, load_by_id, query_page
from shared.api.records import find_record
from shared.api.requests import ListQuery
from shared.concurrency import run_concurrently
from shared.errors import NotFound
from shared.models.base import in_chunks
from shared.models.strategy import Strategy
from shared.models.trigger import Trigger
from shared.views.trigger_executions import executions_of

HISTORIES_PER_TRIGGER = 100

_ENOUGH_HISTORIES = 10_000
"""A page of triggers ends early beyond this, because an answer may hold 6 MB."""

_CHUNK = 25


def find_strategy(strategy_id: str) -> Strategy:
    """Return the strategy; raise NotFound."""
    return find_record(Strategy, strategy_id, noun="strategy")


def list_history(strategy: Strategy, query: ListQuery) -> StrategyHistory:
    """Return a page of the strategy's triggers, newest first, or more of the executions of one of them."""
    start = query.start or {}
    if "trigger_id" in start:
        return strategy_history(strategy, _rest_of_trigger(start, query))
    older = Trigger.seq < start["before_seq"] if start else None
    page = query_page(
        Trigger.by_strategy.query, strategy.id, older, load=load_by_id(Trigger), limit=query.limit, newest_first=True
    )
    items: list[TriggerItem] = []
    for chunk in in_chunks(page.records, _CHUNK):
        items += run_concurrently(lambda trigger: _item(trigger, query, start=None), chunk)
        if sum(len(item["StrategyAutomatedHistories"]["items"]) for item in items) >= _ENOUGH_HISTORIES:
            break
    more = page.end is not None or len(items) < len(page.records)
    end = {"before_seq": page.records[len(items) - 1].seq} if more else None
    return strategy_history(strategy, listing(items, token=query.token_after(end)))


def _rest_of_trigger(start: Cursor, query: ListQuery) -> Listing[TriggerItem]:
    trigger = Trigger.find(start["trigger_id"])
    if trigger is None:
        raise NotFound(f"trigger {start['trigger_id']} does not exist")
    return listing([_item(trigger, query, start=start)], token=None)


def _item(trigger: Trigger, query: ListQuery, *, start: Cursor | None) -> TriggerItem:
    page = executions_of(trigger.id, start=start, limit=HISTORIES_PER_TRIGGER)
    histories: list[HistoryItem] = [{"id": one.id, "active": one.active} for one in page.records]
    return trigger_item(trigger, listing(histories, token=query.token_of(page)))
