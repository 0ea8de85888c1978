"""Lambda `SubscriptionRecorder` behind `stripe-events.fifo`: one record per event. Decides nothing itself."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from functions.subscription_recorder.service import apply_event
from shared.messages import read_stripe_event_message
from shared.queues import Queue
from shared.worker import Invocation, Record, batch_deadline_s, run_batch


def lambda_handler(event: Mapping[str, Any], context: Invocation) -> dict[str, Any]:
    """Handle a batch of events, and return those that SQS must deliver again."""
    return run_batch(
        event,
        _handle,
        deadline_s=batch_deadline_s(context),
        queue=Queue.STRIPE_EVENTS,
    )


async def _handle(record: Record) -> None:
    await asyncio.to_thread(apply_event, read_stripe_event_message(record.body).event_id)
