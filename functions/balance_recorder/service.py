"""Whose balance is read when, and what is kept of it. What a balance means for the plan is `maximum`'s."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from functions.balance_recorder import maximum
from shared.api.exchange_access import look_through_async
from shared.clock import utc_now
from shared.errors import AccessDenied, ExchangeError, RecordChanged, ServiceUnavailable
from shared.exchange import account_queries
from shared.exchange.account_value import amounts_of, read_usd_value
from shared.messages import KeyMessage, send_keys
from shared.models.base import read_together
from shared.models.exchange_key import ExchangeKey, TradeType
from shared.models.key_balance import KeyBalance
from shared.observability import count_outcome, logger
from shared.pacing import IntervalPacer
from shared.queues import Queue
from shared.rounds import Round

ROUND = Round(120)
MAX_TRIES = 5
"""An exchange that is out of reach is asked again four times, three minutes apart; the next day comes anyway."""

WEIGHTS = {TradeType.FUTURES: 5, TradeType.SPOT: 20}
"""What one reading weighs at the exchange, in the pool of its kind of account; a test holds it against the headers."""

_CENTS = Decimal("1e-8")
_WRITES = 5

pacer = IntervalPacer(interval_s=0.75)


def queue_round(at: datetime) -> dict[str, int]:
    """Queue every active key whose turn it is in the day's round."""
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


async def record(message: KeyMessage, *, last_try: bool) -> None:
    """Keep what a key is worth and tell who is to be told, unless it is idle; raise to be tried again.

    A key that was recorded since it was asked for is not read again, but who is to be told is told: the worker before
    may have died in between.
    """
    key, known = await asyncio.to_thread(
        read_together, (ExchangeKey, message.api_key_id, None), (KeyBalance, message.api_key_id, None)
    )
    if key is None or not key.active:
        return
    if known is None or known.updated_at < message.asked_at:
        await pacer.wait()
        try:
            known = await _read_and_keep(key)
        except AccessDenied:
            return  # refused: its owner must act, or an operator, should it be our address
        except (ServiceUnavailable, ExchangeError) as error:
            if not last_try:
                raise
            logger.error("balance_not_recorded", api_key_id=key.id, error=type(error).__name__)
            count_outcome("balance_not_recorded")
            return
    await asyncio.to_thread(maximum.tell, key, known)


async def _read_and_keep(key: ExchangeKey) -> KeyBalance:
    started_at = utc_now()
    held = await _read(key)
    worth = await read_usd_value(key, held)
    kept = await asyncio.to_thread(_keep, key, worth.quantize(_CENTS), started_at)
    logger.info("balance_recorded", api_key_id=key.id, date=started_at.date().isoformat())
    count_outcome("balance_recorded")
    return kept


async def _read(key: ExchangeKey) -> dict[str, Decimal]:
    """Return what the key holds. The one place where a recording's success or failure is held against a key."""
    return await look_through_async(key, _amounts(key))


async def _amounts(key: ExchangeKey) -> dict[str, Decimal]:
    return amounts_of(await account_queries.read_balance(key))


def _keep(key: ExchangeKey, total_usd: Decimal, read_at: datetime) -> KeyBalance:
    """Keep a total unless a later reading has left one; return what stands then."""
    for _ in range(_WRITES):
        before = KeyBalance.find(key.id)
        if before is not None and before.updated_at >= read_at:
            return before
        crossings = maximum.follow(key, before, total_usd, at=read_at)
        after = KeyBalance(
            key.id,
            total_usd=total_usd,
            near_since=crossings.near_since,
            above_since=crossings.above_since,
            updated_at=read_at,
        )
        try:
            after.replace(before)
        except RecordChanged:
            continue
        return after
    raise RecordChanged(f"the balance of {key.id} is written by others")
