"""What an operator has to know at a glance. Reads a bounded number of records, and scans no table. Knows no HTTP."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, TypedDict

from functions.admin_operation.halts import halt_item
from functions.admin_operation.lanes import lane_item
from functions.admin_operation.schemas import HaltItem, LaneItem
from shared import queue_depths
from shared.api.answers import Id, Time
from shared.api.maintenance import is_maintenance
from shared.clock import to_iso, utc_now
from shared.concurrency import run_concurrently
from shared.config import settings
from shared.exchange.gate import Work
from shared.exchange.lane_weight import LaneWeight
from shared.models.base import connect
from shared.models.egress_lane import EgressLane
from shared.models.execution import OPEN_SHARDS, Execution, open_shard
from shared.models.strategy import Strategy
from shared.models.trading_switch import TradingSwitch, lane_scope
from shared.models.trigger import FanoutState, Trigger
from shared.queues import Queue
from shared.trading.attention import NAKED_STATES, WAITING_AFTER, Concern, concern_about, may_concern
from shared.trading.execution import ExecutionState, is_active
from shared.trading.lane_choice import FIRST_LANE, LANES
from shared.trading.sides import Side, StrategySource, TriggerAction

LAST_ALERTS = 20
HALTED_STRATEGIES = 100
READ_PER_SHARD = 1_000
"""Of the open executions: 16,000 in all."""
READ_WHOLE = 200
"""How many of those that may need attention are read whole."""

TRADE_EVENTS = "trade-events"
"""The streams' dead letters, which have no queue of their own."""


class OverviewHalt(HaltItem):
    """Overview: a halt that stands."""

    ageSeconds: int  # noqa: N815 - ruff does not see the TypedDict behind HaltItem


class LaneUse(TypedDict):
    """Overview: a lane's weight in the exchange's present minute."""

    limit: int
    used: int
    held: int
    """What admitted work may still use."""
    left: dict[Work, int]
    """What work of each kind may still take, the most urgent kind first."""


class OverviewLane(LaneItem):
    """Overview: an egress lane; a pause or a ban that is over is left out."""

    halted: bool
    Weight: LaneUse


class OverviewQueue(TypedDict):
    """Overview: a queue. The counts are about right; null where there is no such queue."""

    queue: str
    waiting: int | None
    delayed: int | None
    inFlight: int | None
    oldestAgeSeconds: int | None
    """As of some minutes ago; null where CloudWatch has none."""
    deadLetters: int | None


class AttentionItem(TypedDict):
    """Overview: an execution that needs attention, and since when."""

    id: Id
    triggerId: Id
    strategyId: Id
    strategyFollowId: Id
    userId: Id
    apiKeyId: Id
    symbol: str
    status: ExecutionState
    concern: Concern
    reason: str | None
    since: Time
    ageSeconds: int


class Attention(TypedDict):
    """Overview: the open executions, and those that need attention, the most urgent and the oldest first."""

    items: list[AttentionItem]
    open: dict[str, int]
    """How many, by their status."""
    complete: bool
    """False if more executions are open, or may need attention, than an overview reads."""


class AlertItem(TypedDict):
    """Overview: one of the last alerts and admin orders."""

    id: Id
    strategyId: Id
    strategyName: str
    strategySource: StrategySource
    symbol: str
    action: TriggerAction
    tradeSide: Side | None
    createdAt: Time
    active: bool
    fanoutState: FanoutState
    reached: int | None
    """Null until the alert is stale."""
    leftOut: int | None


class Overview(TypedDict):
    """Overview."""

    at: Time
    maintenance: bool
    halts: list[OverviewHalt]
    lanes: list[OverviewLane]
    queues: list[OverviewQueue]
    Attention: Attention
    alerts: list[AlertItem]


def show_overview() -> Overview:
    """Return the overview."""
    now = utc_now()
    # Clients are made before threads use them.
    connect()
    queue_depths.connect()
    halts = TradingSwitch.standing(limit=HALTED_STRATEGIES)
    records = EgressLane.find_many(LANES)
    records.setdefault(FIRST_LANE, EgressLane(FIRST_LANE))
    parts: tuple[Callable[[], Any], ...] = (
        lambda: _queues(records, now=now),
        lambda: _attention(now=now),
        lambda: _alerts(now=now),
    )
    queues, attention, alerts = run_concurrently(lambda part: part(), parts)
    halted = {switch.scope for switch in halts}
    return {
        "at": to_iso(now),
        "maintenance": is_maintenance(),
        "halts": [{**halt_item(one), "ageSeconds": _seconds(now - one.since)} for one in halts],
        "lanes": [_lane(records[name], halted, now=now) for name in LANES if name in records],
        "queues": queues,
        "Attention": attention,
        "alerts": alerts,
    }


def _lane(record: EgressLane, halted: set[str], *, now: datetime) -> OverviewLane:
    weight = LaneWeight()
    weight.update_from(record)
    budget = weight.budget()
    item = lane_item(record)
    if record.paused_until is not None and record.paused_until <= now:
        item["pausedUntil"] = None
    if record.banned_until is not None and record.banned_until <= now:
        item["bannedUntil"] = None
    return {
        **item,
        "halted": lane_scope(record.lane) in halted,
        "Weight": {
            "limit": budget.limit,
            "used": budget.used,
            "held": budget.held,
            "left": {work: budget.room(work) for work in Work},
        },
    }


