"""Which open positions are looked at now, of those that no work is known to be due on. Pure.

Those that the market may have touched are looked at at once. The others are looked at for what owners do by hand: every
time while the lane has slack, and none later than the interval.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

RUN = timedelta(seconds=60)
"""Between two choices."""


@dataclass(frozen=True, slots=True)
class Position:
    """An open position that has its stop."""

    execution_id: str
    looked_at: datetime | None
    """When it was last compared with the exchange; None if that is not known, or if it must be every time."""
    touched: bool


def choose_looks(positions: Sequence[Position], *, now: datetime, interval: timedelta, slack: int) -> list[str]:
    """Return the ids of the positions of one lane to look at now, the most urgent first.

    `slack` is how many looks the lane's weight leaves room for beside all that is more urgent. Whatever it is, so many
    of the others follow, the longest unseen first, that all of them are looked at within the interval, evenly over it.
    """
    at_once = [one for one in positions if one.touched or one.looked_at is None]
    others = sorted(
        (one.looked_at, one.execution_id) for one in positions if one.looked_at is not None and not one.touched
    )
    runs = max(interval // RUN - 1, 1)  # a look takes place within a run after it was chosen
    evenly = -(-len(others) // runs)
    overdue = sum(is_overdue(looked_at, now=now, interval=interval) for looked_at, _ in others)
    number = max(evenly, overdue, slack - len(at_once))
    return [*(one.execution_id for one in at_once), *(execution_id for _, execution_id in others[:number])]


def is_overdue(looked_at: datetime, *, now: datetime, interval: timedelta) -> bool:
    """Return whether the next run would be too late for a look within the interval."""
    return now - looked_at >= interval - RUN
