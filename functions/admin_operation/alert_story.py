"""What became of one alert, with the execution, the orders and the events of each follower. Knows no HTTP."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import islice
from typing import Annotated, Any, NotRequired, TypedDict

from pydantic import BeforeValidator, Field

from shared.api.answers import Id, Time
from shared.api.fields import FaultMessage, whole_number
from shared.api.paging import Page
from shared.api.records import find_record
from shared.api.requests import ListQuery
from shared.clock import to_iso, utc_now
from shared.concurrency import run_concurrently
from shared.models.base import connect, in_chunks
from shared.models.execution import Execution
from shared.models.execution_event import RETENTION, ExecutionEvent
from shared.models.order import Order, OrderStatus
from shared.models.strategy import Strategy
from shared.models.trigger import FanoutState, Trigger
from shared.models.trigger_count import TriggerCount
from shared.trading.execution import Desired, ExecutionState
from shared.trading.ids import Leg
from shared.trading.order_planning import OrderType
from shared.trading.sides import Side, StopType, StrategySource, TriggerAction
from shared.trading.timeline import ms_until
from shared.views.trigger_executions import cursor_of, executions_of

MOST_FOLLOWERS = 100
"""On a page: each takes two queries."""
MOST_EVENTS = 200
"""Of one execution, and as many orders."""
MOST_SHOWN = 5_000
"""Events and orders of a page, after which it ends: an answer of Lambda has 6 MB at most."""
_AT_ONCE = 8
"""Followers that are read together, because a page may end after any of them."""


class StoryQuery(ListQuery):
    """Show Alert: the query."""

    limit: Annotated[
        int,
        BeforeValidator(whole_number),
        Field(ge=1, le=MOST_FOLLOWERS),
        FaultMessage("must be integer from 1 to 100"),
    ] = 20


class StoryAlert(TypedDict):
    """Show Alert: the alert, or the admin's order, as it was accepted. An exit has no side, price or stop."""

    id: Id
    strategyId: Id
    strategyName: str
    strategySource: StrategySource
    alertId: str | None
    symbol: str
    action: TriggerAction
    tradeSide: Side | None
    price: Decimal | None
    stopPrice: Decimal | None
    stopType: StopType | None
    stopAtBreakeven: bool
    """Of an update that wants the stop at break-even."""
    takeProfitPrices: list[Decimal]
    breakevenAfter: int | None
    """The target after whose fill the stop moves to break-even."""
    keep: Decimal | None
    """Of a reduction: percent of the entry's amount that are to remain."""
    positionSize: Decimal | None
    """The strategy's own position after the alert, if it said so."""
    firedAt: Time | None
    createdAt: Time
    """When it was received."""
    msToReceived: int | None
    """From `firedAt`."""
    superseded: bool
    """True if a newer alert had been accepted before it: nobody enters."""
    active: bool
    fanoutState: FanoutState
    executions: int
    """Those that are not ended, and those that are; without the ones that were denied before they were queued."""
    executionsActive: int
    reached: int | None
    """Null until the alert is stale."""
    leftOut: int | None


class StoryEvent(TypedDict):
    """Show Alert: a change of an execution."""

    at: Time
    msAfter: int | None
    """From the receipt of the alert."""
    status: ExecutionState
    reason: str | None
    detail: str | None
    worker: str | None
    """The request id of the worker that made the change, as its log has it."""


class StoryOrder(TypedDict):
    """Show Alert: an order that was sent, or about to be."""

    clientOrderId: str
    exchangeOrderId: str | None
    leg: Leg
    attempt: int
    type: OrderType
    side: Side
    amount: Decimal | None
    price: Decimal | None
    triggerPrice: Decimal | None
    status: OrderStatus
    filled: Decimal | None
    average: Decimal | None
    error: str | None
    createdAt: Time
    sentAt: Time | None
    updatedAt: Time


class StoryFollower(TypedDict):
    """Show Alert: one follower's execution."""

    id: Id
    strategyFollowId: Id
    userId: Id
    apiKeyId: Id
    lane: str
    status: ExecutionState
    desired: Desired
    reason: str | None
    detail: str | None
    closeReason: str | None
    amount: Decimal | None
    filledAmount: Decimal | None
    entryPrice: Decimal | None
    exitPrice: Decimal | None
    profit: Decimal | None
    msToProtected: int | None
    """From the receipt of the alert."""
    nakedMs: int | None
    createdAt: Time
    events: list[StoryEvent]
    """In the order of time; empty where they have expired."""
    orders: list[StoryOrder]
    """In the order of time."""
    complete: bool
    """False if it has more than 200 events or orders, or is so old that events may have left their table (400 days)."""


class AlertStory(TypedDict):
    """Show Alert."""

    Alert: StoryAlert
    items: list[StoryFollower]
    nextToken: NotRequired[str]


def find_trigger(trigger_id: str) -> Trigger:
    """Return the trigger; raise NotFound."""
    return find_record(Trigger, trigger_id, noun="trigger")


