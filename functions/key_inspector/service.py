"""Inspects a key: records the verdict, the account's name and its fee rates. `shared.trading.readiness` judges.

Every key is inspected once a day.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import asdict
from datetime import datetime
from functools import partial

from shared.clock import utc_now
from shared.errors import (
    ExchangeAuthorizationFailed,
    ExchangeError,
    RecordChanged,
    SecretUnreadable,
    ServiceUnavailable,
)
from shared.exchange import key_status, lanes
from shared.exchange.futures import MARGIN_ASSET, FuturesAccount
from shared.messages import KeyMessage
from shared.models.account_claim import AccountClaim
from shared.models.base import read_together, transact
from shared.models.egress_lane import EgressLane
from shared.models.exchange_key import ExchangeKey
from shared.models.execution import Execution
from shared.models.follower import Follower
from shared.models.key_readiness import MARGIN_ASSETS, KeyReadiness
from shared.models.position_slot import PositionSlot
from shared.observability import logger
from shared.pacing import IntervalPacer
from shared.process_state import process_cache
from shared.queues import Queue
from shared.rounds import DAY_MINUTES, Round
from shared.secrets import unseal
from shared.trading.readiness import UNAUTHORIZED, judge_account
from shared.trading.symbols import assets_of

ROUND = Round(DAY_MINUTES)
MAX_TRIES = 5
"""An unreachable exchange is retried four times, three minutes apart; the next day's inspection follows anyway."""

HELD_WEIGHT = 31
"""The request weight that an inspection asks of its lane: the account, its settings, and one fee rate."""


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
    """Save on each egress lane how many active keys use it; return the number of lanes."""
    counts = Counter(key.egress_lane for key in ExchangeKey.list_active())
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
        async with lanes.background_work(key.egress_lane, HELD_WEIGHT):
            await _inspect_account(key, started_at)
    except ExchangeAuthorizationFailed as error:
        await _record_refusal(key, error, started_at)
    except (ExchangeError, SecretUnreadable, ServiceUnavailable) as error:
        if not last_try:
            raise
        code = error.code if isinstance(error, ExchangeError) else None
        failure = type(error).__name__ if code is None else f"{type(error).__name__} ({code})"
        await asyncio.to_thread(KeyReadiness.record_failure, key, failure, failed_at=started_at)
    finally:
        await lanes.flush()


async def _inspect_account(key: ExchangeKey, started_at: datetime) -> None:
    secret, symbols = await asyncio.gather(
        asyncio.to_thread(unseal, key.secret_ciphertext, owner_id=key.id),
        asyncio.to_thread(_followed_symbols, key.id),
    )
    # A key's entries are paid in the quote assets of the symbols that it follows.
    margin_assets = {assets_of(symbol)[1] for symbol in symbols} or {MARGIN_ASSET}
    account = await FuturesAccount.open(api_key=key.api_key, secret=secret, lane=key.egress_lane)
    view = await account.inspect(margin_assets=margin_assets)
    verdict = judge_account(view.setup, wallet_balance=view.wallet_balance, clock_offset_ms=view.clock_offset_ms)
    wallet = None if view.wallet_balance is None else format(view.wallet_balance, "f")
    details = asdict(view.setup) | {
        "wallet_balance": wallet,
        "clock_offset_ms": view.clock_offset_ms,
        MARGIN_ASSETS: sorted(margin_assets),
    }
    if view.setup.futures_enabled and key.account_alias is None:
        # Before the verdict: without a name the inspection is repeated, because the key's entries are denied.
        await asyncio.to_thread(_record_account, key, await account.alias())
    await asyncio.to_thread(KeyReadiness.record, key, verdict, details=details, checked_at=started_at)
    if view.setup.futures_enabled:
        await _record_taker_rates(key, account, symbols, started_at)


def _record_account(key: ExchangeKey, alias: str) -> None:
    """Record the exchange's name of the key's account, and claim the account for positions of before it was known.

    The claims come first: with the name on record, every position of the key has its claim. A position of another key
    that holds the account already stays without one; both are looked after through their own slots.
    """
    for slot in PositionSlot.query(key.id, consistent_read=True):
        execution = Execution.find(slot.execution_id) if slot.execution_id is not None else None
        if execution is not None and execution.active:
            _claim(execution, alias)
    key.save_account_alias(alias)
    logger.info("account_recorded", api_key_id=key.id)


def _claim(execution: Execution, alias: str) -> None:
    claim = AccountClaim.find(alias, execution.symbol)
    if claim is not None and claim.holds_against(execution.api_key_id):
        logger.error("account_shared", execution_id=execution.id, other_execution_id=claim.execution_id)
        return
    try:
        transact(partial(AccountClaim.take, execution=execution, account_alias=alias, ended=claim))
    except RecordChanged:
        _claim(execution, alias)  # another key, inspected at the same time, was faster


async def _record_taker_rates(key: ExchangeKey, account: FuturesAccount, symbols: list[str], at: datetime) -> None:
    """Record the account's taker rate on each symbol that the key follows; without one, entries assume the base rate.

    A rate that cannot be read does not make the inspection fail.
    """
    rates = {}
    for symbol in symbols:
        try:
            rates[symbol] = await account.taker_rate(symbol)
        except ExchangeError as error:
            logger.warning("taker_rate_not_read", api_key_id=key.id, symbol=symbol, detail=str(error))
    if rates:
        await asyncio.to_thread(key.save_taker_rates, rates, read_at=at)


def _followed_symbols(key_id: str) -> list[str]:
    return sorted({found.symbol for found in Follower.by_key.query(key_id)})


async def _record_refusal(key: ExchangeKey, error: ExchangeAuthorizationFailed, started_at: datetime) -> None:
    """Record the refusal as the key's verdict, and in its status unless the exchange refuses our address."""
    await asyncio.to_thread(key_status.record_refusal, key, error)
    await asyncio.to_thread(KeyReadiness.record, key, UNAUTHORIZED, details={"code": error.code}, checked_at=started_at)
