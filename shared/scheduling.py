"""When an execution is due to be reconciled next: the times that executor, fan-out and watcher share.

`due_at` on an execution is the latest time by which a worker must have reconciled it. The watcher's run, once a minute,
queues what is due; where a minute is too long, a delayed message comes sooner. Sends and stores nothing.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from shared.clock import utc_now

DEAD_MAN_DELAYS_S = (10, 15)
"""Delays of a dead-man message. Two are sent, because the worker that handles the first may crash too."""

WATCH_INTERVAL_S = 60.0
"""Between two runs of the watcher."""

RECHECK_S = 10
"""The shortest time until work is reconciled again that could not be finished."""

_AFTER_RECONCILIATION_S = 20.0
"""Less than WATCH_INTERVAL_S: the watcher's next run would miss what is due 60 s after its last reconciliation."""

_CLOCK_TOLERANCE = timedelta(seconds=1)
"""How far the clocks of two containers may differ."""


def due_in(seconds: float) -> datetime:
    """Return the time `seconds` from now."""
    return utc_now() + timedelta(seconds=seconds)


def due_by_dead_man(now: datetime) -> datetime:
    """Return when the first dead-man message of work that begins now arrives."""
    return now + timedelta(seconds=DEAD_MAN_DELAYS_S[0])


def due_by_next_run() -> datetime:
    """Return a `due_at` that the watcher's next run includes."""
    return due_in(_AFTER_RECONCILIATION_S)


def is_due(due_at: datetime | None, now: datetime) -> bool:
    """Return whether that time has come."""
    return due_at is not None and due_at <= now


def is_due_for_dead_man(due_at: datetime | None, now: datetime) -> bool:
    """Return whether a dead-man message that arrives now is about this `due_at`.

    It may arrive a little early by another container's clock; dropped then, nothing would replace it.
    """
    return is_due(due_at, now + _CLOCK_TOLERANCE)


def overdue_step(due_at: datetime, now: datetime) -> int:
    """Return 1 below one watcher run of delay, 2 below 3 runs, 3 below 7, and so on: steps that double.

    The step is part of a message's deduplication id. A crashed worker's message is replaced at the next step, and a
    queue that lags holds a few messages for an execution, not one for each run.
    """
    runs = max(int((now - due_at).total_seconds() / WATCH_INTERVAL_S), 0)
    return (runs + 1).bit_length()


def back_off_s(since: datetime | None, *, least_s: float) -> float:
    """Return the pause in seconds before work is tried again that has been waiting `since` then.

    It grows with that time, from `least_s` to WATCH_INTERVAL_S.
    """
    age_s = (utc_now() - since).total_seconds() if since is not None else 0.0
    return min(max(least_s, age_s / 4), WATCH_INTERVAL_S)


def needs_dead_man(begun_at: datetime, now: datetime, *, max_alert_age_s: float) -> bool:
    """Return whether the alert is still fresh, so that the watcher's next run would come too late."""
    return now - begun_at <= timedelta(seconds=max_alert_age_s)
