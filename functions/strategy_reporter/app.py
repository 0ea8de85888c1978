"""Lambda `StrategyReporter`: the daily schedule, the weekly letter's, and the records of the queue `strategy-reports`.

An operator may call it with `{"strategy_id": "…"}` to report one strategy now, or with the letter's event,
`{"letter": "WEEKLY"}`, and `"before": "2026-11-23"` for the last week before another day.
"""

from __future__ import annotations

import asyncio
from typing import Any, assert_never

from functions.strategy_reporter import letter, service
from shared.clock import utc_now
from shared.messages import StrategyPageMessage, StrategyReportMessage, read_strategy_report_message
from shared.worker import (
    Invocation,
    Record,
    UnknownEvent,
    batch_deadline_s,
    day_named_in,
    id_named_in,
    run_batch,
    scheduled_at,
)

_WEEKLY = "WEEKLY"


def lambda_handler(event: dict[str, Any], context: Invocation) -> dict[str, Any]:
    """Handle a batch of pages and strategies; or queue one strategy, send the letter, or begin the daily reports."""
    if "Records" in event:
        return run_batch(event, _handle, deadline_s=batch_deadline_s(context))
    if "strategy_id" in event:
        return service.queue_strategy(id_named_in(event, "strategy_id"), before=utc_now().date())
    if "letter" in event:
        if event["letter"] != _WEEKLY:
            raise UnknownEvent(f"nothing done: letter is not {_WEEKLY}")
        return letter.send_weekly(before=day_named_in(event))
    return service.start_reports(before=scheduled_at(event).date())


async def _handle(record: Record) -> None:
    match read_strategy_report_message(record.body):
        case StrategyPageMessage() as page:
            await asyncio.to_thread(service.fan_out_page, page)
        case StrategyReportMessage() as one:
            await service.report_strategy(one, last_try=record.receive_count >= service.MAX_TRIES)
        case message:
            assert_never(message)
