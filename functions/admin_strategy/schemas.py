"""Answers of the endpoints of strategies' triggers, by their documented names."""

from __future__ import annotations

from decimal import Decimal
from typing import NotRequired, TypedDict

from shared.api.answers import Id, Time
from shared.api.paging import Listing
from shared.clock import to_iso
from shared.models.strategy import Strategy
from shared.models.trigger import Trigger
from shared.trading.sides import Side, StopType, StrategySource, TriggerAction


class HistoryItem(TypedDict):
    """One execution of a trigger."""

    id: Id
    active: bool


class TriggerItem(TypedDict):
    """One trigger; of its executions at most 100, then a `nextToken` of their own. An exit has no side, and only an
    update has prices: its stop and targets."""

    id: Id
    active: bool
    strategySource: StrategySource
    action: NotRequired[TriggerAction]
    """Of an exit; an entry is shown as documented."""
    keep: NotRequired[Decimal | None]
    """Of a reduction: percent of the entry's amount that are to remain."""
    positionSize: NotRequired[Decimal | None]
    """Of a reduction: the strategy's own position after it."""
    tradeSide: Side | None
    price: Decimal | None
    stop: Decimal | None
    stopType: StopType | None
    stopAtBreakeven: NotRequired[bool]
    """Of an update that wants the stop at break-even."""
    takeProfit: list[Decimal]
    breakevenAfter: NotRequired[int]
    """The target after whose fill the stop moves to break-even, if it does."""
    createdAt: Time
    updatedAt: Time
    StrategyAutomatedHistories: Listing[HistoryItem]


class StrategyHistory(TypedDict):
    """List History."""

    active: bool
    exchangeId: str
    symbol: str
    StrategyAutomatedTriggers: Listing[TriggerItem]


def trigger_item(trigger: Trigger, histories: Listing[HistoryItem]) -> TriggerItem:
    """Return a trigger as documented."""
    item: TriggerItem = {
        "id": trigger.id,
        "active": trigger.active,
        "strategySource": trigger.strategy_source,
        "tradeSide": trigger.side,
        "price": trigger.price,
        "stop": trigger.stop,
        "stopType": trigger.stop_type,
        "takeProfit": list(trigger.take_profits),
        "createdAt": to_iso(trigger.created_at),
        "updatedAt": to_iso(trigger.updated_at),
        "StrategyAutomatedHistories": histories,
    }
    if trigger.breakeven_after is not None:
        item["breakevenAfter"] = trigger.breakeven_after
    if trigger.stop_at_breakeven:
        item["stopAtBreakeven"] = True
    if not trigger.opens:
        item["action"] = trigger.action
    if trigger.action is TriggerAction.REDUCE:
        item["keep"], item["positionSize"] = trigger.keep_pct, trigger.position_size
    return item


def strategy_history(strategy: Strategy, triggers: Listing[TriggerItem]) -> StrategyHistory:
    """Return a strategy's history as documented."""
    return {
        "active": strategy.active,
        "exchangeId": strategy.exchange_id,
        "symbol": strategy.symbol,
        "StrategyAutomatedTriggers": triggers,
    }
