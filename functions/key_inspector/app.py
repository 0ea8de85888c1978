"""Lambda `KeyInspector`: the schedule of every quarter of an hour, and the records of the queue `keys`."""

from __future__ import annotations

from typing import Any

from functions.key_inspector import service
from shared.messages import read_key_message
from shared.worker import Invocation, Record, batch_deadline_s, run_batch, scheduled_at


def lambda_handler(event: dict[str, Any], context: Invocation) -> dict[str, Any]:
    """Inspect a batch of keys, or, called by the schedule, queue the keys that are due in this quarter of an hour."""
    if "Records" in event:
        # Failed records are delivered again after the queue's visibility time-out, which outlasts a short outage.
        return run_batch(event, _handle, deadline_s=batch_deadline_s(context))
    # The schedule's own time: a repeated event queues the same inspections.
    return service.queue_inspections(scheduled_at(event))


async def _handle(record: Record) -> None:
    await service.inspect(read_key_message(record.body), last_try=record.receive_count >= service.MAX_TRIES)
