"""Queues the keys that are due, and inspects each within its lane's weight. Knows no verdict: `key_inspection` does.

Every key is inspected once a day.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import datetime

from shared.clock import utc_now
from shared.errors import (
    ExchangeAuthorizationFailed,
    ExchangeError,
    SecretUnreadable,
    ServiceUnavailable,
)
from shared.exchange import key_inspection, lanes
from shared.messages import KeyMessage
from shared.models.base import in_chunks, read_together
from shared.models.egress_lane import EgressLane
from shared.models.exchange_key import ExchangeKey
from shared.models.key_readiness import KeyReadiness
from shared.observability import logger
from shared.pacing import IntervalPacer
from shared.process_state import process_cache
from shared.queues import Queue
from shared.rounds import DAY_MINUTES, Round

ROUND = Round(DAY_MINUTES)
MAX_TRIES = 5
"""An unreachable exchange is retried four times, three minutes apart; the next day's inspection follows anyway."""

_COUNTED_AT_ONCE = 100


@process_cache
def pacer() -> IntervalPacer:
    """Return this container's pacer."""
    return IntervalPacer(interval_s=3.0)


def queue_inspections(at: datetime) -> dict[str, int]:
    """Queue an inspection of each key that is due; in the day's first run, count every lane's keys."""
    keys = ROUND.queue_run(at, wanted=lambda key: key.trades_automatically, queue=Queue.KEYS)
    shard = ROUND.shards_at(at).start
    lanes = _count_keys() if shard == 0 else 0
    logger.info("inspections_queued", shard=shard, keys=keys, lanes=lanes)
    return {"shard": shard, "keys": keys, "lanes": lanes}


def _count_keys() -> int:
    """Save on each egress lane how many active keys name it; return the number of lanes."""
    counts: Counter[str] = Counter()
    for listed in in_chunks(ExchangeKey.list_active(), _COUNTED_AT_ONCE):
        for key in ExchangeKey.find_many(key.id for key in listed).values():
            counts.update(key.named_lanes)
    for lane, count in counts.items():
        EgressLane.save_key_count(lane, count)
    return len(counts)


async def inspect(message: KeyMessage, *, last_try: bool) -> None:
    """Inspect an active key and record the verdict, unless it was inspected since the message; raise to be retried."""
    key, known = await asyncio.to_thread(
        read_together, (ExchangeKey, message.api_key_id, None), (KeyReadiness, message.api_key_id, None)
    )
    if key is None or not (key.active and key.trades_automatically):
        return
    if known is not None and known.checked_since(key, message.asked_at):
        return
    await pacer().wait()
    started_at = utc_now()
    try:
        async with lanes.background_work(lanes.DEFAULT_LANE, key_inspection.HELD_WEIGHT):
            await key_inspection.inspect(key)
    except ExchangeAuthorizationFailed as error:
        await key_inspection.record_refusal(key, error, checked_at=started_at)
    except (ExchangeError, SecretUnreadable, ServiceUnavailable) as error:
        if not last_try:
            raise
        code = error.code if isinstance(error, ExchangeError) else None
        failure = type(error).__name__ if code is None else f"{type(error).__name__} ({code})"
        await asyncio.to_thread(KeyReadiness.record_failure, key, failure, failed_at=started_at)
    finally:
        await lanes.flush()
