"""What update alerts ask of a position's exits, and what several of them come to. Moves nothing.

An update states where the stop is to be, at the least, and which take-profits there are to be. So updates may come
twice, late and in any order, and the position ends with the same exits.
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
    take_profits: tuple[Decimal, ...] = ()
    """What takes the place of the present targets; none leaves them."""


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
    take_profits: tuple[Decimal, ...] = ()
    """Of the latest update that has some, the lowest first."""
    targets_second: datetime | None = None
    """The second of that update."""

    @classmethod
    def of(cls, update: Update, place: PlaceInTime) -> Requested:
        """Return what one update asks, by its place in time."""
        second = None if update.breakeven_after is None else place.second
        return cls(
            stop=update.stop,
            breakeven=update.breakeven,
            breakeven_after=update.breakeven_after,
            second=second,
            take_profits=tuple(sorted(update.take_profits)),
            targets_second=place.second if update.take_profits else None,
        )

    def merge(self, other: Requested, *, side: Side) -> Requested:
        """Return what both ask of a position on a side.

        The nearest stop wins. The target and the take-profits are those of the later second. Within a second the nearer
        target wins, and the take-profits with the higher prices, so that the order in which two alerts of a second
        arrive changes nothing.
        """
        dated = [one for one in (self, other) if one.targets_second is not None]
        targets = max(dated, key=_recency_of_targets, default=self)
        stops = [stop for stop in (self.stop, other.stop) if stop is not None]
        later = max((one for one in (self, other) if one.second is not None), key=_recency, default=self)
        return Requested(
            stop=nearest_stop(side, *stops) if stops else None,
            breakeven=self.breakeven or other.breakeven,
            breakeven_after=later.breakeven_after,
            second=later.second,
            take_profits=targets.take_profits,
            targets_second=targets.targets_second,
        )


def _recency(requested: Requested) -> tuple[datetime, int]:
    if requested.second is None or requested.breakeven_after is None:
        raise ValueError("only an update that names a target has a place")
    return requested.second, -requested.breakeven_after


def _recency_of_targets(requested: Requested) -> tuple[datetime, tuple[Decimal, ...]]:
    if requested.targets_second is None:
        raise ValueError("only an update that has take-profits has a place")
    return requested.targets_second, requested.take_profits


NOTHING = Requested()
