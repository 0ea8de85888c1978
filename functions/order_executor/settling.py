"""Takes an execution that was begun from where it stands to where it should be: protected, or over and booked.

Every step begins by asking the exchange; nothing here believes that an earlier worker finished.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import assert_never

from functions.order_executor import admission, booking, closing, entering, protecting, watching
from functions.order_executor.closing import Closed
from functions.order_executor.due import WATCH_EVERY_S, back_off_s, due_in, due_next_minute
from functions.order_executor.entering import Absent, Filled, Outcome, Refused
from functions.order_executor.protecting import ATTENTION
from functions.order_executor.trade import Trade
from functions.order_executor.watching import Found
from shared.clock import utc_now
from shared.errors import OrderDenied
from shared.messages import ReconcileMessage, send_reconcile
from shared.models.order import Order, OrderStatus
from shared.observability import count_outcome, logger
from shared.trading.booking import Booking
from shared.trading.execution import CloseReason, Desired, ExecutionState
from shared.trading.ids import Leg

WATCH_UNKNOWN_FOR = timedelta(hours=24)
WHOEVER_AFTER = timedelta(seconds=60)
UNEXPLAINED_AFTER = timedelta(minutes=10)
_LOOK_AGAIN_S = 10
DUST_LEFT = "DUST_LEFT"
"""The reason on an execution whose rest is too little to be closed by an order."""
_DUST_EVERY_S = 300


async def come_back(trade: Trade, *, after_s: float | None = None) -> None:
    """Have the execution looked at again, sooner than the watcher's minute while it is young, then less and less often.

    `due_at` is moved and one message sent for it; whoever finds it moved meanwhile drops the message, so that looks
    never multiply. Work that is under way does not move it: its dead-man message would be dropped.
    """
    delay_s = int(after_s or back_off_s(trade.execution, least_s=_LOOK_AGAIN_S))
    await trade.advance(due_at=due_in(delay_s))
    if delay_s < WATCH_EVERY_S:
        await asyncio.to_thread(send_reconcile, ReconcileMessage(trade.execution.id), delay_s=delay_s)


def needs_another_look(trade: Trade) -> bool:
    """Tell whether an execution must not wait for the watcher's minute as it stands."""
    execution = trade.execution
    if not execution.active or execution.state in {ExecutionState.QUEUED, ExecutionState.PROTECTED}:
        return False
    return not _given_up(trade) and execution.reason != DUST_LEFT


def _given_up(trade: Trade) -> bool:
    """An entry that is proven absent: watched minute by minute, no more."""
    entries = trade.of_leg(Leg.ENTRY)
    unknown = trade.execution.state is ExecutionState.ENTRY_UNKNOWN
    return unknown and bool(entries) and entries[-1].status is OrderStatus.ABSENT


async def settle(trade: Trade) -> None:
    """Take an execution that was begun from where it stands to where it should be."""
    state = trade.execution.state
    match state:
        case ExecutionState.ENTERING | ExecutionState.ENTRY_UNKNOWN:
            await _resolve(trade)
        case ExecutionState.UNPROTECTED | ExecutionState.PROTECTED:
            await _watch(trade)
        case ExecutionState.CLOSING:
            await _close(trade, leg=Leg.CLOSE, reason=CloseReason.ADMIN)
        case ExecutionState.FLATTENING:
            await _close(trade, leg=Leg.FLATTEN, reason=CloseReason.FLATTENED)
        case ExecutionState.QUEUED:
            return
        case ExecutionState.CLOSED | ExecutionState.DENIED | ExecutionState.REJECTED | ExecutionState.FAILED:
            return
        case _:
            assert_never(state)


async def _resolve(trade: Trade) -> None:
    """Find out what became of an entry that another worker sent, or that this one lost sight of."""
    entry = trade.of_leg(Leg.ENTRY)[-1]
    given_up = _given_up(trade)
    outcome = await entering.resolve_entry(trade, entry)
    if isinstance(outcome, Filled):
        trade.execution.filled_amount = outcome.amount
        if given_up:
            # It had been proven absent, and nobody waits for it any more: a late fill is a fault, not a position.
            logger.error("entry_filled_late", execution_id=trade.execution.id)
            count_outcome(ATTENTION)
            await _close(trade, leg=Leg.FLATTEN, reason=CloseReason.FLATTENED)
        else:
            await _protect_what_is_left(trade, outcome)
    elif given_up and isinstance(outcome, Absent):
        await end_unknown(trade, watched=True)
    else:
        await after_entry(trade, entry, outcome)


async def _protect_what_is_left(trade: Trade, filled: Filled) -> None:
    """Protect a position that somebody else opened a while ago: it may have been closed since, and not by us."""
    left = await closing.left_of_ours(trade)
    if left:
        await _protect(trade, Filled(amount=filled.amount, view=filled.view), left=left)
        return
    await protecting.note_fill(trade, filled, protecting.plan_for(trade, filled.amount))
    await _end_flat(trade)


async def after_entry(trade: Trade, entry: Order, outcome: Outcome) -> None:
    """Go on from what came of an entry."""
    match outcome:
        case Filled():
            count_outcome("entry_filled")
            await _protect(trade, outcome, fresh=True)
        case Refused():
            await booking.end_without_position(trade, state=outcome.state, reason=outcome.reason, detail=outcome.detail)
        case Absent():
            if await _may_resend(trade):
                await after_entry(trade, trade.of_leg(Leg.ENTRY)[-1], await entering.resend_entry(trade, entry))
            else:
                await end_unknown(trade, watched=True)
        case _:
            assert_never(outcome)


