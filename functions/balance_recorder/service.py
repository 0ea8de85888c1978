"""Decides which keys' balances are read when, and records them. `maximum` compares a balance with the plan."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from functions.balance_recorder import maximum
from shared.api.exchange_access import read_with_key_async
from shared.clock import utc_now
from shared.errors import AccessDenied, ExchangeError, RecordChanged, ServiceUnavailable
from shared.exchange import account_queries, lanes
from shared.exchange.account_value import amounts_of, read_usd_value
from shared.messages import KeyMessage, send_keys
from shared.models.base import read_together
from shared.models.exchange_key import ExchangeKey, TradeType
from shared.models.key_balance import KeyBalance
from shared.observability import count_outcome, logger
from shared.pacing import IntervalPacer
from shared.process_state import process_cache
from shared.queues import Queue
from shared.rounds import Round
from shared.trading.valuation import UsdValue

ROUND = Round(120)
MAX_TRIES = 5
"""An unreachable exchange is retried four times, three minutes apart; the next day's reading follows anyway."""

WEIGHTS = {TradeType.FUTURES: 5, TradeType.SPOT: 20}
"""The request weight of one reading, by kind of account; a test compares it with the exchange's headers."""

_PRECISION = Decimal("1e-8")


@process_cache
def pacer() -> IntervalPacer:
    """Return this container's pacer."""
    return IntervalPacer(interval_s=0.75)


def queue_round(at: datetime) -> dict[str, int]:
    """Queue every active key that is due in this run of the day."""
    keys = ROUND.queue_run(at, wanted=lambda _key: True, queue=Queue.BALANCES)
    logger.info("balances_queued", first_shard=ROUND.shards_at(at).start, keys=keys)
    return {"keys": keys}


def queue_user(user_id: str, *, at: datetime) -> dict[str, int]:
    """Queue every key of a user, now."""
    return queue_keys([found.id for found in ExchangeKey.by_user.query(user_id)], at=at)


def queue_keys(key_ids: Sequence[str], *, at: datetime) -> dict[str, int]:
    """Queue keys, now."""
    messages = [KeyMessage(api_key_id=key_id, asked_at=at) for key_id in key_ids]
    send_keys(messages, queue=Queue.BALANCES)
    logger.info("balances_queued", keys=len(messages))
    return {"keys": len(messages)}


async def record_balance(message: KeyMessage, *, last_try: bool) -> None:
    """Record an active key's balance and queue the notices that follow; raise to be retried.

    A key that was recorded since the message is not read again, but its notices are queued: the worker before may have
    crashed in between.
    """
    key, known = await asyncio.to_thread(
        read_together, (ExchangeKey, message.api_key_id, None), (KeyBalance, message.api_key_id, None)
    )
    if key is None or not key.active:
        return
    if known is None or known.updated_at < message.asked_at:
        await pacer().wait()
        pool = lanes.FUTURES if key.trade_type is TradeType.FUTURES else lanes.SPOT
        try:
            async with lanes.background_work(lanes.DEFAULT_LANE, WEIGHTS[key.trade_type], pool=pool):
                known = await _read_and_save(key)
        except AccessDenied:
            return  # refused: its owner must act, or an operator, should it be our address
        except (ServiceUnavailable, ExchangeError) as error:
            if not last_try:
                raise
            logger.error("balance_not_recorded", api_key_id=key.id, error=type(error).__name__)
            count_outcome("balance_not_recorded")
            return
    await asyncio.to_thread(maximum.notify_crossings, key, known)


async def _read_and_save(key: ExchangeKey) -> KeyBalance:
    started_at = utc_now()
    holdings = await _read(key)
    value = await read_usd_value(key, holdings)
    saved = await asyncio.to_thread(_save, key, value, started_at)
    logger.info("balance_recorded", api_key_id=key.id, date=started_at.date().isoformat())
    count_outcome("balance_recorded")
    return saved


async def _read(key: ExchangeKey) -> dict[str, Decimal]:
    """Return the key's holdings. The one place where a recording's success or failure changes the key's status."""
    return await read_with_key_async(key, _amounts(key))


async def _amounts(key: ExchangeKey) -> dict[str, Decimal]:
    return amounts_of(await account_queries.read_balance(key))


def _save(key: ExchangeKey, value: UsdValue, read_at: datetime) -> KeyBalance:
    """Save a total unless a later reading is stored; return the stored record."""
    total_usd = value.total.quantize(_PRECISION)
    # Ends by itself: each lost attempt means that a reading was stored which is later than the one before.
    while True:
        before = KeyBalance.find(key.id)
        if before is not None and before.updated_at >= read_at:
            return before
        crossings = maximum.update_crossings(key, before, total_usd, at=read_at)
        after = KeyBalance(
            key.id,
            total_usd=total_usd,
            unpriced=list(value.unpriced) or None,
            near_since=crossings.near_since,
            above_since=crossings.above_since,
            updated_at=read_at,
        )
        try:
            after.replace(before)
        except RecordChanged:
            continue
        return after
