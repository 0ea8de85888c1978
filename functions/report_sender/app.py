"""Lambda `ReportSender`: the schedules' `{"report": "WEEKLY"}`, and the messages of the queue `reports`.

An operator may send the schedule's event again, with `"before": "2026-11-23"` for the last period before another day.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, assert_never

from functions.report_sender import service
from shared.messages import Report, ReportMessage, ReportPageMessage, read_report_message
from shared.queues import Queue
from shared.worker import Invocation, Record, UnknownEvent, batch_deadline_s, day_named_in, run_batch


def lambda_handler(event: Mapping[str, Any], context: Invocation) -> dict[str, Any]:
    """Handle a batch of pages and users, or, called by a schedule, queue the first page."""
    if "Records" in event:
        return run_batch(event, _handle, deadline_s=batch_deadline_s(context), queue=Queue.REPORTS)
    period = service.start_reports(_report_named_in(event), before=day_named_in(event))
    return {"period": None if period is None else period.cause}


def _report_named_in(event: Mapping[str, Any]) -> Report:
    try:
        return Report(str(event.get("report")))
    except ValueError as error:
        raise UnknownEvent(f"nothing done: report is none of {', '.join(Report)}") from error


async def _handle(record: Record) -> None:
    match read_report_message(record.body):
        case ReportPageMessage() as page:
            await asyncio.to_thread(service.fan_out_page, page)
        case ReportMessage() as one:
            await asyncio.to_thread(service.create_report, one)
        case message:
            assert_never(message)
