"""Spaces out the requests of one container, should more messages arrive at once than the queue's delays allow."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable

LONGEST_PAUSE_S = 8.0
"""No pause is longer, whatever a key weighed: a batch of messages must be done within its deadline."""

_MINUTE_S = 60


class IntervalPacer:
    """Lets this container begin one piece of work per `interval_s` seconds."""

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._next_s = 0.0

    async def wait(self) -> None:
        """Wait until the next piece of work may begin."""
        now_s = time.monotonic()
        starts_s = max(now_s, self._next_s)
        self._next_s = starts_s + self._interval_s
        await asyncio.sleep(starts_s - now_s)


class WeightPacer:
    """Lets this container use `weight_per_minute` of the exchange's request weight, one key at a time."""

    def __init__(self, weight_per_minute: float) -> None:
        self._weight_per_minute = weight_per_minute
        self._lock = asyncio.Lock()

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncIterator[Callable[[int], None]]:
        """Wait until the previous key has ended and its weight has worn off; yield what adds to this key's weight."""
        used = 0

        def add_weight(weight: int) -> None:
            nonlocal used
            used += weight

        async with self._lock:
            yield add_weight
            pause_s = used * _MINUTE_S / self._weight_per_minute
            await asyncio.sleep(min(pause_s, LONGEST_PAUSE_S))
