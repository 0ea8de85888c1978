"""Counts refused alerts by strategy and keeps them for the operator, beside the answer and never in its way.

A strategy that does not exist is counted nowhere but in the log: anybody may name one. A 422 is counted for a sender
who has the secret, since anybody may leave a field out.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from threading import BoundedSemaphore, Thread
from typing import Final

from shared.api import grammar
from shared.api.alert_fields import secret_of
from shared.api.alert_json import Json
from shared.api.alert_secret import has_secret_of
from shared.api.refused_alerts import keep_refused_alert
from shared.models.strategy import Strategy
from shared.observability import count_outcome, logger
from shared.process_state import on_reset, process_cache

UNAUTHORIZED, UNPROCESSABLE = 401, 422

_AT_ONCE: Final = 4
"""Where DynamoDB does not answer, threads would pile up in a flood."""
_LONGEST_S: Final = 5.0
_THREAD: Final = "refusal"


@on_reset
def _wait_for_running() -> None:
    """Wait until what goes on beside the answers has ended, for what it works with is dropped next."""
    for thread in threading.enumerate():
        if thread.name == _THREAD:
            thread.join(_LONGEST_S)


def note_refusal(
    fields: Mapping[str, Json],
    *,
    status: int,
    at: datetime,
    until_s: float,
    faults: Sequence[Mapping[str, object]] = (),
) -> None:
    """Count and keep a refused alert; return by `until_s` of the monotonic clock, whether that is done or not.

    What takes longer goes on while the container serves other alerts.
    """
    places = _places()
    if not places.acquire(blocking=False):
        logger.warning("refusal_not_noted", reason="too many at once")
        return

    def work() -> None:
        try:
            note_now(fields, status=status, at=at, faults=faults)
        except Exception as error:  # noqa: BLE001 - nobody waits for it: the answer does not depend on it
            logger.warning("refusal_not_noted", reason=type(error).__name__)
        finally:
            places.release()

    thread = Thread(target=work, name=_THREAD, daemon=True)
    try:
        thread.start()
    except RuntimeError as error:  # no memory for another thread
        places.release()
        logger.warning("refusal_not_noted", reason=str(error))
        return
    thread.join(max(until_s - time.monotonic(), 0))


def note_now(
    fields: Mapping[str, Json], *, status: int, at: datetime, faults: Sequence[Mapping[str, object]] = ()
) -> None:
    """Count and keep a refused alert of a strategy that exists."""
    named = fields.get("strategy")
    strategy_id = grammar.parse_uuid(named.strip()) if isinstance(named, str) else None
    strategy = None if strategy_id is None else Strategy.find(strategy_id)
    if strategy is None or (status == UNPROCESSABLE and not has_secret_of(strategy, secret_of(fields))):
        return
    reason = "unauthorized" if status == UNAUTHORIZED else "unprocessable"
    count_outcome("strategy_alert_refused", strategy_id=strategy.id, reason=reason)
    keep_refused_alert(fields, strategy_id=strategy.id, status=status, faults=faults, at=at)


@process_cache
def _places() -> BoundedSemaphore:
    return BoundedSemaphore(_AT_ONCE)