def show_alert(trigger: Trigger, query: StoryQuery) -> AlertStory:
    """Return the alert and a page of its followers, in the order of their executions' shards and ids."""
    connect()
    page = executions_of(trigger.id, start=query.start, limit=query.limit)
    followers = _followers(page.records)
    if len(followers) < len(page.records):
        page = Page(page.records[: len(followers)], cursor_of(page.records[len(followers) - 1]))
    story: AlertStory = {"Alert": _alert(trigger), "items": followers}
    token = query.token_of(page)
    if token is not None:
        story["nextToken"] = token
    return story


def _followers(executions: Sequence[Execution]) -> list[StoryFollower]:
    """Return the first followers, up to the one that makes MOST_SHOWN events and orders."""
    found: list[StoryFollower] = []
    shown = 0
    for chunk in in_chunks(executions, _AT_ONCE):
        for follower in run_concurrently(_follower, chunk):
            found.append(follower)
            shown += len(follower["events"]) + len(follower["orders"])
            if shown >= MOST_SHOWN:
                return found
    return found


def _alert(trigger: Trigger) -> StoryAlert:
    strategy = Strategy.find(trigger.strategy_id)
    totals = TriggerCount.totals(trigger.id)
    return {
        "id": trigger.id,
        "strategyId": trigger.strategy_id,
        "strategyName": "" if strategy is None else strategy.name,
        "strategySource": trigger.strategy_source,
        "alertId": trigger.alert_id,
        "symbol": trigger.symbol,
        "action": trigger.action,
        "tradeSide": trigger.side,
        "price": trigger.price,
        "stopPrice": trigger.stop,
        "stopType": trigger.stop_type,
        "stopAtBreakeven": bool(trigger.stop_at_breakeven),
        "takeProfitPrices": list(trigger.take_profits),
        "breakevenAfter": trigger.breakeven_after,
        "keep": trigger.keep_pct,
        "positionSize": trigger.position_size,
        "firedAt": None if trigger.fired_at is None else to_iso(trigger.fired_at),
        "createdAt": to_iso(trigger.created_at),
        "msToReceived": None if trigger.fired_at is None else ms_until(trigger.created_at, since=trigger.fired_at),
        "superseded": trigger.overtaken,
        "active": trigger.active,
        "fanoutState": trigger.fanout_state,
        "executions": totals.total,
        "executionsActive": TriggerCount.total_active(trigger.id),
        "reached": trigger.reached,
        "leftOut": trigger.left_out,
    }


def _follower(execution: Execution) -> StoryFollower:
    events = _first(lambda limit: ExecutionEvent.query(execution.id, limit=limit))
    orders = _first(lambda limit: Order.query(execution.id, limit=limit))
    return {
        "id": execution.id,
        "strategyFollowId": execution.follower_id,
        "userId": execution.user_id,
        "apiKeyId": execution.api_key_id,
        "lane": execution.egress_lane,
        "status": execution.state,
        "desired": execution.desired,
        "reason": execution.reason,
        "detail": execution.detail,
        "closeReason": execution.close_reason,
        "amount": execution.amount,
        "filledAmount": execution.filled_amount,
        "entryPrice": execution.entry_price,
        "exitPrice": execution.exit_price,
        "profit": execution.profit,
        "msToProtected": ms_until(execution.protected_at, since=execution.received_at),
        "nakedMs": execution.naked_ms,
        "createdAt": to_iso(execution.created_at),
        "events": [_event(one, execution) for one in events[:MOST_EVENTS]],
        "orders": [_order(one) for one in sorted(orders[:MOST_EVENTS], key=_in_time)],
        "complete": max(len(events), len(orders)) <= MOST_EVENTS and utc_now() < execution.created_at + RETENTION,
    }


def _first(query: Callable[[int], Any]) -> list[Any]:
    return list(islice(query(MOST_EVENTS + 1), MOST_EVENTS + 1))


def _in_time(order: Order) -> tuple[datetime, str]:
    return order.created_at, order.client_order_id


def _event(event: ExecutionEvent, execution: Execution) -> StoryEvent:
    return {
        "at": to_iso(event.at),
        "msAfter": ms_until(event.at, since=execution.received_at),
        "status": ExecutionState(event.state),
        "reason": event.reason,
        "detail": event.detail,
        "worker": event.worker,
    }


def _order(order: Order) -> StoryOrder:
    return {
        "clientOrderId": order.client_order_id,
        "exchangeOrderId": order.exchange_order_id,
        "leg": order.leg,
        "attempt": order.attempt,
        "type": order.type,
        "side": order.side,
        "amount": order.amount,
        "price": order.price,
        "triggerPrice": order.trigger_price,
        "status": order.status,
        "filled": order.filled,
        "average": order.average,
        "error": order.error,
        "createdAt": to_iso(order.created_at),
        "sentAt": None if order.sent_at is None else to_iso(order.sent_at),
        "updatedAt": to_iso(order.updated_at),
    }
