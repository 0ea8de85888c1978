"""Which executions need the order executor, and which triggers the fan-out. Decides nothing about their state."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from shared.clock import to_iso, utc_now
from shared.messages import Command, OrderMessage, TriggerMessage, send_orders, send_trigger
from shared.models.base import in_chunks
from shared.models.execution import OPEN_SHARDS, Execution, open_shard
from shared.models.trigger import PENDING, FanoutState, Trigger
from shared.observability import count_outcome, logger
from shared.trading.execution import Desired, ExecutionState

_PAGE = 100
_MAX_PER_RUN = 5_000
"""What one run takes up; the rest is still due a minute later, and the alarm on its age rings."""
_PENDING_FOR = timedelta(seconds=15)
"""A trigger that is stored for longer than this without its fan-out being done was perhaps never queued."""

_BEING_CLOSED = frozenset({ExecutionState.CLOSING, ExecutionState.FLATTENING})


async def watch() -> dict[str, int]:
    """Queue a look at every execution that is due, and the fan-out of every trigger that is waiting."""
    now = utc_now()
    executions = await _settle_due(now)
    triggers = await asyncio.to_thread(_resume_fanouts, now)
    if executions or triggers:
        logger.info("watch_done", executions=executions, triggers=triggers)
    return {"executions": executions, "triggers": triggers}


async def _settle_due(now: datetime) -> int:
    shards = await asyncio.gather(*(asyncio.to_thread(_due_in, shard, now) for shard in range(OPEN_SHARDS)))
    # What has waited longest comes first, whatever its shard.
    waiting = sorted(pair for shard in shards for pair in shard)
    due = [execution_id for _, execution_id in waiting[:_MAX_PER_RUN]]
    queued = 0
    for chunk in in_chunks(due, _PAGE):
        queued += await asyncio.to_thread(_queue, chunk, now)
    return queued


def _due_in(shard: int, now: datetime) -> list[tuple[datetime, str]]:
    found = Execution.by_due.query(open_shard(shard), Execution.due_at <= now, limit=_MAX_PER_RUN)
    return [(execution.due_at or now, execution.id) for execution in found]


def _queue(execution_ids: list[str], now: datetime) -> int:
    # The index lags behind: what it named is read again before anything is done about it.
    found = Execution.find_many(execution_ids, consistent=True).values()
    due = [execution for execution in found if _is_due(execution, now)]
    for execution in due:
        send_orders([_settle(execution)], delivery=_delivery(execution))
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
        send_trigger(
            TriggerMessage(trigger_id=trigger.id, strategy_id=trigger.strategy_id),
            dedup_id=f"{trigger.id}-watch-{to_iso(now)}",
        )
        count_outcome("fanout_resumed")
        resumed += 1
    return resumed


def _delivery(execution: Execution) -> str:
    """Name the look by what it is due for: the queue drops a second message about the same."""
    return f"due-{to_iso(execution.due_at or execution.updated_at)}-{execution.desired.value}"


async def take_over(execution_id: str) -> None:
    """Ask the dead-man's question: is it still due? If so, queue the work, past whatever blocks the key's group."""
    execution = await asyncio.to_thread(Execution.find, execution_id)
    if execution is None or not execution.active or not (_is_due(execution, utc_now()) or _close_waits(execution)):
        return
    logger.warning("takeover_queued", execution_id=execution_id, state=execution.state.value)
    count_outcome("takeover_queued", state=execution.state.value)
    await asyncio.to_thread(send_orders, [_settle(execution)], delivery=_delivery(execution))


def _close_waits(execution: Execution) -> bool:
    return execution.desired is Desired.CLOSED and execution.state not in _BEING_CLOSED
