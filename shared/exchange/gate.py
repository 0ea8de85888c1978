"""The rule of a lane's gate: given the weight that is used, held and wanted, which work goes now. Pure.

The exchange counts weight by address and minute. Work that is admitted holds the weight that it may still use, until it
ends; an entry's hold includes its stop, its look-ups and a flattening, so that no entry opens a position that the lane
could not protect or close. Each kind of work may fill the lane up to its own share. What lies above that share is left
to the kinds before it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType


class Work(StrEnum):
    """The kinds of work that use a lane's weight, the most urgent first."""

    NAKED = "NAKED"
    """Stops, look-ups and flattening of positions that have no stop, or whose entry has an unknown outcome."""
    CLOSE = "CLOSE"
    ENTRY = "ENTRY"
    """An entry with its exits, until it is protected."""
    BOOKING = "BOOKING"
    """Of a position that is closed at the exchange already."""
    LOOK = "LOOK"
    """Reconciling a protected position."""
    BACKGROUND = "BACKGROUND"
    """Balances, imports and inspections."""


SHARE_PCT: Mapping[Work, int] = MappingProxyType(
    {Work.NAKED: 100, Work.CLOSE: 95, Work.ENTRY: 90, Work.BOOKING: 75, Work.LOOK: 65, Work.BACKGROUND: 50}
)
"""How much of the limit may be used and held, all work included, once work of a kind is admitted, in percent."""

LOOKS_PCT = 35
"""Up to this share of the limit, positions are looked at more often than they must be, in percent."""
QUIET_PCT = 10
"""Below so much used and held weight, a lane is quiet."""

_ORDER = {work: number for number, work in enumerate(Work)}


@dataclass(frozen=True, slots=True)
class Budget:
    """A lane's weight in the present minute."""

    limit: int
    used: int
    """Counted by the exchange."""
    held: int = 0
    """What admitted work may still use."""

    def cap(self, work: Work) -> int:
        """Return the sum of used and held weight up to which work of a kind is admitted."""
        return self.limit * SHARE_PCT[work] // 100

    def room(self, work: Work) -> int:
        """Return the weight that work of a kind may take now, 0 or more."""
        return max(self.cap(work) - self.used - self.held, 0)


@dataclass(frozen=True, slots=True)
class Request:
    """Work that wants to begin."""

    work: Work
    weight: int
    """All that it may use until it ends."""
    notional_usdt: Decimal = Decimal(0)
    """The size of its position; of the same kind of work, the largest goes first."""


def who_goes(budget: Budget, waiting: Sequence[Request]) -> list[int]:
    """Return the positions in `waiting` of the requests that go now, in the order in which they go.

    The most urgent kind goes first, then the largest, then who came first. Nothing passes a request that does not fit:
    otherwise much light work would keep a heavy one waiting forever.
    """
    order = sorted(range(len(waiting)), key=lambda n: (_ORDER[waiting[n].work], -waiting[n].notional_usdt, n))
    taken, going = 0, list[int]()
    for number in order:
        request = waiting[number]
        if request.weight > budget.room(request.work) - taken:
            break
        taken += request.weight
        going.append(number)
    return going


def needs_next_window(budget: Budget, request: Request) -> bool:
    """Return whether a request cannot go in this minute, even if nothing were held: too much is used already."""
    return budget.used + request.weight > budget.cap(request.work)


def is_quiet(budget: Budget) -> bool:
    """Return whether so little is used and held that work which can wait need not, even if much is to come yet."""
    return (budget.used + budget.held) * 100 < budget.limit * QUIET_PCT


def looks_in_slack(budget: Budget, *, weight: int) -> int:
    """Return for how many looks of a weight the lane has slack in this minute, beside what is more urgent."""
    return max(budget.limit * LOOKS_PCT // 100 - budget.used - budget.held, 0) // weight
