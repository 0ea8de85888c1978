"""Takes an execution that was begun from where it stands to where it should be: protected, or over and booked.

Every step begins by asking the exchange; nothing here believes that an earlier worker finished.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import assert_never

from functions.order_executor import admission, booking, closing, entering, protecting
from functions.order_executor.entering import Absent, Filled, Outcome, Refused
from functions.order_executor.protecting import ATTENTION
from functions.order_executor.trade import Trade, due_in
from shared.clock import utc_now
from shared.errors import OrderDenied, RecordChanged
from shared.messages import ReconcileMessage, send_reconcile
from shared.models.order import Order, OrderStatus
from shared.observability import count_outcome, logger
from shared.trading.execution import CloseReason, Desired, ExecutionState
from shared.trading.ids import Leg
from shared.trading.plan import ExitPlan

WATCH_UNKNOWN_FOR = timedelta(hours=24)
WHOEVER_AFTER = timedelta(seconds=60)
UNEXPLAINED_AFTER = timedelta(minutes=10)
_LOOK_AGAIN_S = 10


async def look_again(execution_id: str) -> None:
    """Let somebody look at the execution in a while, sooner than the watcher's minute."""
    await asyncio.to_thread(send_reconcile, ReconcileMessage(execution_id), delay_s=_LOOK_AGAIN_S)


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
    given_up = entry.status is OrderStatus.ABSENT
    outcome = await entering.resolve_entry(trade, entry)
    if given_up and isinstance(outcome, Filled):
        # It had been proven absent, and nobody waits for it any more: a late fill is not a position, it is a fault.
        logger.error("entry_filled_late", execution_id=trade.execution.id)
        count_outcome(ATTENTION)
        trade.execution.filled_amount = outcome.amount
        await _close(trade, leg=Leg.FLATTEN, reason=CloseReason.FLATTENED)
    elif given_up and isinstance(outcome, Absent):
        await end_unknown(trade, watched=True)
    else:
        await after_entry(trade, entry, outcome)


async def after_entry(trade: Trade, entry: Order, outcome: Outcome) -> None:
    """Go on from what came of an entry."""
    match outcome:
        case Filled():
            count_outcome("entry_filled")
            await _protect(trade, outcome)
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
    if watched and utc_now() - begun_at < WATCH_UNKNOWN_FOR:
        state = None if trade.execution.state is ExecutionState.ENTRY_UNKNOWN else ExecutionState.ENTRY_UNKNOWN
        await trade.advance(state, due_at=due_in(protecting.WATCH_EVERY_S), reason=CloseReason.ENTRY_UNKNOWN.value)
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
    return True


async def _protect(trade: Trade, filled: Filled) -> None:
    if await protecting.protect(trade, filled):
        count_outcome("position_protected")
        if trade.execution.desired is Desired.CLOSED:
            await _close(trade, leg=Leg.CLOSE, reason=CloseReason.ADMIN)
        return
    await _close(trade, leg=Leg.FLATTEN, reason=CloseReason.FLATTENED)


async def _watch(trade: Trade) -> None:
    """Compare an open position with the venue: closed there, wanted closed, or without its stop."""
    if not await trade.position():
        await _end_flat(trade)
    elif trade.execution.desired is Desired.CLOSED:
        await _close(trade, leg=Leg.CLOSE, reason=CloseReason.ADMIN)
    elif await protecting.stops_stand(trade, _exits(trade)):
        if trade.execution.state is ExecutionState.UNPROTECTED:
            await protecting.note_protected(trade)
        await protecting.place_targets(trade, _exits(trade))
        await _flatten_late_fill(trade)
        await trade.advance(due_at=due_in(protecting.WATCH_EVERY_S), flat_since=None)
    else:
        await _protect_again(trade)


def _exits(trade: Trade) -> ExitPlan:
    amount = trade.execution.filled_amount
    if amount is None:
        raise RecordChanged("a position without its amount: look again")
    return protecting.plan_for(trade, amount)


async def _protect_again(trade: Trade) -> None:
    view = await trade.look_up(trade.of_leg(Leg.ENTRY)[-1])
    if view is None:
        raise RecordChanged("the venue's answers about the position differ: look again")
    logger.error("stop_missing", execution_id=trade.execution.id)
    await _protect(trade, Filled(amount=trade.execution.filled_amount or view.filled, view=view))


async def _flatten_late_fill(trade: Trade) -> None:
    """Close what an entry that was proven absent, and sent once more, has filled after all."""
    if len(trade.of_leg(Leg.ENTRY)) > 1:
        too_much = await closing.left_of_ours(trade) - (trade.execution.filled_amount or 0)
        if too_much > 0:
            logger.error("entry_filled_twice", execution_id=trade.execution.id)
            count_outcome(ATTENTION)
            await closing.reduce(trade, Leg.FLATTEN, too_much)


async def _end_flat(trade: Trade) -> None:
    """End a position that the venue reads as flat. Once, that may be a late answer: only the fills are the end."""
    flat_since = trade.execution.flat_since or utc_now()
    flat_for = utc_now() - flat_since
    end = await booking.wait_for_end(trade, polls=2, whoever=flat_for > WHOEVER_AFTER)
    if end is not None:
        await _finish(trade, end)
    elif flat_for > UNEXPLAINED_AFTER:
        logger.error("position_unexplained", execution_id=trade.execution.id)
        count_outcome(ATTENTION)
        await closing.cancel_orders(trade, keep_stops=False)
        await booking.end_without_position(trade, state=ExecutionState.CLOSED, reason="FILLS_UNKNOWN")
    else:
        await trade.advance(due_at=due_in(_LOOK_AGAIN_S), flat_since=flat_since)
        await look_again(trade.execution.id)


async def _close(trade: Trade, *, leg: Leg, reason: CloseReason) -> None:
    if await closing.close(trade, leg=leg, reason=reason):
        end = await booking.wait_for_end(trade)
        if end is not None:
            await _finish(trade, end)
            return
    logger.error("close_not_finished", execution_id=trade.execution.id)
    count_outcome(ATTENTION)
    if not await trade.position():
        await _end_flat(trade)


async def _finish(trade: Trade, end: booking.End) -> None:
    """Free the account for the next entry: nothing of this one may stand, or be carried out any more."""
    await trade.lease.outlast_unsure()
    await closing.cancel_orders(trade, keep_stops=False)
    await booking.book(trade, end)
