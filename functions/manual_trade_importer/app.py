"""Lambda `ManualTradeImporter`: the schedule of every quarter of an hour, and the records of the queue `imports`."""

from __future__ import annotations

from typing import Any

from functions.manual_trade_importer import service
from shared.clock import utc_now
from shared.messages import read_key_message
from shared.worker import Invocation, Record, batch_deadline_s, id_named_in, run_batch, scheduled_at


def lambda_handler(event: dict[str, Any], context: Invocation) -> dict[str, Any]:
    """Import from a batch of keys; or queue one key, or (called by the schedule) the keys that are due in this run."""
    if "Records" in event:
        return run_batch(event, _handle, deadline_s=batch_deadline_s(context))
    if "api_key_id" in event:
        return service.queue_key(id_named_in(event, "api_key_id"), at=utc_now())
    return service.queue_round(scheduled_at(event))


async def _handle(record: Record) -> None:
    await service.import_trades(read_key_message(record.body), last_try=record.receive_count >= service.MAX_TRIES)
