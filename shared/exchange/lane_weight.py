"""A lane's weight in the exchange's present minute, as one process knows it. Reads and writes nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from shared.clock import from_ms, to_ms
from shared.config import settings
from shared.exchange import weights
from shared.exchange.gate import Budget
from shared.exchange.server_clock import server_clock
from shared.models.egress_lane import EgressLane, Minute

_EDGE_MS = 1_000
"""A response this close to the start of a minute may carry the count of the minute before.

It does not if it is lower by half: nobody uses half of a minute's weight between two responses. Nor does it if a
response of this minute came before its request was sent.
"""
_PUBLISH_ABOVE_PCT = 5
"""The record is updated when the exchange counts this much more than it, in percent of the limit."""


def minute_ms() -> int:
    """Return the start of the exchange's present minute, in Unix milliseconds."""
    now_ms = server_clock.now_ms()
    return now_ms - now_ms % weights.WINDOW_MS


def present_minute() -> Minute:
    """Return the exchange's present minute."""
    return Minute(from_ms(minute_ms()), timedelta(milliseconds=weights.WINDOW_MS))


@dataclass(slots=True)
class _FirstSecond:
    """What the responses of a minute's first second say whose count may be of the minute before."""

    minute: int = 0
    count: int | None = None
    """The first of their counts, of a request that was sent in that second."""
    came_at_ms: int = 0
    """When that count came."""
    certain: int = 0
    """What was certainly used around the minute's start."""


@dataclass(slots=True)
class LaneWeight:
    """What the exchange has counted by its latest response, and what the lane's record says of all containers."""

    _own_limit: int | None = None
    _seen: tuple[int, int] = (0, 0)
    """Minute and count of the exchange, from its latest response."""
    _seen_since_ms: int = 0
    """When the first response of that minute came."""
    _seen_asked_ms: int = 0
    """When the request of the latest response was sent."""
    _seen_before: tuple[int, int] = (0, 0)
    """Minute and count of an earlier minute."""
    _doubted: _FirstSecond = field(default_factory=_FirstSecond)
    """Of the last minute in whose first second a response was not believed."""
    _recorded: tuple[int, int] = (0, 0)
    """Minute and count of the table's record, as last read."""
    _recorded_before: tuple[int, int] = (0, 0)
    """The same of an earlier minute; the hold that begins a minute replaces the count of the one before."""
    _held: tuple[int, int] = (0, 0)
    """What is held in the minute of the record, and in the one before."""

    def record_usage(self, used: int, *, asked_at_ms: int) -> None:
        """Take over how much weight a response says was used, unless it may be the count of the minute before."""
        minute = minute_ms()
        if self._may_be_of_minute_before(used, minute=minute, asked_at_ms=asked_at_ms):
            self._doubt(used, minute=minute, asked_at_ms=asked_at_ms)
            return
        if self._seen[0] < minute:
            self._seen_before = self._seen
            self._seen_since_ms = server_clock.now_ms()
            self._seen = (minute, used)
        self._seen = (minute, max(self._seen[1], used))
        self._seen_asked_ms = max(self._seen_asked_ms, asked_at_ms)

    def _may_be_of_minute_before(self, used: int, *, minute: int, asked_at_ms: int) -> bool:
        if asked_at_ms < minute:
            return True
        if asked_at_ms >= minute + _EDGE_MS or (self._seen[0] == minute and asked_at_ms >= self._seen_since_ms):
            return False
        return 2 * used > self._count_before(minute)

    def _doubt(self, used: int, *, minute: int, asked_at_ms: int) -> None:
        """Take over what was certainly used by a count that may be of either minute.

        That is by how much it is more than an earlier count, or all of it if it is less: then the minute began between
        them. The earlier count came before the request was sent, because responses may overtake each other, and its
        own request was sent around the minute's start, because others use weight of which this process does not hear.
        """
        if self._doubted.minute < minute:
            self._doubted = _FirstSecond(minute)
        if asked_at_ms < minute:
            return
        doubted = self._doubted
        if self._seen[0] == minute - weights.WINDOW_MS and self._seen_asked_ms >= minute - _EDGE_MS:
            earlier = self._seen[1]
        elif doubted.count is None:
            doubted.count, doubted.came_at_ms = used, server_clock.now_ms()
            return
        elif asked_at_ms >= doubted.came_at_ms:
            earlier = doubted.count
        else:
            return
        doubted.certain = max(doubted.certain, used if used < earlier else used - earlier)

    def update_from(self, record: EgressLane) -> None:
        """Take over what other containers know."""
        self._own_limit = record.weight_limit
        if record.minute is not None:
            if self._recorded[0] < to_ms(record.minute):
                self._recorded_before = self._recorded
            self._recorded = (to_ms(record.minute), record.used_weight)
            self._held = (record.held_weight, record.held_before)

    def uncounted_for_s(self) -> float:
        """Return for how many seconds what was used since this minute's start may still be uncounted."""
        minute = minute_ms()
        if self._doubted.minute != minute:
            return 0.0
        return max(minute + _EDGE_MS - server_clock.now_ms(), 0) / 1000

    def _count_before(self, minute: int) -> int:
        """Return the count of the minute before, as far as this process has heard of it."""
        before = minute - weights.WINDOW_MS
        known = (self._seen, self._seen_before, self._recorded, self._recorded_before)
        return max((count for start, count in known if start == before), default=0)

    @property
    def seen(self) -> int:
        """The exchange's count of this minute, as far as this process has heard of it.

        What was certainly used in the first second is counted when that is over, until a response says more.
        """
        minute = minute_ms()
        if self._seen[0] == minute:
            return self._seen[1]
        is_counted = self._doubted.minute == minute and self.uncounted_for_s() == 0
        return self._doubted.certain if is_counted else 0

    @property
    def limit(self) -> int:
        """The lane's weight a minute."""
        return self._own_limit or settings().lane_weight_per_minute

    def budget(self, *, with_record: bool = True) -> Budget:
        """Return what is used and held of this minute's weight; without the record, by this process's own responses."""
        minute = minute_ms()
        recorded_ms, recorded = self._recorded
        if not with_record or recorded_ms < minute - weights.WINDOW_MS:
            return Budget(self.limit, self.seen)
        if recorded_ms < minute:
            return Budget(self.limit, self.seen, self._held[0])  # holds outlast their minute, its count does not
        return Budget(self.limit, max(self.seen, recorded), sum(self._held))

    def is_worth_publishing(self) -> bool:
        """Return whether the exchange has counted much more than the record says; then the caller publishes it."""
        minute = minute_ms()
        known = self._recorded[1] if self._recorded[0] == minute else 0
        return (self.seen - known) * 100 >= self.limit * _PUBLISH_ABOVE_PCT
