"""Lambda `PositionWatcher`: the minute's schedule, and the delayed messages of the `reconcile` queue."""

from __future__ import annotations

from typing import Any, assert_never

from functions.position_watcher import service
from shared.messages import FanoutCheck, ReconcileMessage, read_reconcile_message
from shared.queues import Queue
from shared.worker import Invocation, Record, batch_deadline_s, run_async, run_batch, scheduled_at


def lambda_handler(event: dict[str, Any], context: Invocation) -> dict[str, Any]:
    """Handle a batch of dead-man messages, or, called by the schedule, queue everything that is due."""
    if "Records" in event:
        return run_batch(event, handle, deadline_s=batch_deadline_s(context), queue=Queue.RECONCILE)
    scheduled_at(event)
    return run_async(service.watch())


async def handle(record: Record) -> None:
    """Handle one dead-man message."""
    message = read_reconcile_message(record.body)
    match message:
        case ReconcileMessage():
            await service.check_execution(message.execution_id)
        case FanoutCheck():
            await service.check_fanout(message.trigger_id)
        case _:
            assert_never(message)