def _queues(records: dict[str, EgressLane], *, now: datetime) -> list[OverviewQueue]:
    urls = queue_urls(records)
    depths = queue_depths.read_depths(list(urls.values()))
    ages = queue_depths.read_oldest_ages(list(urls.values()), now=now)
    found: list[OverviewQueue] = [
        {
            "queue": name,
            "waiting": None if depth is None else depth.waiting,
            "delayed": None if depth is None else depth.delayed,
            "inFlight": None if depth is None else depth.in_flight,
            "oldestAgeSeconds": ages.get(url),
            "deadLetters": None if depth is None else depth.dead_letters,
        }
        for (name, url), depth in zip(urls.items(), depths, strict=True)
    ]
    found.append(
        {
            "queue": TRADE_EVENTS,
            "waiting": None,
            "delayed": None,
            "inFlight": None,
            "oldestAgeSeconds": None,
            "deadLetters": queue_depths.read_count(settings().trade_events_dead_letters_url),
        }
    )
    return found


def queue_urls(records: dict[str, EgressLane]) -> dict[str, str]:
    """Return the URL of each queue by its name, the orders queues of further lanes included."""
    urls = {queue.value: settings().queue_urls[queue] for queue in Queue}
    further = ((lane, one.orders_queue_url) for lane, one in records.items() if lane != FIRST_LANE)
    return urls | {f"{lane}-{Queue.ORDERS.value}": url for lane, url in further if url}


def _attention(*, now: datetime) -> Attention:
    interval = timedelta(seconds=settings().look_interval_s)
    shards = run_concurrently(_open_executions, range(OPEN_SHARDS))
    closes = run_concurrently(lambda shard: _late_closes(shard, now=now), range(OPEN_SHARDS))
    found = [execution for shard in shards for execution in shard]
    doubtful = [
        (_URGENCY.get(one.state, _LEAST_URGENT), one.due_at or now, one.id)
        for one in found
        if may_concern(one.state, overdue=now - (one.due_at or now), look_interval=interval)
    ]
    doubtful += [(_LEAST_URGENT, one.close_requested_at or now, one.id) for shard in closes for one in shard]
    wanted = list(dict.fromkeys(execution_id for _, _, execution_id in sorted(doubtful)))
    # The indexes lag behind the table.
    records = Execution.find_many(wanted[:READ_WHOLE], consistent=True).values()
    items = [item for one in records if one.active and (item := _attention_item(one, now=now, interval=interval))]
    order = {concern: number for number, concern in enumerate(Concern)}
    counts = Counter(one.state for one in found)
    return {
        "items": sorted(items, key=lambda item: (order[item["concern"]], item["since"])),
        "open": {state: counts[state] for state in ExecutionState if is_active(state)},
        "complete": len(wanted) <= READ_WHOLE and all(len(shard) < READ_PER_SHARD for shard in shards),
    }


_URGENCY = dict.fromkeys(NAKED_STATES, 0) | {ExecutionState.ENTRY_UNKNOWN: 1}
_LEAST_URGENT = 2


def _open_executions(number: int) -> list[Execution]:
    wanted = ["id", "state", "due_at"]
    return list(Execution.by_due.query(open_shard(number), limit=READ_PER_SHARD, attributes_to_get=wanted))


def _late_closes(number: int, *, now: datetime) -> list[Execution]:
    """Return executions whose close was requested a while ago.

    A position that cannot be closed for now is protected, and due again each minute: the index of open ones shows none
    of it.
    """
    late = Execution.close_requested_at <= now - WAITING_AFTER
    return list(Execution.by_close_request.query(open_shard(number), late, limit=READ_WHOLE + 1))


def _attention_item(execution: Execution, *, now: datetime, interval: timedelta) -> AttentionItem | None:
    since = work_since(execution)
    concern = concern_about(
        execution.state,
        execution.desired,
        waiting=now - since,
        overdue=now - (execution.due_at or now),
        look_interval=interval,
    )
    if concern is None:
        return None
    return {
        "id": execution.id,
        "triggerId": execution.trigger_id,
        "strategyId": execution.strategy_id,
        "strategyFollowId": execution.follower_id,
        "userId": execution.user_id,
        "apiKeyId": execution.api_key_id,
        "symbol": execution.symbol,
        "status": execution.state,
        "concern": concern,
        "reason": execution.reason,
        "since": to_iso(since),
        "ageSeconds": _seconds(now - since),
    }


def work_since(execution: Execution) -> datetime:
    """Return since when an execution's present work has been waiting.

    A position that has lost its stop again was first unprotected at its entry: its last change is the best that the
    record knows.
    """
    since = execution.work_since or execution.created_at
    lost_again = execution.state is ExecutionState.UNPROTECTED and execution.protected_at is not None
    return max(since, execution.updated_at) if lost_again else since


def _alerts(*, now: datetime) -> list[AlertItem]:
    triggers = Trigger.latest(LAST_ALERTS, now=now)
    strategies = Strategy.find_many(trigger.strategy_id for trigger in triggers)
    return [
        {
            "id": trigger.id,
            "strategyId": trigger.strategy_id,
            "strategyName": strategies[trigger.strategy_id].name if trigger.strategy_id in strategies else "",
            "strategySource": trigger.strategy_source,
            "symbol": trigger.symbol,
            "action": trigger.action,
            "tradeSide": trigger.side,
            "createdAt": to_iso(trigger.created_at),
            "active": trigger.active,
            "fanoutState": trigger.fanout_state,
            "reached": trigger.reached,
            "leftOut": trigger.left_out,
        }
        for trigger in triggers
    ]


def _seconds(age: timedelta) -> int:
    return max(round(age.total_seconds()), 0)
