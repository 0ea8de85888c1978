"""Queues executions that are due for the order executor, and unfinished triggers for the fan-out.

Knows when something is due; what is to be done about it is the executor's decision. `looks.py` has when an open
position is looked at.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, TypeVar

from functions.position_watcher import looks
from functions.position_watcher.missed_alerts import report_missed
from functions.position_watcher.reach import record_reach
from shared.clock import to_iso, utc_now
from shared.config import settings
from shared.messages import (
    Command,
    FanoutCheck,
    ReconcileMessage,
    TriggerMessage,
    send_dead_man_messages,
    send_trigger,
)
from shared.models.base import conditional_write, in_chunks
from shared.models.execution import OPEN_SHARDS, Execution, open_shard
from shared.models.trigger import PENDING, FanoutState, Trigger, end_trigger_if_finished
from shared.observability import count_outcome, logger
from shared.order_dispatch import read_routes, send_orders
from shared.scheduling import due_by_dead_man, is_due, is_due_for_dead_man, needs_dead_man, overdue_step
from shared.trading.execution import Desired, ExecutionState

_T = TypeVar("_T")

_PAGE = 100
_MAX_PER_RUN = 5_000
"""Executions queued in one run; the rest is still due a minute later, and the alarm on its age rings."""
_PENDING_FOR = timedelta(seconds=15)
"""A trigger whose fan-out is not done this long after it was stored may never have been queued."""

_BEING_CLOSED = frozenset({ExecutionState.CLOSING, ExecutionState.FLATTENING})


async def watch() -> dict[str, int]:
    """Queue every execution that is due, and every trigger whose fan-out is not done. Return how many of each.

    Missed alerts are reported last. A request that fails holds nothing else back; the first error is raised when the
    rest is done.
    """
    now = utc_now()
    failed: list[Exception] = []
    executions = await _queue_due(now, failed)
    triggers = await _attempt(failed, 0, _resume_fanouts, now)
    await _attempt(failed, 0, report_missed, now)
    if executions or triggers:
        logger.info("watch_done", executions=executions, triggers=triggers)
    if failed:
        raise failed[0]
    count_outcome("watch_finished")
    return {"executions": executions, "triggers": triggers}


async def _queue_due(now: datetime, failed: list[Exception]) -> int:
    none: list[tuple[datetime, str]] = []
    shards = await asyncio.gather(*(_attempt(failed, none, _find_due, shard, now) for shard in range(OPEN_SHARDS)))
    # The longest overdue come first, whatever their shard.
    overdue = sorted(pair for shard in shards for pair in shard)
    due = [execution_id for _, execution_id in overdue[:_MAX_PER_RUN]]
    queued, guarded = 0, list[Execution]()
    for chunk in in_chunks(due, _PAGE):
        found = await _attempt(failed, list[Execution](), _read_due, chunk, now)
        guarded += [execution for execution in found if looks.may_wait(execution)]
        urgent = [execution for execution in found if not looks.may_wait(execution)]
        queued += await _attempt(failed, 0, _queue_reconciliations, urgent, now)
    for chosen in in_chunks(await _choose_looks(guarded, now, failed), _PAGE):
        queued += await _attempt(failed, 0, _queue_reconciliations, chosen, now)
    return queued


async def _choose_looks(guarded: list[Execution], now: datetime, failed: list[Exception]) -> list[Execution]:
    """Return the protected positions to look at now; all of them if they cannot be chosen from."""
    try:
        return await looks.choose(guarded, now=now)
    except Exception as error:  # noqa: BLE001 - raised again when the other steps have run
        failed.append(error)
        return guarded


async def _attempt(failed: list[Exception], otherwise: _T, do: Callable[..., _T], *arguments: Any) -> _T:
    """Return the result of a blocking step; add its error to `failed` and return `otherwise` when it fails."""
    try:
        return await asyncio.to_thread(do, *arguments)
    except Exception as error:  # noqa: BLE001 - raised again when the other steps have run
        failed.append(error)
        return otherwise


def _find_due(shard: int, now: datetime) -> list[tuple[datetime, str]]:
    found = Execution.by_due.query(open_shard(shard), Execution.due_at <= now, limit=_MAX_PER_RUN)
    return [(execution.due_at or now, execution.id) for execution in found]


def _read_due(execution_ids: list[str], now: datetime) -> list[Execution]:
    # The index lags behind the table, so read each record again before acting on it.
    found = Execution.find_many(execution_ids, consistent=True).values()
    return [execution for execution in found if execution.active and is_due(execution.due_at, now)]


def _queue_reconciliations(due: list[Execution], now: datetime) -> int:
    routes = read_routes(execution.named_lanes for execution in due)
    for execution in due:
        routes.send([execution], Command.RECONCILE, delivery=_delivery(execution, now))
    return len(due)


def _resume_fanouts(now: datetime) -> int:
    resumed = 0
    pending = Trigger.by_pending.query(PENDING, Trigger.created_at <= now - _PENDING_FOR, limit=_PAGE)
    for trigger in Trigger.find_many([found.id for found in pending], consistent=True).values():
        if trigger.fanout_state is FanoutState.DONE:
            continue
        _send_on(trigger, now)
        resumed += 1
    return resumed


def _send_on(trigger: Trigger, now: datetime) -> None:
    send_trigger(
        TriggerMessage(trigger_id=trigger.id, strategy_id=trigger.strategy_id),
        dedup_id=f"{trigger.id}-watch-{to_iso(now)}",
        in_order=False,
    )
    count_outcome("fanout_resumed")


async def check_fanout(trigger_id: str) -> None:
    """Handle a check of a trigger: queue it again if its fan-out is not done, else record whom it has reached.

    While the alert is fresh, another dead-man message follows.
    """
    trigger = await asyncio.to_thread(Trigger.find, trigger_id)
    if trigger is None:
        return
    if trigger.fanout_state is FanoutState.DONE:
        await asyncio.to_thread(record_reach, trigger)
        return
    now = utc_now()
    logger.warning("fanout_taken_over", trigger_id=trigger_id)
    if needs_dead_man(trigger.created_at, now, max_alert_age_s=settings().max_alert_age_s):
        await asyncio.to_thread(send_dead_man_messages, [FanoutCheck(trigger_id)])
    await asyncio.to_thread(_send_on, trigger, now)


async def check_execution(execution_id: str) -> None:
    """Handle an execution's dead-man message: queue its reconciliation if it is still due.

    The message goes into a group of its own, past a crashed worker's message that blocks the key's group. It is sent
    first: until then `due_at` stands, so if this worker crashes, the second dead-man message takes its place. The
    worker that takes over may crash too, so the next dead-man messages follow, and `due_at` moves with them: of any
    number of messages about one execution a single one goes on. The queue drops a second order about the same.
    """
    execution = await asyncio.to_thread(Execution.find, execution_id)
    if execution is None:
        return
    if not execution.active:
        # The worker that ended the execution may have crashed before it ended the trigger.
        await asyncio.to_thread(end_trigger_if_finished, execution.trigger_id)
        return
    now = utc_now()
    due = is_due_for_dead_man(execution.due_at, now)
    if not due and not _has_unstarted_close(execution):
        return
    logger.warning("takeover_queued", execution_id=execution_id, state=execution.state.value)
    count_outcome("takeover_queued", state=execution.state.value)
    await asyncio.to_thread(send_orders, [execution], Command.RECONCILE, delivery=_delivery(execution, now))
    if due:
        await asyncio.to_thread(_renew_dead_man, execution, now)


def _renew_dead_man(execution: Execution, now: datetime) -> None:
    """Move `due_at` and send the next dead-man messages, unless another worker has moved it first."""
    if execution.state is ExecutionState.PROTECTED or (
        execution.state is ExecutionState.QUEUED
        and not needs_dead_man(execution.received_at, now, max_alert_age_s=settings().max_alert_age_s)
    ):
        return  # the watcher's next run is soon enough
    with conditional_write() as write:
        execution.update(
            actions=[Execution.due_at.set(due_by_dead_man(now))],
            condition=Execution.due_at == execution.due_at,
        )
    if write.applied:
        send_dead_man_messages([ReconcileMessage(execution.id)])


def _has_unstarted_close(execution: Execution) -> bool:
    return execution.desired is Desired.CLOSED and execution.state not in _BEING_CLOSED


def _delivery(execution: Execution, now: datetime) -> str:
    """Name a message by what it is due for, so that the queue drops a second one about the same."""
    due_at = execution.due_at or execution.updated_at
    return f"due-{to_iso(due_at)}-{overdue_step(due_at, now)}-{execution.desired.value}"
