"""The exchange's clock as far as we know it: one offset of wall clocks per process. Asks nobody.

An offset of wall clocks, not a moment plus elapsed time: after a freeze or a restore of the container the machine's own
clock is set right, and with it this one.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

TRUSTED_ROUND_TRIP_MS = 1_000
"""A longer one says the time to no better than half of itself, and the exchange refuses what is a second ahead."""
_SAME_ELAPSED_MS = 100
"""Both clocks must say that a measurement took equally long: else the process was frozen, or a clock was set."""


@dataclass(slots=True)
class ServerClock:
    """The exchange's clock minus ours, in milliseconds."""

    offset_ms: int = 0
    measurements: int = 0
    """How often it was tried to measure it."""
    in_step: bool = True
    """Whether the last time went well."""

    def now_ms(self) -> int:
        """Return the exchange's time as far as we know."""
        return time.time_ns() // 1_000_000 + self.offset_ms

    def learn(self, *, server_time_ms: int, asked: Moment, answered: Moment) -> bool:
        """Take the offset from one answer, half the round trip allowed for; False when it is not to be trusted."""
        wall_ms, elapsed_ms = answered.wall_ms - asked.wall_ms, answered.monotonic_ms - asked.monotonic_ms
        if not 0 <= wall_ms <= TRUSTED_ROUND_TRIP_MS or abs(wall_ms - elapsed_ms) > _SAME_ELAPSED_MS:
            return False
        self.offset_ms = server_time_ms - (asked.wall_ms + answered.wall_ms) // 2
        return True


@dataclass(frozen=True, slots=True)
class Moment:
    """One moment on both of the machine's clocks."""

    wall_ms: int
    monotonic_ms: int

    @classmethod
    def now(cls) -> Moment:
        """Return this moment."""
        return cls(time.time_ns() // 1_000_000, time.monotonic_ns() // 1_000_000)


server_clock = ServerClock()
