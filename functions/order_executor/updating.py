"""Records what an update alert asks of a position's exits, or says why it asks for nothing. Moves nothing itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from functions.order_executor.ledger import Ledger
from shared.errors import ExchangeError
from shared.exchange.futures import FuturesAccount
from shared.models.execution import Execution
from shared.observability import logger
from shared.trading import stop_moves
from shared.trading.execution import AnyReason, DenialReason, Desired, Reason
from shared.trading.filters import SymbolFilters
from shared.trading.risk import BASE_TAKER_RATE
from shared.trading.signal import is_losing, is_winning
from shared.trading.updates import Requested, Update


async def record_update(
    held: Ledger, update: Update, asked: Requested, *, account: FuturesAccount | None
) -> AnyReason | None:
    """Record what an update asks of a position; return why it changes nothing, or None if it is on record.

    The market's price is not asked for without an `account`: then the move itself finds out.
    """
    position = held.execution
    if position.desired is Desired.CLOSED:
        return Reason.NOTHING_TO_UPDATE
    refusal: AnyReason | None = await _refusal_of_stop(position, update, account)
    wanted = asked if refusal is None else replace(asked, stop=None, breakeven=False)
    if await _has_passed(position, asked.take_profits, account):
        refusal = refusal or DenialReason.TARGET_PASSED
        wanted = replace(wanted, take_profits=(), targets_second=None)
    merged = position.requested.merge(wanted, side=position.side)
    if merged != position.requested:
        await held.advance(unless=_is_closing, **position.changes_for(merged))
        return None
    names_stop = update.stop is not None or update.breakeven
    if refusal is not None or names_stop:
        return refusal
    # What a delivery before a crash has recorded is this update's as well.
    is_known = asked.second in {None, merged.second} and asked.targets_second in {None, merged.targets_second}
    return None if is_known else Reason.NOTHING_TO_UPDATE


async def _has_passed(position: Execution, targets: Sequence[Decimal], account: FuturesAccount | None) -> bool:
    """Return whether the market has passed every one of some take-profits."""
    if not targets or account is None or position.filled_amount is None:
        return False
    try:
        price = await account.market_price(position.symbol)
    except ExchangeError as error:
        logger.warning("update_not_compared", execution_id=position.id, detail=str(error))
        return False
    return not any(is_winning(position.side, price=target, reference=price) for target in targets)


def _is_closing(fresh: Execution) -> bool:
    return fresh.desired is Desired.CLOSED


async def _refusal_of_stop(position: Execution, update: Update, account: FuturesAccount | None) -> Reason | None:
    """Return why the stop is not moved for the update; None if it is, or if the update names none."""
    level = _level(position, update)
    if level is None:
        return None
    side, present = position.side, position.stop_moved_to or position.stop
    pending = update.breakeven and position.breakeven_requested
    pending = pending or (update.stop is not None and update.stop == position.stop_requested)
    known = present if pending else stop_moves.nearest_stop(side, present, position.stop_requested)
    if not stop_moves.is_nearer(level, than=known, side=side):
        return Reason.STOP_NOT_TIGHTER
    if account is None or position.filled_amount is None:
        return None
    try:
        price = await account.market_price(position.symbol)
    except ExchangeError as error:
        logger.warning("update_not_compared", execution_id=position.id, detail=str(error))
        return None
    return None if is_losing(side, price=level, reference=price) else Reason.STOP_PASSED


def _level(position: Execution, update: Update) -> Decimal | None:
    """Return the price that an update asks for; None if it names none, or break-even is not known yet."""
    if update.stop is not None:
        return update.stop
    if not update.breakeven or position.entry_price is None:
        return None
    return stop_moves.breakeven_price(
        side=position.side,
        entry_price=position.entry_price,
        taker_rate=position.taker_rate or BASE_TAKER_RATE,
        filters=SymbolFilters.without_conditions(position.symbol),
    )
