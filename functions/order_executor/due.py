"""When an execution is due next: with the watcher's minute, or sooner by a message of its own."""

from __future__ import annotations

from datetime import datetime, timedelta

from shared.clock import from_iso, utc_now
from shared.models.execution import Execution

WATCH_EVERY_S = 60.0
"""The watcher's minute."""
_AFTER_A_LOOK_S = 20.0
"""What is due 60 s after a look the watcher's next minute misses, by as long as the look took."""


def due_in(seconds: float) -> datetime:
    """Return when the execution must be looked at again, if nobody has by then."""
    return utc_now() + timedelta(seconds=seconds)


def due_next_minute() -> datetime:
    """Return when an execution that has been looked at is due, so that the watcher's next minute takes it."""
    return due_in(_AFTER_A_LOOK_S)


def back_off_s(execution: Execution, *, least_s: float) -> float:
    """Return for how long to leave an execution: longer the longer it is in its state, the watcher's minute at most."""
    since = execution.state_times.get(execution.state.value)
    age_s = (utc_now() - from_iso(since)).total_seconds() if since else 0.0
    return min(max(least_s, age_s / 4), WATCH_EVERY_S)
