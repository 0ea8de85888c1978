"""The rule that says which egress lane takes the work of a follower: entries by weight, everything else by its home.

An entry goes where most weight is left, so that a strategy's followers spread over the lanes that their keys bind. Work
on a position stays on the lane that it was entered by, and leaves it while the exchange bans that lane's address.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

FIRST_LANE = "lane-1"
"""Part of every deployment. Every key binds its address, because all that is not an order's is asked from there."""

LANES = tuple(f"lane-{number}" for number in range(1, 18))
"""Every lane that a deployment may have: its network has room for as many."""

_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class LaneState:
    """What is known of a lane that has an executor."""

    room: int = 0
    """The weight that entries may still take in this minute."""
    banned_until: datetime | None = None
    """The end of a ban that has not ended."""
    paused: bool = False
    """The exchange has asked for fewer requests: no entry begins."""
    halted: bool = False
    """An operator, or refusals of many keys, have halted its entries; exits leave by another lane if they can."""


def bound_lanes(named: Sequence[str]) -> tuple[str, ...]:
    """Return the lanes whose addresses a key binds: those that it names, then the first lane."""
    return tuple(dict.fromkeys([*named, FIRST_LANE]))


def lane_of_work(named: Sequence[str], lanes: Mapping[str, LaneState], *, home: str) -> str:
    """Return the lane that takes work on a position, or an order to close it.

    `named` are the lanes that the key names, `lanes` those that have an executor, the first lane among them. It is the
    lane of the entry unless that is banned or halted; of banned lanes it is the one whose ban ends first. The first
    lane comes last where the key does not name it.
    """

    def rank(lane: str) -> tuple[object, ...]:
        state = lanes[lane]
        return state.banned_until or _NEVER, state.halted, lane not in named, lane != home, -state.room

    return min(_candidates(named, lanes), key=rank)


@dataclass(slots=True)
class EntrySpread:
    """Spreads entries over lanes; remembers how much weight it has given out of each."""

    lanes: Mapping[str, LaneState]
    """Those that have an executor, the first lane among them."""
    weight: int
    """Of one entry."""
    taken: Counter[str] = field(default_factory=Counter)

    def choose(self, named: Sequence[str]) -> str:
        """Return the lane that takes one more entry of a key, by the lanes that it names.

        It is never one that is banned, halted or paused while another could take it. Beyond the weight of all its
        lanes it is the one that will have weight again for it first.
        """

        def rank(lane: str) -> tuple[object, ...]:
            state = self.lanes[lane]
            room = state.room - self.taken[lane]
            return state.banned_until or _NEVER, state.halted, lane not in named, state.paused, -room

        lane = min(_candidates(named, self.lanes), key=rank)
        self.taken[lane] += self.weight
        return lane

    def choose_all(self, named: Sequence[Sequence[str]]) -> list[str]:
        """Return a lane for each of several keys. Keys that bind few lanes choose first: the others can give way."""
        order = sorted(range(len(named)), key=lambda n: len(_candidates(named[n], self.lanes)))
        chosen = {number: self.choose(named[number]) for number in order}
        return [chosen[number] for number in range(len(named))]


def _candidates(named: Sequence[str], lanes: Mapping[str, LaneState]) -> list[str]:
    return [lane for lane in bound_lanes(named) if lane in lanes] or [FIRST_LANE]
