"""Takes an execution whose entry was begun from its present state to the right one: protected, or ended and booked.

Every step begins by asking the exchange; none assumes that an earlier worker finished.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import assert_never

from functions.order_executor import (
    booking,
    ending,
    entering,
    entry_outcome,
    exit_plans,
    leaving,
    open_position,
    position,
    protecting,
    recheck,
    reducing,
    remainder,
    retrying,
    stops,
)
from functions.order_executor.entry_outcome import Absent, Filled, NotPlaced, Outcome, Refused, Unfilled
from functions.order_executor.ledger import Ledger
from functions.order_executor.open_position import Found
from functions.order_executor.remainder import Remainder
from functions.order_executor.session import ExecutionSession
from shared.clock import utc_now
from shared.errors import OrderDenied
from shared.exchange.futures import FuturesAccount
from shared.models.order import Order, OrderStatus
from shared.observability import ATTENTION_NEEDED, count_outcome, logger
from shared.scheduling import RECHECK_S, due_by_next_run
from shared.trading.execution import CloseReason, DenialReason, Desired, ExecutionState
from shared.trading.ids import Leg

_WATCH_UNKNOWN_FOR = timedelta(hours=24)


async def reconcile_begun(ledger: Ledger, account: FuturesAccount) -> None:
    """Reconcile an execution that is not QUEUED, its orders loaded."""
    await reconcile(await ExecutionSession.resume(ledger, account))


async def reconcile(session: ExecutionSession) -> None:
    """Take an execution from its present state to the right one."""
    if session.execution.exited_at is not None:
        await ending.book_exited(session)
        return
    state = session.execution.state
    match state:
        case ExecutionState.ENTERING | ExecutionState.ENTRY_UNKNOWN:
            await _resolve_entry(session)
        case ExecutionState.UNPROTECTED | ExecutionState.PROTECTED:
            await remainder.resolve(session)
            await _keep_or_close(session)
        case ExecutionState.CLOSING:
            await remainder.resolve(session)
            await leaving.close_and_end(session, leg=Leg.CLOSE, reason=CloseReason.ADMIN)
        case ExecutionState.FLATTENING:
            await remainder.resolve(session)
            await leaving.close_and_end(session, leg=Leg.FLATTEN, reason=CloseReason.FLATTENED)
        case ExecutionState.QUEUED | ExecutionState.DONE:
            return
        case ExecutionState.CLOSED | ExecutionState.DENIED | ExecutionState.REJECTED | ExecutionState.FAILED:
            return
        case _:
            assert_never(state)


# -- the entry's outcome -----------------------------------------------------------------------------------------------


async def _resolve_entry(session: ExecutionSession) -> None:
    """Find out the outcome of an entry that another worker sent, or whose answer this one missed."""
    ledger = session.ledger
    entry = ledger.of_leg(Leg.ENTRY)[-1]
    if entry.status is OrderStatus.NOT_PLACED:
        await after_entry(session, entry, await retrying.send_again(session, entry))
        return
    watched = recheck.is_watched_for_late_fill(ledger)
    outcome = await entry_outcome.resolve_entry(session, entry)
    if isinstance(outcome, Filled):
        session.execution.filled_amount = outcome.amount
        if watched:
            # It had been proven absent, and its alert is old: a late fill is a fault, not a position.
            logger.error("entry_filled_late", execution_id=session.execution.id)
            count_outcome(ATTENTION_NEEDED)
            await leaving.close_and_end(session, leg=Leg.FLATTEN, reason=CloseReason.FLATTENED)
        else:
            await _protect_what_is_left(session, outcome)
    elif watched and isinstance(outcome, Absent):
        await end_unknown(session, watched=True)
    else:
        await after_entry(session, entry, outcome)


async def _protect_what_is_left(session: ExecutionSession, filled: Filled) -> None:
    """Protect a position that another worker opened a while ago; part of it may have been closed since."""
    left = await position.left_of_ours(session)
    if left:
        await _protect(session, filled, left=left)
        return
    await protecting.record_fill(session, filled, exit_plans.plan_for(session, filled.amount))
    await ending.end_flat(session)


async def after_entry(session: ExecutionSession, entry: Order, outcome: Outcome) -> None:
    """Protect what the entry filled, end the execution that it opened nothing for, or send it once more."""
    match outcome:
        case Filled():
            count_outcome("entry_filled")
            await _protect(session, outcome, fresh=True)
        case Unfilled():
            again = await entering.send_unfilled_again(session, entry)
            if again is not None:
                await after_entry(session, session.ledger.of_leg(Leg.ENTRY)[-1], again)
                return
            await booking.end_without_position(
                session.ledger,
                state=ExecutionState.DENIED,
                reason=DenialReason.PRICE_MOVED,
                detail=f"nothing filled at {outcome.bound:f} or better",
            )
        case Refused():
            await booking.end_without_position(
                session.ledger, state=outcome.state, reason=outcome.reason, detail=outcome.detail
            )
        case NotPlaced():
            await retrying.wait_or_end(session, entry, outcome)
        case Absent():
            if await _may_resend(session):
                outcome = await entering.resend_entry(session, entry)
                await after_entry(session, session.ledger.of_leg(Leg.ENTRY)[-1], outcome)
            else:
                await end_unknown(session, watched=True)
        case _:
            assert_never(outcome)


async def _may_resend(session: ExecutionSession) -> bool:
    execution = session.execution
    if len(session.ledger.of_leg(Leg.ENTRY)) > 1 or execution.desired is Desired.CLOSED:
        return False
    try:
        await retrying.admit_again(session)
    except OrderDenied:
        return False
    return True


async def end_unknown(session: ExecutionSession, *, watched: bool = False) -> None:
    """End an entry that is proven absent; when `watched`, only after a day in which no late fill has shown.

    An admin's close ends the watch at once, an exit alert does not: nobody looks at the account for it.
    """
    ledger, execution = session.ledger, session.execution
    goes_on = execution.desired is not Desired.CLOSED or execution.close_reason == CloseReason.EXIT_ALERT
    if watched and goes_on and utc_now() - execution.created_at < _WATCH_UNKNOWN_FOR:
        state = None if execution.state is ExecutionState.ENTRY_UNKNOWN else ExecutionState.ENTRY_UNKNOWN
        await ledger.advance(state, due_at=due_by_next_run(), reason=CloseReason.ENTRY_UNKNOWN)
        return
    if execution.state is ExecutionState.ENTERING:
        await ledger.advance(ExecutionState.ENTRY_UNKNOWN)
    await booking.end_without_position(
        ledger, state=ExecutionState.CLOSED, reason=CloseReason.ENTRY_UNKNOWN, detail="proven absent"
    )


# -- an open position --------------------------------------------------------------------------------------------------


async def _protect(
    session: ExecutionSession, filled: Filled, *, fresh: bool = False, left: Decimal | None = None
) -> None:
    """Protect a position, or close it. `fresh`, right after its fill, the first close is sent without any read."""
    if not await protecting.protect(session, filled, left=left):
        await leaving.close_and_end(session, leg=Leg.FLATTEN, reason=CloseReason.FLATTENED, blind=fresh)
        return
    count_outcome("position_protected")
    match await remainder.send(session, filled):
        case Remainder.NOTHING:
            await protecting.place_protected_targets(session, left or filled.amount)
        case Remainder.ADDED if await protecting.is_guarded_whole(session):
            await protecting.place_protected_targets(session, stops.filled_amount(session))
        case _:
            # The stop may have triggered before the second fill, or cover the first alone.
            await _keep_or_close(session)
            return
    if session.execution.desired is Desired.CLOSED:
        await leaving.close_and_end(session, leg=Leg.CLOSE, reason=CloseReason.ADMIN)
        return
    await reducing.reduce_if_asked(session)
    await _look_again_if_unfinished(session)


async def _keep_or_close(session: ExecutionSession) -> None:
    if session.execution.desired is Desired.CLOSED:
        await leaving.close_and_end(session, leg=Leg.CLOSE, reason=CloseReason.ADMIN)
        return
    found = await open_position.reconcile_position(session)
    match found:
        case Found.GUARDED if remainder.is_pending(session):
            await recheck.schedule_recheck(session.ledger, after_s=RECHECK_S, looked_at=None)
        case Found.GUARDED:
            await reducing.reduce_if_asked(session)
            await _look_again_if_unfinished(session)
        case Found.FLAT:
            await ending.end_flat(session)
        case Found.UNGUARDED:
            await leaving.close_and_end(session, leg=Leg.FLATTEN, reason=CloseReason.FLATTENED)
        case _:
            assert_never(found)


async def _look_again_if_unfinished(session: ExecutionSession) -> None:
    """Have a position that is still open and guarded looked at again soon, if something of it is not finished."""
    execution = session.execution
    if execution.state is not ExecutionState.PROTECTED or execution.exited_at or execution.flat_since:
        return
    if session.stop_move_pending:
        await recheck.schedule_recheck(session.ledger, after_s=RECHECK_S, looked_at=None)
    else:
        await recheck.schedule_look_if_unfinished(session)
