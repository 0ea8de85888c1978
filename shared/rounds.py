"""Rounds over every active exchange key: whose turn it is, evenly over time. Does not know what a key is queued for.

A round goes through the shards of the keys' listing index in runs a quarter of an hour apart, the longest delay of an
SQS message. Which shards a run takes follows from the clock alone, so that no run depends on another.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from shared.messages import KeyMessage, send_keys
from shared.models.exchange_key import LISTED_SHARDS, ExchangeKey
from shared.queues import Queue

RUN_MINUTES = 15
SPREAD_S = 14 * 60
"""A run's messages are delivered before the next run's begin."""
DAY_MINUTES = 24 * 60

_MINUTE_S = 60


@dataclass(frozen=True, slots=True)
class Load:
    """What a round takes of one egress address's request weight while it lasts."""

    keys_per_run: int
    keys_per_minute: float
    weight_per_minute: float
    share_pct: float
    """Of the weight that the address has per minute."""


@dataclass(frozen=True, slots=True)
class Round:
    """One message for every key, over `minutes`: a multiple of a quarter of an hour that divides the day."""

    minutes: int

    def __post_init__(self) -> None:
        if self.minutes % RUN_MINUTES or DAY_MINUTES % self.minutes or LISTED_SHARDS % self.runs:
            raise ValueError(f"a round cannot take {self.minutes} minutes")

    @property
    def runs(self) -> int:
        """Return how many runs the round has."""
        return self.minutes // RUN_MINUTES

    def shards_at(self, moment: datetime) -> range:
        """Return the shards of the run at this moment (UTC)."""
        run = (moment.hour * 60 + moment.minute) // RUN_MINUTES % self.runs
        size = LISTED_SHARDS // self.runs
        return range(run * size, (run + 1) * size)

    def queue_run(self, at: datetime, *, wanted: Callable[[ExchangeKey], bool], queue: Queue) -> int:
        """Queue a message for each wanted key of the run at this moment, evenly over the run; return how many.

        The keys that `wanted` is called with have what the listing index holds: id, types and lane.
        """
        listed = (key for shard in self.shards_at(at) for key in ExchangeKey.list_shard(shard))
        waiting = [KeyMessage(api_key_id=key.id, asked_at=at) for key in listed if wanted(key)]
        send_keys(waiting, queue=queue, over_s=SPREAD_S)
        return len(waiting)

    def load(self, *, keys: int, weight: float, limit: int) -> Load:
        """Return the load of a round over `keys` of one address, evenly distributed over the shards.

        `weight` is that of one key, `limit` what the address has per minute.
        """
        keys_per_run = -(-keys // self.runs)
        keys_per_minute = keys_per_run / (SPREAD_S / _MINUTE_S)
        return Load(
            keys_per_run=keys_per_run,
            keys_per_minute=keys_per_minute,
            weight_per_minute=keys_per_minute * weight,
            share_pct=keys_per_minute * weight * 100 / limit,
        )

    def most_keys(self, *, weight: float, limit: int, share_pct: float) -> int:
        """Return how many keys of one address a round can hold within a share of the address's weight."""
        return int(limit * share_pct / 100 / weight * (SPREAD_S / _MINUTE_S)) * self.runs
