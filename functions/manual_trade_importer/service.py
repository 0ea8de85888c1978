"""Decides which keys are imported when, and runs the steps of an import: read, store, advance the cursors."""

from __future__ import annotations

import asyncio
from datetime import datetime
from decimal import Decimal
from typing import Any

from functions.manual_trade_importer import storage
from functions.manual_trade_importer.collection import LISTING_DELAY, CollectedFills, collect
from shared.api.exchange_access import read_with_key_async
from shared.clock import utc_now
from shared.errors import AccessDenied, ExchangeError, ServiceUnavailable
from shared.exchange import account_queries, lanes
from shared.exchange.account_value import prices_for
from shared.messages import KeyMessage, send_keys
from shared.models.base import read_together
from shared.models.exchange_key import ExchangeKey, StrategyType, TradeType
from shared.models.import_cursor import ImportCursor
from shared.models.import_scan import ImportScan
from shared.observability import count_outcome, logger
from shared.pacing import WeightPacer
from shared.process_state import process_cache
from shared.queues import Queue
from shared.rounds import Round

ROUND = Round(60)
MAX_TRIES = 5
"""An unreachable exchange is retried four times, three minutes apart; the next hour's import follows anyway."""

HELD_WEIGHTS = {TradeType.FUTURES: 100, TradeType.SPOT: 250}
"""The request weight that an import asks of its lane, by kind of account. Few need more, and their next ones wait."""


@process_cache
def pacer() -> WeightPacer:
    """Return this container's pacer: there are at most two, which use 40 % of a futures address's budget."""
    return WeightPacer(weight_per_minute=480)


def queue_round(at: datetime) -> dict[str, int]:
    """Queue every active MANUAL key that is due in this run of the hour."""
    keys = ROUND.queue_run(at, wanted=_is_manual, queue=Queue.IMPORTS)
    logger.info("imports_queued", first_shard=ROUND.shards_at(at).start, keys=keys)
    return {"keys": keys}


def queue_key(key_id: str, *, at: datetime) -> dict[str, int]:
    """Queue one key, now."""
    send_keys([KeyMessage(api_key_id=key_id, asked_at=at)], queue=Queue.IMPORTS)
    return {"keys": 1}


async def import_trades(message: KeyMessage, *, last_try: bool) -> None:
    """Import a key's new fills, unless another import has run since the message; raise to be retried."""
    key, before = await asyncio.to_thread(
        read_together, (ExchangeKey, message.api_key_id, None), (ImportScan, message.api_key_id, None)
    )
    if key is None or not (key.active and _is_manual(key)):
        return
    if before is not None and before.checked_at >= message.asked_at:
        return
    try:
        await _import(key, before)
    except AccessDenied:
        return  # refused: its owner must act, or an operator, should it be our address
    except (ServiceUnavailable, ExchangeError) as error:
        if not last_try:
            raise
        logger.error("trades_not_imported", api_key_id=key.id, error=type(error).__name__)
        count_outcome("trades_not_imported")


async def _import(key: ExchangeKey, before: ImportScan | None) -> None:
    now = utc_now()
    cursors = await asyncio.to_thread(ImportCursor.of_key, key.id)

    async def read(client: Any) -> CollectedFills:
        return await collect(client, key, before=before, cursors=cursors, now=now)

    pool = lanes.FUTURES if key.trade_type is TradeType.FUTURES else lanes.SPOT
    held = lanes.background_work(lanes.DEFAULT_LANE, HELD_WEIGHTS[key.trade_type], pool=pool)
    async with pacer().turn() as add_weight, held:
        # The one place where an import's success or failure changes the key's status.
        collected = await read_with_key_async(key, account_queries.read_through(key, read))
        add_weight(collected.weight)
    prices = await prices_for(_valued_assets(key, collected), key.trade_type)
    new = await asyncio.to_thread(storage.save_fills, key, collected, before=before, prices=prices)
    logger.info("trades_imported", api_key_id=key.id, new=new, complete=collected.complete)
    if new:
        count_outcome("trades_imported")
    if not collected.complete:
        # After this delay the fills imported now are final, so the next run begins after them.
        rest = KeyMessage(api_key_id=key.id, asked_at=utc_now())
        after_s = int(LISTING_DELAY.total_seconds())
        await asyncio.to_thread(send_keys, [rest], queue=Queue.IMPORTS, after_s=after_s)


def _is_manual(key: ExchangeKey) -> bool:
    return key.strategy_type is StrategyType.MANUAL


def _valued_assets(key: ExchangeKey, collected: CollectedFills) -> dict[str, Decimal]:
    """Return the assets whose results or amounts are converted to dollars, with some amount of each."""
    if key.trade_type is TradeType.SPOT or not (collected.fills or collected.incomes):
        return {}
    traded = {asset for fill in collected.fills for asset in (fill.quote, fill.fee_currency)}
    traded |= {income.asset for income in collected.incomes}
    return dict.fromkeys(traded, Decimal(1)) | collected.amounts
