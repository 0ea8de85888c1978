"""Rounds over every active exchange key: whose turn it is, spread over time. Knows what no key is looked at for.

A round goes through the shards of the keys' listing index in runs a quarter of an hour apart, because SQS delays a
message for no longer. Which shards a run takes follows from the clock alone: no run needs to know of another.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime

from shared.messages import KeyMessage, send_keys
from shared.models.exchange_key import LISTED_SHARDS, ExchangeKey

RUN_MINUTES = 15
SPREAD_S = 14 * 60
"""A run's messages are done before the next run's begin."""
DAY_MINUTES = 24 * 60

LONGEST_PAUSE_S = 8.0
"""A key that was long away is followed by no longer pause: a batch of messages must be done within its time."""

_MINUTE_S = 60


@dataclass(frozen=True, slots=True)
class Load:
    """What a round asks of one egress address while it lasts."""

    keys_a_run: int
    keys_a_minute: float
    weight_a_minute: float
    share_pct: float
    """Of the weight that the address has a minute."""


@dataclass(frozen=True, slots=True)
class Round:
    """One look at every key, in `minutes`: a multiple of a quarter of an hour that divides the day."""

    minutes: int

    def __post_init__(self) -> None:
        if self.minutes % RUN_MINUTES or DAY_MINUTES % self.minutes or LISTED_SHARDS % self.runs:
            raise ValueError(f"a round cannot take {self.minutes} minutes")

    @property
    def runs(self) -> int:
        """How many runs it has."""
        return self.minutes // RUN_MINUTES

    def shards_at(self, moment: datetime) -> range:
        """Return the shards whose turn it is in the run of this moment (UTC)."""
        run = (moment.hour * 60 + moment.minute) // RUN_MINUTES % self.runs
        size = LISTED_SHARDS // self.runs
        return range(run * size, (run + 1) * size)

    def queue_run(self, at: datetime, *, wanted: Callable[[ExchangeKey], bool], queue_url: str) -> int:
        """Queue a message for each wanted key of the run of this moment, evenly over it; return how many.

        `wanted` sees what the listing index holds: id, types and lane.
        """
        listed = (key for shard in self.shards_at(at) for key in ExchangeKey.list_shard(shard))
        waiting = [KeyMessage(api_key_id=key.id, asked_at=at) for key in listed if wanted(key)]
        send_keys(waiting, queue_url=queue_url, over_s=SPREAD_S)
        return len(waiting)

    def load(self, *, keys: int, weight: float, limit: int) -> Load:
        """Return what the round comes to for so many keys of one address, evenly spread over the shards.

        `weight` is that of one look, `limit` what the address has a minute.
        """
        keys_a_run = -(-keys // self.runs)
        keys_a_minute = keys_a_run / (SPREAD_S / _MINUTE_S)
        return Load(
            keys_a_run=keys_a_run,
            keys_a_minute=keys_a_minute,
            weight_a_minute=keys_a_minute * weight,
            share_pct=keys_a_minute * weight * 100 / limit,
        )

    def most_keys(self, *, weight: float, limit: int, share_pct: float) -> int:
        """Return how many keys of one address a round holds within a share of its weight."""
        return int(limit * share_pct / 100 / weight * (SPREAD_S / _MINUTE_S)) * self.runs


class Turns:
    """Keeps a container's looks apart, should more messages come at once than the delays allow."""

    def __init__(self, apart_s: float) -> None:
        self._apart_s = apart_s
        self._next_s = 0.0

    async def take(self) -> None:
        """Wait until this container may begin its next look."""
        now_s = time.monotonic()
        turn_s = max(now_s, self._next_s)
        self._next_s = turn_s + self._apart_s
        await asyncio.sleep(turn_s - now_s)


class WeightPace:
    """Lets a container ask for one key after another, each when the weight of the one before has worn off."""

    def __init__(self, weight_a_minute: float) -> None:
        self._weight_a_minute = weight_a_minute
        self._lock = asyncio.Lock()

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncIterator[Callable[[int], None]]:
        """Wait for this container's turn, and hold the next one back by the weight that is reported."""
        weighed = 0

        def weighs(weight: int) -> None:
            nonlocal weighed
            weighed += weight

        async with self._lock:
            yield weighs
            pause_s = weighed * _MINUTE_S / self._weight_a_minute
            await asyncio.sleep(min(pause_s, LONGEST_PAUSE_S))
