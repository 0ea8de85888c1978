"""Lambda behind the stream of the table `execution_events`: what happened to a trade, as it was written down.

A batch is told event by event; if one could not be, the whole batch comes again. Notices go once for each cause, so
that the others are not told twice; a batch that keeps failing is halved until the event stands alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from functions.trade_notifier.service import Event, tell
from shared.clock import from_iso
from shared.errors import LockstepError
from shared.observability import logger
from shared.trading.execution import ExecutionState


class EventsNotTold(LockstepError):
    """Some events of a batch could not be told."""


def lambda_handler(event: Mapping[str, Any], context: object) -> None:
    """Tell a batch of events; raise EventsNotTold when it must come again."""
    del context
    failed = 0
    for record in event.get("Records", []):
        try:
            if record["eventName"] == "INSERT":
                tell(_read(record["dynamodb"]["NewImage"]))
        except Exception as error:  # noqa: BLE001 - a record ends here
            failed += 1
            keys = record.get("dynamodb", {}).get("Keys", {})
            execution_id = keys.get("execution_id", {}).get("S")
            logger.error("event_failed", execution_id=execution_id, error=type(error).__name__)
    if failed:
        raise EventsNotTold(f"{failed} event(s)")


def _read(image: Mapping[str, Any]) -> Event:
    return Event(
        execution_id=image["execution_id"]["S"],
        state=ExecutionState(image["state"]["S"]),
        reason=image.get("reason", {}).get("S"),
        at=from_iso(image["at"]["S"]),
    )
