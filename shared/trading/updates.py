"""What update alerts ask of a position's stop, and what several of them come to. Moves nothing.

An update states where the stop is to be, at the least. So updates may come twice, late and in any order, and the stop
ends at the same price.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from shared.trading.place import PlaceInTime
from shared.trading.sides import Side
from shared.trading.stop_moves import nearest_stop


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """What one update alert says; None where it says nothing."""

    stop: Decimal | None = None
    breakeven: bool = False
    """Whether the stop is to be at break-even, now and not only after a target."""
    breakeven_after: int | None = None
    """The target, counted from the nearest, after whose fill the stop moves to break-even from now on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Requested:
    """What the updates of a position ask together. It merges in any order and any number of times."""

    stop: Decimal | None = None
    """The requested stop that is nearest to the market."""
    breakeven: bool = False
    breakeven_after: int | None = None
    """Of the latest update that says so; None leaves what the entry says."""
    second: datetime | None = None
    """The second of that update."""

    @classmethod
    def of(cls, update: Update, place: PlaceInTime) -> Requested:
        """Return what one update asks, by its place in time."""
        second = None if update.breakeven_after is None else place.second
        return cls(stop=update.stop, breakeven=update.breakeven, breakeven_after=update.breakeven_after, second=second)

    def merge(self, other: Requested, *, side: Side) -> Requested:
        """Return what both ask of a position on a side.

        The nearest stop wins. The target is that of the later second; of one second, the nearer target's, so that the
        order in which two alerts of a second arrive changes nothing.
        """
        stops = [stop for stop in (self.stop, other.stop) if stop is not None]
        later = max((one for one in (self, other) if one.second is not None), key=_recency, default=self)
        return Requested(
            stop=nearest_stop(side, *stops) if stops else None,
            breakeven=self.breakeven or other.breakeven,
            breakeven_after=later.breakeven_after,
            second=later.second,
        )


def _recency(requested: Requested) -> tuple[datetime, int]:
    if requested.second is None or requested.breakeven_after is None:
        raise ValueError("only an update that names a target has a place")
    return requested.second, -requested.breakeven_after


NOTHING = Requested()
