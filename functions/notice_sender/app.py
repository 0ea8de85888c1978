"""Lambda behind the queue `notices`: one record per notice, side by side. Decides nothing itself."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from functions.notice_sender.service import send
from shared.config import settings
from shared.messages import read_notice_message
from shared.worker import Record, run_batch

DEADLINE_S = 26.0
"""Below the function's own time-out of 30 s; two messages over slow lines and their turns take 24 s."""


def lambda_handler(event: Mapping[str, Any], context: object) -> dict[str, Any]:
    """Handle a batch of notices; answer which of them must come again."""
    del context
    return run_batch(event, _handle, deadline_s=DEADLINE_S, queue_url=settings().notices_queue_url)


async def _handle(record: Record) -> None:
    await asyncio.to_thread(send, read_notice_message(record.body).notice_id)
