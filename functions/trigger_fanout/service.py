"""Turns one trigger into follower executions and order messages, page by page. Places nothing, denies nothing.

A page is written and sent; then the trigger's checkpoint is saved. Stopped anywhere and delivered again, the fan-out
finds the executions that exist (their ids are derived) and sends those again that are still QUEUED.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial

from pynamodb.expressions.update import Action
from pynamodb.transactions import TransactWrite

from functions.trigger_fanout import rotation
from functions.trigger_fanout.rotation import Rotation
from shared.clock import utc_now
from shared.config import settings
from shared.errors import NotFound, RecordChanged
from shared.execution_snapshot import concerns, read_references, snapshot
from shared.messages import (
    LONGEST_DELAY_S,
    Command,
    FanoutCheck,
    ReconcileMessage,
    TriggerMessage,
    send_dead_man_messages,
    send_reconcile,
)
from shared.models.base import SCHEMA_VERSION, conditional_write, in_chunks, transact
from shared.models.execution import Execution
from shared.models.follower import Follower
from shared.models.strategy import Strategy
from shared.models.trigger import FanoutState, Trigger, end_trigger_if_finished
from shared.models.trigger_count import SHARDS, TriggerCount, shard_of
from shared.observability import logger, measure_ms
from shared.order_dispatch import Routes, read_routes
from shared.trading.execution import ExecutionState

PAGE_SIZE = 200
_ADMIN_PAGE_SIZE = 1000
"""An admin names few of a strategy's followers: larger pages are read for the same work."""

_WRITE_SIZE = 25
_WRITE_ATTEMPTS = 4
_REACH_KNOWN_AFTER_S = 30
"""After the alert is stale, its last entries have ended by then."""


async def fan_out(message: TriggerMessage, *, delivery: str) -> None:
    """Create and queue an execution for every follower of the trigger; raise NotFound when there is no such trigger.

    `delivery` distinguishes the messages of this attempt from those of an earlier one.
    """
    started = time.monotonic()
    trigger = await asyncio.to_thread(Trigger.find, message.trigger_id)
    if trigger is None:
        raise NotFound(f"trigger {message.trigger_id}")
    executions = sent = 0
    if trigger.fanout_state is FanoutState.PENDING:
        strategy, order = await asyncio.gather(
            asyncio.to_thread(Strategy.find, trigger.strategy_id), asyncio.to_thread(rotation.plan, trigger)
        )
        strategy_name = strategy.name if strategy is not None else ""
        size = PAGE_SIZE if trigger.follower_ids is None else _ADMIN_PAGE_SIZE
        begun, done = {follower.id for follower in order.left_out}, False
        for followers in in_chunks(order.left_out, size):
            page = await _fan_out_page(trigger, followers, strategy_name=strategy_name, delivery=delivery)
            executions, sent = executions + page[0], sent + page[1]
        while not done:
            followers, done = await asyncio.to_thread(rotation.read_page, trigger, order, size=size)
            others = [follower for follower in followers if follower.id not in begun]
            page = await _fan_out_page(trigger, others, strategy_name=strategy_name, delivery=delivery)
            executions, sent = executions + page[0], sent + page[1]
            if done:
                await asyncio.to_thread(_schedule_reach_check, trigger)
            await asyncio.to_thread(_save_checkpoint, trigger, order, followers, done=done)
    ended = await asyncio.to_thread(end_trigger_if_finished, trigger.id)
    took_ms = round((time.monotonic() - started) * 1000, 1)
    logger.info(
        "trigger_fanned_out",
        trigger_id=trigger.id,
        strategy_id=trigger.strategy_id,
        executions=executions,
        sent=sent,
        ended=ended,
        took_ms=took_ms,
    )
    measure_ms("fanout_ms", took_ms)


