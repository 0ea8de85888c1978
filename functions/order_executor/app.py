"""Lambda `OrderExecutor`: the records of `orders.fifo`, one exchange key's in order, different keys' side by side."""

from __future__ import annotations

import time
from typing import Any

from functions.order_executor import accounts, service
from shared.config import settings
from shared.messages import read_order_message
from shared.worker import Record, run_batch

DEADLINE_S = 26.0
"""Below the function's own time-out of 30 s, so that a group that hangs still returns its lease."""

if settings().in_lambda:
    accounts.prepare()


def lambda_handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Handle a batch; what failed comes again, with the later records of its own key only."""
    del context
    ends_at_s = time.monotonic() + DEADLINE_S

    async def handle(record: Record) -> None:
        await service.handle(read_order_message(record.body), ends_at_s=ends_at_s)

    return run_batch(event, handle, deadline_s=DEADLINE_S, queue_url=settings().orders_queue_url)
