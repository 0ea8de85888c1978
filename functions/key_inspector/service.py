"""Which keys are looked at when, and what a look comes to. The judgement itself is shared.trading.readiness.

A day has a shard of the listing index for each of its quarters of an hour: every key comes once, the looks are spread
over the whole day, and no run needs to know of another.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import asdict
from datetime import datetime

from shared.clock import utc_now
from shared.errors import ExchangeAuthorizationFailed, ExchangeError
from shared.exchange.futures import MARGIN_ASSET, FuturesAccount
from shared.messages import KeyMessage, send_keys
from shared.models.base import read_together
from shared.models.egress_lane import EgressLane
from shared.models.exchange_key import LISTED_SHARDS, ExchangeKey
from shared.models.follower import Follower
from shared.models.key_readiness import KeyReadiness
from shared.observability import logger
from shared.secrets import unseal
from shared.trading.readiness import UNAUTHORIZED, judge_account

SPREAD_S = 14 * 60
"""A shard's looks are done before the next shard's begin."""
MAX_TRIES = 5
"""An exchange that is out of reach is asked again four times, three minutes apart; the next day comes anyway."""

APART_S = 1.5
"""Between the beginnings of two looks of one container, should more messages come at once than the delays allow."""

_SHARD_MINUTES = 24 * 60 // LISTED_SHARDS
_next_turn_s = 0.0


def queue_inspections(at: datetime) -> dict[str, int]:
    """Queue a look at each key of the shard whose time it is; with the day's first shard, count every lane's keys."""
    shard = (at.hour * 60 + at.minute) // _SHARD_MINUTES
    waiting = [
        KeyMessage(api_key_id=key.id, asked_at=at) for key in ExchangeKey.list_shard(shard) if key.trades_automatically
    ]
    send_keys(waiting, over_s=SPREAD_S)
    lanes = _count_keys() if shard == 0 else 0
    logger.info("inspections_queued", shard=shard, keys=len(waiting), lanes=lanes)
    return {"shard": shard, "keys": len(waiting), "lanes": lanes}


def _count_keys() -> int:
    """Keep on each egress lane how many active keys of any type leave from it; return the number of lanes."""
    counts = Counter(key.egress_lane for key in ExchangeKey.list_active())
    for lane, count in counts.items():
        EgressLane.note_keys(lane, count)
    return len(counts)


async def inspect(message: KeyMessage, *, last_try: bool) -> None:
    """Look at a key and keep the verdict, unless it is idle or has been looked at since; raise to be tried again."""
    key, known = await asyncio.to_thread(
        read_together, (ExchangeKey, message.api_key_id, None), (KeyReadiness, message.api_key_id, None)
    )
    if key is None or not (key.active and key.trades_automatically):
        return
    if known is not None and known.checked_since(key, message.asked_at):
        return
    await _take_turn()
    started_at = utc_now()
    try:
        await _look(key, started_at)
    except ExchangeAuthorizationFailed as error:
        await _refused(key, error, started_at)
    except ExchangeError as error:
        if not last_try:
            raise
        failure = type(error).__name__ if error.code is None else f"{type(error).__name__} ({error.code})"
        await asyncio.to_thread(KeyReadiness.record_failure, key, failure, failed_at=started_at)


async def _take_turn() -> None:
    """Wait until this container may begin its next look."""
    global _next_turn_s  # noqa: PLW0603 - one queue of turns per process
    now_s = time.monotonic()
    turn_s = max(now_s, _next_turn_s)
    _next_turn_s = turn_s + APART_S
    await asyncio.sleep(turn_s - now_s)


async def _look(key: ExchangeKey, started_at: datetime) -> None:
    secret, margin_assets = await asyncio.gather(
        asyncio.to_thread(unseal, key.secret_ciphertext, owner_id=key.id),
        asyncio.to_thread(_margin_assets, key.id),
    )
    account = await FuturesAccount.open(api_key=key.api_key, secret=secret)
    view = await account.inspect(margin_assets=margin_assets)
    verdict = judge_account(view.setup, wallet_balance=view.wallet_balance, clock_offset_ms=view.clock_offset_ms)
    wallet = None if view.wallet_balance is None else format(view.wallet_balance, "f")
    details = asdict(view.setup) | {"wallet_balance": wallet, "clock_offset_ms": view.clock_offset_ms}
    await asyncio.to_thread(KeyReadiness.record, key, verdict, details=details, checked_at=started_at)


def _margin_assets(key_id: str) -> set[str]:
    """Return the quotes of what the key follows: its entries are paid from one of these."""
    return {found.symbol.partition("/")[2] for found in Follower.by_key.query(key_id)} or {MARGIN_ASSET}


async def _refused(key: ExchangeKey, error: ExchangeAuthorizationFailed, started_at: datetime) -> None:
    """Keep that the exchange refuses the key. The one place where an inspection holds a refusal against a key."""
    await asyncio.to_thread(KeyReadiness.record, key, UNAUTHORIZED, details={"code": error.code}, checked_at=started_at)
