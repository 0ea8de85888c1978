"""The exchange's clock, as an offset from this machine's wall clock; one per process. Sends no request.

An offset of wall clocks, not a moment plus elapsed time: after a freeze or a restore of the container the machine's
clock is corrected, and this one with it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from shared.process_state import on_reset

TRUSTED_ROUND_TRIP_MS = 1_000
"""The error of a measurement is up to half its round trip, and the exchange refuses timestamps a second ahead."""
_SAME_ELAPSED_MS = 100
"""If the machine's two clocks differ by more about a measurement, the process was frozen or a clock was set."""


@dataclass(slots=True)
class ServerClock:
    """The exchange's clock minus ours, in milliseconds."""

    offset_ms: int = 0
    measurements: int = 0
    """Number of attempts to measure it."""
    in_sync: bool = True
    """Whether the last attempt succeeded."""

    def reset(self) -> None:
        """Forget every measurement."""
        self.offset_ms = self.measurements = 0
        self.in_sync = True

    def now_ms(self) -> int:
        """Return the exchange's time, by the last measurement."""
        return time.time_ns() // 1_000_000 + self.offset_ms

    def update_from(self, *, server_time_ms: int, asked: Moment, answered: Moment) -> bool:
        """Set the offset from one response, at half its round trip; return False if the measurement is unreliable."""
        wall_ms, elapsed_ms = answered.wall_ms - asked.wall_ms, answered.monotonic_ms - asked.monotonic_ms
        if not 0 <= wall_ms <= TRUSTED_ROUND_TRIP_MS or abs(wall_ms - elapsed_ms) > _SAME_ELAPSED_MS:
            return False
        self.offset_ms = server_time_ms - (asked.wall_ms + answered.wall_ms) // 2
        return True


@dataclass(frozen=True, slots=True)
class Moment:
    """One moment on the machine's wall clock and its monotonic clock."""

    wall_ms: int
    monotonic_ms: int

    @classmethod
    def now(cls) -> Moment:
        """Return this moment."""
        return cls(time.time_ns() // 1_000_000, time.monotonic_ns() // 1_000_000)


server_clock = ServerClock()
on_reset(server_clock.reset)