async def _fan_out_page(
    trigger: Trigger, followers: Sequence[Follower], *, strategy_name: str, delivery: str
) -> tuple[int, int]:
    """Write and send a page's executions; return how many there are and how many were sent."""
    if trigger.follower_ids is not None:
        named = set(trigger.follower_ids)
        followers = [follower for follower in followers if follower.id in named]
    if not followers:
        return 0, 0
    references = await read_references(followers)
    now = utc_now()
    executions = [
        snapshot(trigger, follower, references, strategy_name=strategy_name, now=now)
        for follower in followers
        if concerns(trigger, follower, references)
    ]
    key_lanes = [execution.named_lanes for execution in executions]
    routes = await asyncio.to_thread(read_routes, key_lanes)
    for execution, lane in zip(executions, routes.entries.choose_all(key_lanes), strict=True):
        execution.egress_lane = lane
    sent = await asyncio.gather(
        *(asyncio.to_thread(_write_and_send, part, routes, delivery=delivery) for part in _split_by_shard(executions))
    )
    return len(executions), sum(sent)


def _split_by_shard(executions: Sequence[Execution]) -> Iterable[list[Execution]]:
    """Split the executions so that no two parts share a shard of the trigger's count, and none of them conflicts."""
    parts = max(1, min(SHARDS, math.ceil(len(executions) / _WRITE_SIZE)))
    split: list[list[Execution]] = [[] for _ in range(parts)]
    for execution in executions:
        split[shard_of(execution.id) % parts].append(execution)
    return filter(None, split)


def _write_and_send(executions: Sequence[Execution], routes: Routes, *, delivery: str) -> int:
    sent = 0
    for chunk in in_chunks(executions, 2 * _WRITE_SIZE):
        waiting = _write(chunk)
        routes.send(waiting, Command.OPEN, delivery=delivery)
        # After the orders, which must not wait: after a crash in between, the next delivery sends both.
        send_dead_man_messages([ReconcileMessage(execution.id) for execution in waiting])
        sent += len(waiting)
    return sent


def _write(executions: Sequence[Execution]) -> list[Execution]:
    """Store the executions that do not exist yet; return all that are QUEUED."""
    known: dict[str, Execution] = {}
    for _ in range(_WRITE_ATTEMPTS):
        missing = [execution for execution in executions if execution.id not in known]
        try:
            if missing:
                transact(partial(_put, executions=missing))
        except RecordChanged:
            # An earlier delivery, or a parallel one that was assumed dead too soon, has written some of them.
            known = Execution.find_many([execution.id for execution in executions], consistent=True)
            continue
        return [execution for execution in [*missing, *known.values()] if execution.state is ExecutionState.QUEUED]
    raise RecordChanged("another fan-out of the trigger keeps writing")


def _put(transaction: TransactWrite, *, executions: Sequence[Execution]) -> None:
    for execution in executions:
        transaction.save(execution, condition=Execution.id.does_not_exist())
    counts = Counter(shard_of(execution.id) for execution in executions if execution.active)
    for shard, number in counts.items():
        transaction.update(
            TriggerCount(executions[0].trigger_id, shard),
            actions=[
                TriggerCount.active.add(number),
                TriggerCount.total.add(number),
                TriggerCount.schema_version.set(SCHEMA_VERSION),
            ],
        )


def _schedule_reach_check(trigger: Trigger) -> None:
    """Have it counted, once the alert is stale, whom it has reached."""
    delay_s = min(int(settings().max_alert_age_s) + _REACH_KNOWN_AFTER_S, LONGEST_DELAY_S)
    send_reconcile(FanoutCheck(trigger.id), delay_s=delay_s)


def _save_checkpoint(trigger: Trigger, order: Rotation, page: Sequence[Follower], *, done: bool) -> None:
    """Save how far the fan-out is; raise RecordChanged when another delivery has come further."""
    checkpoint = page[-1].created_key if page else None
    actions: list[Action] = [Trigger.updated_at.set(utc_now())]
    unmoved = Trigger.fanout_state == FanoutState.PENDING
    if checkpoint is not None:
        actions.append(Trigger.fanout_checkpoint.set(checkpoint))
    if trigger.fanout_checkpoint is None:
        unmoved &= Trigger.fanout_checkpoint.does_not_exist()
        places = ((Trigger.fanout_start, order.start), (Trigger.next_start, rotation.next_start(page)))
        actions += [attribute.set(place) for attribute, place in places if place is not None]
    else:
        unmoved &= Trigger.fanout_checkpoint == trigger.fanout_checkpoint
    if done:
        actions += [Trigger.fanout_state.set(FanoutState.DONE), Trigger.pending.remove()]
    with conditional_write(otherwise=RecordChanged(f"fan-out of trigger {trigger.id}")):
        trigger.update(actions=actions, condition=unmoved)
