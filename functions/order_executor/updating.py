"""Records what an update alert asks of a position's exits, or says why it asks for nothing. Moves nothing itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from functions.order_executor.ledger import Ledger
from shared.clock import utc_now
from shared.errors import ExchangeError
from shared.exchange.futures import FuturesAccount
from shared.models.execution import Execution
from shared.observability import logger
from shared.trading import stop_moves
from shared.trading.execution import AnyReason, DenialReason, Desired, Reason
from shared.trading.filters import SymbolFilters
from shared.trading.risk import BASE_TAKER_RATE
from shared.trading.signal import is_losing, is_winning
from shared.trading.updates import NOTHING, Requested, Update


@dataclass(frozen=True, slots=True)
class Answer:
    """What becomes of an update."""

    reason: AnyReason = Reason.APPLIED
    """APPLIED if it is on record, in whole or in part; else why it changes nothing."""
    refused: tuple[AnyReason, ...] = ()
    """Why parts of it are not on record, of one that is applied."""


async def record_update(held: Ledger, alert: Execution, update: Update, *, account: FuturesAccount | None) -> Answer:
    """Record what an `update` asks of a position; `alert` is its own execution.

    The market's price is not asked for without an `account`: then the move itself finds out.
    """
    position, asked = held.execution, Requested.of(update, alert.place)
    if position.desired is Desired.CLOSED:
        return Answer(Reason.NOTHING_TO_UPDATE)
    # A delivery before a crash may have recorded it, and a look may have carried it out since.
    repeated = position.updated_by == alert.id
    wanted, refused = asked, list[AnyReason]()
    refusal = None if repeated and _has_stop(position, update) else await _refusal_of_stop(position, update, account)
    if refusal is not None:
        refused.append(refusal)
        wanted = replace(wanted, stop=None, breakeven=False)
    known_targets = repeated and asked.targets_second == position.targets_requested_at
    if not known_targets and await _has_passed(position, asked.take_profits, account):
        refused.append(DenialReason.TARGET_PASSED)
        wanted = replace(wanted, take_profits=(), targets_second=None)
    merged = position.requested.merge(wanted, side=position.side)
    if merged != position.requested:
        changes = position.changes_for(merged)
        changes["update_requested_at"], changes["updated_by"] = utc_now(), alert.id
        await held.advance(unless=_is_closing, **changes)
        return Answer(refused=tuple(refused))
    if refused and not (repeated and wanted != NOTHING):
        return Answer(refused[0])
    names_stop = update.stop is not None or update.breakeven
    is_known = asked.second in {None, merged.second} and asked.targets_second in {None, merged.targets_second}
    if repeated or names_stop or is_known:
        return Answer(refused=tuple(refused))
    return Answer(Reason.NOTHING_TO_UPDATE)


def _has_stop(position: Execution, update: Update) -> bool:
    """Return whether the stop that an update asks for is on record, as the one that updates ask for."""
    if update.stop is not None:
        return update.stop == position.stop_requested
    return update.breakeven and bool(position.breakeven_requested)


async def _has_passed(position: Execution, targets: Sequence[Decimal], account: FuturesAccount | None) -> bool:
    """Return whether the market has passed every one of some take-profits."""
    if not targets or account is None or position.filled_amount is None:
        return False
    try:
        price = await account.recent_price(position.symbol)
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
        price = await account.recent_price(position.symbol)
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
