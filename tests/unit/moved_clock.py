"""A monotonic clock for what reads `time.monotonic()`, so that no test waits for a cache or a pause to end."""

from __future__ import annotations


class MovedClock:
    """A monotonic clock that the test moves, in the place of the module `time`."""

    def __init__(self) -> None:
        self.now = 1000.0
        """Seconds."""

    def monotonic(self) -> float:
        return self.now
