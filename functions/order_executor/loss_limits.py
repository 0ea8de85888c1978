"""Applies a follower's loss limit: denies entries, and sets its position to be closed. Closes nothing itself."""

from __future__ import annotations

import asyncio
import time
from decimal import Decimal

from pynamodb.exceptions import PynamoDBException

from functions.order_executor.ledger import Ledger
from shared import losses
from shared.clock import utc_now
from shared.errors import ExchangeError, ExchangeThrottled
from shared.exchange.futures import FuturesAccount
from shared.losses import HeldPosition
from shared.models.base import read_together
from shared.models.execution import Execution
from shared.models.performance_day import PerformanceDay
from shared.observability import count_outcome, logger
from shared.scheduling import RECHECK_S
from shared.trading.entry_price import MarketPrices
from shared.trading.execution import CloseReason, Desired
from shared.trading.loss_limit import BookedResult
from shared.trading.symbols import assets_of

_PRICES_AGE_S = 5.0
"""How old the shared prices of open positions may be."""


async def admit(
    execution: Execution, account: FuturesAccount, results: tuple[BookedResult, ...], *, wallet: Decimal
) -> None:
    """Raise OrderDenied when the account has lost what the follower's limit allows. The entry's symbol is flat.

    Raise ExchangeThrottled while a result is not booked: it may be the loss that reaches the limit.
    """
    if not losses.limits_losses(execution):
        return
    held = await asyncio.to_thread(losses.read_held, execution)
    for one in held:
        if one.is_unbooked:
            raise ExchangeThrottled(f"{one.execution.id} is not booked yet", retry_after_s=RECHECK_S)
    reached = losses.judge(execution, results, held, await _prices(account, held), wallet=wallet)
    if reached is not None:
        raise losses.denial_of(reached)


async def request_close_if_reached(ledger: Ledger, account: FuturesAccount) -> None:
    """Set a protected position to be closed when its follower's limit, chosen with `close`, is reached.

    A failed read is left to the next look: the position's stop does not wait for it.
    """
    execution = ledger.execution
    if not losses.closes_at_limit(execution):
        return
    try:
        is_reached = await _is_reached(execution, account)
    except (ExchangeError, PynamoDBException) as error:
        logger.warning("loss_limit_not_judged", execution_id=execution.id, error=type(error).__name__)
        return
    if not is_reached:
        return
    await ledger.advance(desired=Desired.CLOSED, close_reason=CloseReason.LOSS_LIMIT.value)
    count_outcome("loss_limit_closes")
    logger.info("loss_limit_reached", execution_id=execution.id, follower_id=execution.follower_id)


async def _is_reached(execution: Execution, account: FuturesAccount) -> bool:
    held, results = await asyncio.gather(
        asyncio.to_thread(losses.read_held, execution),
        asyncio.to_thread(_read_results, execution),
    )
    prices = await _prices(account, held)
    wallet = execution.equity or Decimal(0)
    return losses.judge(execution, results, held, prices, wallet=wallet) is not None


def _read_results(execution: Execution) -> list[BookedResult]:
    keys = PerformanceDay.recent_keys(execution.user_id, execution.api_key_id, now=utc_now())
    days = read_together(*((PerformanceDay, *key) for key in keys))
    quote = assets_of(execution.symbol)[1]
    return [result for day in days if day is not None for result in day.results_in(quote)]


async def _prices(account: FuturesAccount, held: list[HeldPosition]) -> dict[str, MarketPrices]:
    symbols = losses.symbols_of(held)
    since_s = time.monotonic() - _PRICES_AGE_S
    found = await asyncio.gather(*(account.prices(symbol, asked_since_s=since_s) for symbol in symbols))
    return dict(zip(symbols, found, strict=True))
