"""Lambda `OrderExecutor` of one lane: the records of its queue, one exchange key's in order, others' beside."""

from __future__ import annotations

import time
from typing import Any

from functions.order_executor import account_cache, service
from shared.config import settings
from shared.exchange.public_time import read_clock_offset_ms
from shared.messages import read_order_message
from shared.queues import Queue
from shared.worker import Invocation, Record, batch_deadline_s, run_async, run_batch

if settings().in_lambda:
    account_cache.prepare()


def lambda_handler(event: dict[str, Any], context: Invocation) -> dict[str, Any]:
    """Handle a batch; what failed comes again, with the later records of its own key only.

    An operator's `{"check": "exchange"}` is answered with the exchange's clock, as seen from the lane's address.
    """
    if event.get("check") == "exchange":
        lane = settings().lane
        return {"lane": lane, "clock_offset_ms": run_async(read_clock_offset_ms(lane))}
    # Before the time-out, so that a group that hangs still returns its lease.
    deadline_s = batch_deadline_s(context)
    ends_at_s = time.monotonic() + deadline_s

    async def handle(record: Record) -> None:
        await service.handle(read_order_message(record.body), lane=settings().lane, ends_at_s=ends_at_s)

    return run_batch(event, handle, deadline_s=deadline_s, queue=Queue.ORDERS)
