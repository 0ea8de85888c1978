"""Lambda `SubscriptionRecorder` behind `stripe-events.fifo`: one record per event. Decides nothing itself."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from functions.subscription_recorder.service import record_event
from shared.config import settings
from shared.messages import read_stripe_event_message
from shared.worker import GRACE_S, Record, run_batch

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

_RESERVE_S = 2.0
"""Left for the answer: a function that is cut off fails the whole batch."""


def lambda_handler(event: Mapping[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Handle a batch of events; answer which of them must come again."""
    remaining_s = context.get_remaining_time_in_millis() / 1000
    return run_batch(
        event,
        _handle,
        deadline_s=max(remaining_s - GRACE_S - _RESERVE_S, 0.0),
        queue_url=settings().stripe_events_queue_url,
    )


async def _handle(record: Record) -> None:
    await asyncio.to_thread(record_event, read_stripe_event_message(record.body).event_id)
