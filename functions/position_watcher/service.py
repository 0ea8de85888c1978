"""Which executions need the order executor, and which triggers the fan-out. Decides nothing about their state."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, TypeVar

from shared.clock import to_iso, utc_now
from shared.config import settings
from shared.messages import (
    DEAD_MAN_S,
    Command,
    FanoutCheck,
    OrderMessage,
    ReconcileMessage,
    TriggerMessage,
    send_dead_man,
    send_orders,
    send_trigger,
)
from shared.models.base import conditional_write, in_chunks
from shared.models.execution import OPEN_SHARDS, Execution, open_shard
from shared.models.trigger import PENDING, FanoutState, Trigger, end_trigger_if_finished
from shared.observability import count_outcome, logger
from shared.trading.execution import Desired, ExecutionState

_T = TypeVar("_T")

_PAGE = 100
_MAX_PER_RUN = 5_000
"""What one run takes up; the rest is still due a minute later, and the alarm on its age rings."""
_PENDING_FOR = timedelta(seconds=15)
"""A trigger that is stored for longer than this without its fan-out being done was perhaps never queued."""

_MINUTE = timedelta(minutes=1)
_EARLY = timedelta(seconds=1)
"""A dead-man message may come this much before its time, by a clock that differs: dropped then, it would be missed."""

_BEING_CLOSED = frozenset({ExecutionState.CLOSING, ExecutionState.FLATTENING})


async def watch() -> dict[str, int]:
    """Queue a look at every execution that is due, and the fan-out of every trigger that is waiting.

    A request that fails keeps nobody else waiting; when the rest is done, the first one's error is raised.
    """
    now = utc_now()
    failed: list[Exception] = []
    executions = await _settle_due(now, failed)
    triggers = await _done(failed, 0, _resume_fanouts, now)
    if executions or triggers:
        logger.info("watch_done", executions=executions, triggers=triggers)
    if failed:
        raise failed[0]
    return {"executions": executions, "triggers": triggers}


async def _settle_due(now: datetime, failed: list[Exception]) -> int:
    none: list[tuple[datetime, str]] = []
    shards = await asyncio.gather(*(_done(failed, none, _due_in, shard, now) for shard in range(OPEN_SHARDS)))
    # What has waited longest comes first, whatever its shard.
    waiting = sorted(pair for shard in shards for pair in shard)
    due = [execution_id for _, execution_id in waiting[:_MAX_PER_RUN]]
    queued = 0
    for chunk in in_chunks(due, _PAGE):
        queued += await _done(failed, 0, _queue, chunk, now)
    return queued


async def _done(failed: list[Exception], otherwise: _T, do: Callable[..., _T], *arguments: Any) -> _T:
    """Return what a blocking step comes to; where it fails, note that and return `otherwise`."""
    try:
        return await asyncio.to_thread(do, *arguments)
    except Exception as error:  # noqa: BLE001 - raised again when the others have had their turn
        failed.append(error)
        return otherwise


def _due_in(shard: int, now: datetime) -> list[tuple[datetime, str]]:
    found = Execution.by_due.query(open_shard(shard), Execution.due_at <= now, limit=_MAX_PER_RUN)
    return [(execution.due_at or now, execution.id) for execution in found]


def _queue(execution_ids: list[str], now: datetime) -> int:
    # The index lags behind: what it named is read again before anything is done about it.
    found = Execution.find_many(execution_ids, consistent=True).values()
    due = [execution for execution in found if _is_due(execution, now)]
    for execution in due:
        send_orders([_settle(execution)], delivery=_delivery(execution, now))
    return len(due)


def _is_due(execution: Execution, now: datetime) -> bool:
    return execution.active and execution.due_at is not None and execution.due_at <= now


def _settle(execution: Execution) -> OrderMessage:
    return OrderMessage(
        command=Command.SETTLE,
        execution_id=execution.id,
        api_key_id=execution.api_key_id,
        symbol=execution.symbol,
    )


def _resume_fanouts(now: datetime) -> int:
    resumed = 0
    waiting = Trigger.by_pending.query(PENDING, Trigger.created_at <= now - _PENDING_FOR, limit=_PAGE)
    for trigger in Trigger.find_many([found.id for found in waiting], consistent=True).values():
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
    """Ask a trigger's dead-man's question: is it spread by now? If not, send it on, and ask again while it is fresh."""
    trigger = await asyncio.to_thread(Trigger.find, trigger_id)
    if trigger is None or trigger.fanout_state is FanoutState.DONE:
        return
    now = utc_now()
    logger.warning("fanout_taken_over", trigger_id=trigger_id)
    if _is_fresh(trigger.created_at, now):
        await asyncio.to_thread(send_dead_man, [FanoutCheck(trigger_id)])
    await asyncio.to_thread(_send_on, trigger, now)


def _is_fresh(created_at: datetime, now: datetime) -> bool:
    """Tell whether seconds count: later, the watcher's minute is soon enough."""
    return now - created_at <= timedelta(seconds=settings().max_alert_age_s)


def _delivery(execution: Execution, now: datetime) -> str:
    """Name the look by what it is due for: the queue drops a second message about the same.

    The worker of the first may have died, and the queue would bring it back only after its visibility time-out. So one
    that is due since one minute, 3, 7, 15 … has a new name: a queue that lags holds a few looks of each, not one for
    every minute.
    """
    due_at = execution.due_at or execution.updated_at
    minutes = max(int((now - due_at) / _MINUTE), 0)
    return f"due-{to_iso(due_at)}-{(minutes + 1).bit_length()}-{execution.desired.value}"


async def take_over(execution_id: str) -> None:
    """Ask the dead-man's question: is it still due? If so, queue the work, past whatever blocks the key's group.

    The worker that is sent for may die too. So the next question is put first, and the time at which it is due moves
    with it: of any number of messages about one execution a single one goes on, and the others are dropped.
    """
    execution = await asyncio.to_thread(Execution.find, execution_id)
    if execution is None:
        return
    if not execution.active:
        # The worker that ended the execution may have crashed before this step.
        await asyncio.to_thread(end_trigger_if_finished, execution.trigger_id)
        return
    now = utc_now()
    delivery = _delivery(execution, now)
    if _is_due(execution, now + _EARLY):
        if not await asyncio.to_thread(_ask_again, execution, now):
            return
    elif not _close_waits(execution):
        return
    logger.warning("takeover_queued", execution_id=execution_id, state=execution.state.value)
    count_outcome("takeover_queued", state=execution.state.value)
    await asyncio.to_thread(send_orders, [_settle(execution)], delivery=delivery)


def _ask_again(execution: Execution, now: datetime) -> bool:
    """Have the question asked again in a while; False when somebody else has seen to the execution meanwhile."""
    if execution.state is ExecutionState.PROTECTED or (
        execution.state is ExecutionState.QUEUED and not _is_fresh(execution.received_at, now)
    ):
        return True  # the watcher's minute is soon enough
    with conditional_write() as write:
        execution.update(
            actions=[Execution.due_at.set(now + timedelta(seconds=DEAD_MAN_S[0]))],
            condition=Execution.due_at == execution.due_at,
        )
    if write.applied:
        send_dead_man([ReconcileMessage(execution.id)])
    return write.applied


def _close_waits(execution: Execution) -> bool:
    return execution.desired is Desired.CLOSED and execution.state not in _BEING_CLOSED
