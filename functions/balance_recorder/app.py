"""Lambda `BalanceRecorder`: the daily schedule, calls on demand, and the records of the queue `balances`."""

from __future__ import annotations

from typing import Any

from functions.balance_recorder import service
from shared.clock import utc_now
from shared.messages import read_key_message
from shared.worker import Invocation, Record, batch_deadline_s, id_named_in, run_batch, scheduled_at


def lambda_handler(event: dict[str, Any], context: Invocation) -> dict[str, Any]:
    """Record a batch of keys; or queue one key, a user's keys, or (called by the schedule) the keys that are due."""
    if "Records" in event:
        # Failed records are delivered again after the queue's visibility time-out, which outlasts a short outage.
        return run_batch(event, _handle, deadline_s=batch_deadline_s(context))
    if "api_key_id" in event:
        return service.queue_keys([id_named_in(event, "api_key_id")], at=utc_now())
    if "user_id" in event:
        return service.queue_user(id_named_in(event, "user_id"), at=utc_now())
    # The schedule's own time: a repeated event queues the same messages.
    return service.queue_round(scheduled_at(event))


async def _handle(record: Record) -> None:
    await service.record_balance(read_key_message(record.body), last_try=record.receive_count >= service.MAX_TRIES)
