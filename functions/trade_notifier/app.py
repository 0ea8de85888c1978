"""Lambda behind the streams of `execution_events` and `exchange_keys`: notifies users of their trades and refused keys.

A batch is handled event by event. If one event fails, the whole batch is delivered again; a notice is sent once for
each cause, so the other events send no second one. A batch that keeps failing is halved until the event is alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from functions.trade_notifier.key_refusals import notify_of_change
from functions.trade_notifier.service import Event, notify_of
from shared.clock import from_iso
from shared.errors import LockstepError
from shared.observability import logger
from shared.trading.execution import ExecutionState


class NoticesNotQueued(LockstepError):
    """The notices of some events could not be queued."""


def lambda_handler(event: Mapping[str, Any], context: object) -> None:
    """Notify of a batch of events; raise NoticesNotQueued when it must be delivered again."""
    del context
    failed = 0
    for record in event.get("Records", []):
        try:
            _notify_of_record(record["eventName"], record["dynamodb"])
        except Exception as error:  # noqa: BLE001 - a record ends here
            failed += 1
            keys = record.get("dynamodb", {}).get("Keys", {})
            ids = {name: value["S"] for name, value in keys.items() if "S" in value}
            logger.error("event_failed", error=type(error).__name__, **ids)
    if failed:
        raise NoticesNotQueued(f"{failed} event(s)")


def _notify_of_record(event_name: str, change: Mapping[str, Any]) -> None:
    of_key = set(change["Keys"]) == {"id"}
    if of_key and event_name == "MODIFY":
        notify_of_change(change["OldImage"], change["NewImage"])
    elif not of_key and event_name == "INSERT":
        notify_of(_read(change["NewImage"]))


def _read(image: Mapping[str, Any]) -> Event:
    return Event(
        execution_id=image["execution_id"]["S"],
        state=ExecutionState(image["state"]["S"]),
        reason=image.get("reason", {}).get("S"),
        at=from_iso(image["at"]["S"]),
    )