async def end_unknown(trade: Trade, *, watched: bool = False) -> None:
    """End an entry that is proven absent; `watched`, only after it has been looked for a day, minute by minute."""
    begun_at = trade.execution.created_at
    wanted = trade.execution.desired is not Desired.CLOSED
    if watched and wanted and utc_now() - begun_at < WATCH_UNKNOWN_FOR:
        state = None if trade.execution.state is ExecutionState.ENTRY_UNKNOWN else ExecutionState.ENTRY_UNKNOWN
        await trade.advance(state, due_at=due_next_minute(), reason=CloseReason.ENTRY_UNKNOWN.value)
        return
    if trade.execution.state is ExecutionState.ENTERING:
        await trade.advance(ExecutionState.ENTRY_UNKNOWN)
    await booking.end_without_position(
        trade, state=ExecutionState.CLOSED, reason=CloseReason.ENTRY_UNKNOWN, detail="proven absent"
    )


async def _may_resend(trade: Trade) -> bool:
    if len(trade.of_leg(Leg.ENTRY)) > 1 or trade.execution.desired is Desired.CLOSED:
        return False
    try:
        standing = await asyncio.to_thread(admission.read_standing, trade.execution)
        admission.admit_follower(standing, trade.execution)
        price = await trade.account.market_price(trade.symbol)
        admission.admit_age(standing, trade.execution, now=utc_now(), market_price=price)
    except OrderDenied:
        return False
    # The owner may have traded meanwhile: the second entry, like the first, needs a flat account.
    signed, standing_orders = await asyncio.gather(
        trade.account.position_amount(trade.symbol), trade.account.open_orders(trade.symbol)
    )
    return not signed and not standing_orders


async def _protect(trade: Trade, filled: Filled, *, fresh: bool = False, left: Decimal | None = None) -> None:
    """Protect a position, or close it; `fresh`, right after its fill, the closing asks nothing first."""
    if await protecting.protect(trade, filled, left=left):
        count_outcome("position_protected")
        if trade.execution.desired is Desired.CLOSED:
            await _close(trade, leg=Leg.CLOSE, reason=CloseReason.ADMIN)
        return
    await _close(trade, leg=Leg.FLATTEN, reason=CloseReason.FLATTENED, blind=fresh)


async def _watch(trade: Trade) -> None:
    """See to an open position: closed at the venue, wanted closed, or to be kept with its stop."""
    if trade.execution.desired is Desired.CLOSED:
        await _close(trade, leg=Leg.CLOSE, reason=CloseReason.ADMIN)
        return
    found = await watching.look(trade)
    match found:
        case Found.GUARDED:
            return
        case Found.FLAT:
            await _end_flat(trade)
        case Found.UNGUARDED:
            await _close(trade, leg=Leg.FLATTEN, reason=CloseReason.FLATTENED)
        case _:
            assert_never(found)


async def _end_flat(trade: Trade) -> None:
    """End a position that the venue reads as flat. Once, that may be a late answer: only the fills are the end."""
    flat_since = trade.execution.flat_since or utc_now()
    flat_for = utc_now() - flat_since
    whoever = flat_for > WHOEVER_AFTER
    end = await booking.wait_for_end(trade, polls=2, whoever=whoever)
    if end is not None:
        await _finish(trade, end, whoever=whoever)
    elif flat_for > UNEXPLAINED_AFTER:
        logger.error("position_unexplained", execution_id=trade.execution.id)
        count_outcome(ATTENTION)
        await closing.clear(trade)
        await booking.end_without_position(trade, state=ExecutionState.CLOSED, reason="FILLS_UNKNOWN")
    else:
        await trade.advance(flat_since=flat_since)
        await come_back(trade, after_s=_LOOK_AGAIN_S)


async def _close(trade: Trade, *, leg: Leg, reason: CloseReason, blind: bool = False) -> None:
    closed = await closing.close(trade, leg=leg, reason=reason, blind=blind)
    match closed:
        case Closed.WHOLE:
            end = await booking.wait_for_end(trade, seen=True)
            if end is not None:
                await _finish(trade, end)
                return
        case Closed.DUST:
            await _leave_dust(trade)
            return
        case Closed.NOT_YET:
            pass
        case _:
            assert_never(closed)
    if not await trade.position():
        await _end_flat(trade)  # the exchange's books are late
        return
    logger.error("close_not_finished", execution_id=trade.execution.id)
    count_outcome(ATTENTION)
    await watching.keep_guarded(trade)


async def _leave_dust(trade: Trade) -> None:
    """Leave what no market order can close to the stop of the whole position: said once, then looked at rarely."""
    await watching.keep_guarded(trade)
    if trade.execution.reason != DUST_LEFT:
        logger.error("dust_left", execution_id=trade.execution.id)
        count_outcome(ATTENTION)
        left = await closing.left_of_ours(trade)
        await trade.advance(reason=DUST_LEFT, detail=f"{left} is below the exchange's minimum")
    await trade.advance(due_at=due_in(_DUST_EVERY_S))


async def _finish(trade: Trade, end: Booking, *, whoever: bool = False) -> None:
    """Free the account for the next entry: nothing of this one may stand, or be carried out any more."""
    await trade.lease.outlast_unsure()
    await closing.clear(trade)
    await booking.book(trade, end, whoever=whoever)
