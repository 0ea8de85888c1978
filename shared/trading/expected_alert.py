"""Judges whether a strategy's next alert is overdue. Pure: knows neither the records nor the clock."""

from __future__ import annotations

from datetime import datetime, timedelta


def overdue_since(
    *, expect_every_min: int | None, last_alert_at: datetime | None, changed_at: datetime, now: datetime
) -> datetime | None:
    """Return from when on the alert has been awaited that is overdue at `now`; None while none is.

    The wait begins with the last alert, or with a later change of the strategy: it may have been switched on, or
    given its expectation, at `changed_at`.
    """
    if expect_every_min is None:
        return None
    awaited_from = changed_at if last_alert_at is None else max(last_alert_at, changed_at)
    return awaited_from if now - awaited_from > timedelta(minutes=expect_every_min) else None
