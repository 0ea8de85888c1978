"""Lambda behind `triggers.fifo`: one record per trigger, in order within a strategy. Decides nothing itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from functions.trigger_fanout.service import fan_out
from shared import messages
from shared.config import settings
from shared.messages import read_trigger_message
from shared.models import base
from shared.queues import Queue
from shared.worker import Invocation, Record, batch_deadline_s, run_batch

if settings().in_lambda:
    # While the container starts, time is cheap: the first trigger finds its clients made.
    base.connect()
    messages.connect()


def lambda_handler(event: Mapping[str, Any], context: Invocation) -> dict[str, Any]:
    """Handle a batch of triggers; answer which of them must come again."""
    return run_batch(event, _handle, deadline_s=batch_deadline_s(context), queue=Queue.TRIGGERS)


async def _handle(record: Record) -> None:
    # Another delivery must not have its messages dropped as repeats of this one's.
    await fan_out(read_trigger_message(record.body), delivery=f"{record.message_id}-{record.receive_count}")
