"""Lambda behind the queue `notices`: one record per notice, side by side. Decides nothing itself."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from functions.notice_sender.service import send
from shared.messages import read_notice_message
from shared.queues import Queue
from shared.worker import Invocation, Record, batch_deadline_s, run_batch


def lambda_handler(event: Mapping[str, Any], context: Invocation) -> dict[str, Any]:
    """Handle a batch of notices, and return those that SQS must deliver again."""
    # Two messages over slow lines, with the waits of their pace, take 24 s.
    return run_batch(event, _handle, deadline_s=batch_deadline_s(context), queue=Queue.NOTICES)


async def _handle(record: Record) -> None:
    await asyncio.to_thread(send, read_notice_message(record.body).notice_id)
