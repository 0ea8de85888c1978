"""The outcome of one trigger, follower by follower: shown to an admin in JSON or CSV. Knows no HTTP.

The fields of `TimelineItem` are the columns of the CSV as well: a new one is added there and in `_item`.
"""

from __future__ import annotations

from decimal import Decimal
from typing import NotRequired, TypedDict

from shared.api.answers import Id, Time
from shared.api.csv_text import CsvFile, write_csv
from shared.api.records import find_record
from shared.api.requests import ListQuery
from shared.clock import from_iso, to_iso
from shared.models.execution import Execution
from shared.models.trigger import FanoutState, Trigger
from shared.trading.execution import ExecutionState
from shared.trading.sides import Side, StrategySource, TriggerAction
from shared.trading.timeline import ms_until, slippage_of
from shared.views.trigger_executions import executions_of


class TimelineTrigger(TypedDict):
    """Show Timeline: the trigger; `createdAt` is when it was received. An exit has no side and no price."""

    id: Id
    strategyId: Id
    strategySource: StrategySource
    symbol: str
    action: TriggerAction
    tradeSide: Side | None
    price: Decimal | None
    keep: Decimal | None
    """Of a reduction: percent of the entry's amount that are to remain."""
    positionSize: Decimal | None
    """The strategy's own position after the alert, if it said so."""
    firedAt: Time | None
    createdAt: Time
    active: bool
    fanoutState: FanoutState
    reached: int | None
    """How many followers it reached; null until the alert is stale."""
    leftOut: int | None
    """How many it did not reach, because their lanes had no weight."""


class TimelineKey(TypedDict):
    """Show Timeline: the key that was traded with, as it was called then."""

    id: Id
    name: str


class TimelineItem(TypedDict):
    """Show Timeline: one follower. Prices and money in the quote asset; positive slippage is worse for the follower."""

    id: Id
    strategyFollowId: Id
    userId: Id
    ExchangeKey: TimelineKey
    status: ExecutionState
    reason: str | None
    detail: str | None
    closeReason: str | None
    amount: Decimal | None
    amountLeft: Decimal | None
    """What the last reduction has left; null without one."""
    entryPrice: Decimal | None
    stopMovedTo: Decimal | None
    slippage: Decimal | None
    slippagePercentage: Decimal | None
    slippageCost: Decimal | None
    fee: Decimal | None
    profit: Decimal | None
    msToFilled: int | None
    msToProtected: int | None
    nakedMs: int | None
    stateTimes: dict[ExecutionState, Time | None]


class TimelineHead(TypedDict):
    """Show Timeline: what stands before the followers; in CSV, before each of them."""

    Trigger: TimelineTrigger


class TimelineRow(TimelineHead, TimelineItem):
    """Show Timeline: a row of the CSV."""


class Timeline(TimelineHead):
    """Show Timeline."""

    items: list[TimelineItem]
    nextToken: NotRequired[str]


def find_trigger(trigger_id: str) -> Trigger:
    """Return the trigger; raise NotFound."""
    return find_record(Trigger, trigger_id, noun="trigger")


def show_timeline(trigger: Trigger, query: ListQuery) -> Timeline:
    """Return a page of the trigger's followers, in the order of their executions' shards and ids."""
    page = executions_of(trigger.id, start=query.start, limit=query.limit)
    timeline: Timeline = {"Trigger": _trigger(trigger), "items": [_item(execution) for execution in page.records]}
    token = query.token_of(page)
    if token is not None:
        timeline["nextToken"] = token
    return timeline


def timeline_file(timeline: Timeline) -> CsvFile:
    """Return the same page as a file of rows, each of which repeats the trigger."""
    rows: list[TimelineRow] = [{"Trigger": timeline["Trigger"], **item} for item in timeline["items"]]
    return CsvFile(
        name=f"timeline-{timeline['Trigger']['id']}.csv",
        text=write_csv(TimelineRow, rows),
        next_token=timeline.get("nextToken"),
    )


def _trigger(trigger: Trigger) -> TimelineTrigger:
    return {
        "id": trigger.id,
        "strategyId": trigger.strategy_id,
        "strategySource": trigger.strategy_source,
        "symbol": trigger.symbol,
        "action": trigger.action,
        "tradeSide": trigger.side,
        "price": trigger.price,
        "keep": trigger.keep_pct,
        "positionSize": trigger.position_size,
        "firedAt": None if trigger.fired_at is None else to_iso(trigger.fired_at),
        "createdAt": to_iso(trigger.created_at),
        "active": trigger.active,
        "fanoutState": trigger.fanout_state,
        "reached": trigger.reached,
        "leftOut": trigger.left_out,
    }


def _item(execution: Execution) -> TimelineItem:
    times: dict[str, Time] = execution.state_times
    # A fill that was flattened before it was recorded has no time of its own, only that of the state after it.
    unprotected_at = times.get(ExecutionState.UNPROTECTED)
    filled_at = execution.entry_filled_at or (None if unprotected_at is None else from_iso(unprotected_at))
    slippage = slippage_of(
        side=execution.side,
        order_price=execution.order_price,
        entry_price=execution.entry_price,
        amount=execution.filled_amount,
    )
    return {
        "id": execution.id,
        "strategyFollowId": execution.follower_id,
        "userId": execution.user_id,
        "ExchangeKey": {"id": execution.api_key_id, "name": execution.key_name},
        "status": execution.state,
        "reason": execution.reason,
        "detail": execution.detail,
        "closeReason": execution.close_reason,
        # The filled amount once it is known, the planned one before.
        "amount": execution.amount if execution.filled_amount is None else execution.filled_amount,
        "amountLeft": execution.amount_left,
        "entryPrice": execution.entry_price,
        "stopMovedTo": execution.stop_moved_to,
        "slippage": None if slippage is None else slippage.price,
        "slippagePercentage": None if slippage is None else slippage.pct,
        "slippageCost": None if slippage is None else slippage.cost,
        "fee": execution.fee,
        "profit": execution.profit,
        "msToFilled": ms_until(filled_at, since=execution.received_at),
        "msToProtected": ms_until(execution.protected_at, since=execution.received_at),
        "nakedMs": execution.naked_ms,
        "stateTimes": {state: times.get(state) for state in ExecutionState},
    }
