"""Takes an execution that was begun from where it stands to where it should be: protected, or over and booked.

Every step begins by asking the exchange; nothing here believes that an earlier worker finished.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import assert_never

from functions.order_executor import admission, booking, closing, entering, position, protecting, watching
from functions.order_executor.closing import Closed
from functions.order_executor.entering import Absent, Filled, Outcome, Refused
from functions.order_executor.protecting import ATTENTION
from functions.order_executor.session import ExecutionSession
from functions.order_executor.watching import Found
from shared.clock import utc_now
from shared.errors import OrderDenied
from shared.messages import ReconcileMessage, send_reconcile
from shared.models.order import Order, OrderStatus
from shared.observability import count_outcome, logger
from shared.scheduling import RECHECK_S, WATCH_INTERVAL_S, back_off_s, due_by_next_run, due_in
from shared.trading.execution import CloseReason, Desired, ExecutionState
from shared.trading.ids import Leg
from shared.trading.position_accounting import Booking

WATCH_UNKNOWN_FOR = timedelta(hours=24)
_OTHERS_AFTER = timedelta(seconds=60)
UNEXPLAINED_AFTER = timedelta(minutes=10)
DUST_LEFT = "DUST_LEFT"
"""The reason on an execution whose rest is too little to be closed by an order."""
_DUST_EVERY_S = 300


async def come_back(session: ExecutionSession, *, after_s: float | None = None) -> None:
    """Have the execution looked at again, sooner than the watcher's minute while it is young, then less and less often.

    `due_at` is moved and one message sent for it; whoever finds it moved meanwhile drops the message, so that looks
    never multiply. Work that is under way does not move it: its dead-man message would be dropped.
    """
    delay_s = int(after_s or back_off_s(session.execution.state_since, least_s=RECHECK_S))
    await session.advance(due_at=due_in(delay_s))
    if delay_s < WATCH_INTERVAL_S:
        await asyncio.to_thread(send_reconcile, ReconcileMessage(session.execution.id), delay_s=delay_s)


def needs_another_look(session: ExecutionSession) -> bool:
    """Tell whether an execution must not wait for the watcher's minute as it stands."""
    execution = session.execution
    if not execution.active or execution.state in {ExecutionState.QUEUED, ExecutionState.PROTECTED}:
        return False
    return not _given_up(session) and execution.reason != DUST_LEFT


def _given_up(session: ExecutionSession) -> bool:
    """An entry that is proven absent: watched minute by minute, no more."""
    entries = session.of_leg(Leg.ENTRY)
    unknown = session.execution.state is ExecutionState.ENTRY_UNKNOWN
    return unknown and bool(entries) and entries[-1].status is OrderStatus.ABSENT


async def settle(session: ExecutionSession) -> None:
    """Take an execution that was begun from where it stands to where it should be."""
    state = session.execution.state
    match state:
        case ExecutionState.ENTERING | ExecutionState.ENTRY_UNKNOWN:
            await _resolve(session)
        case ExecutionState.UNPROTECTED | ExecutionState.PROTECTED:
            await _watch(session)
        case ExecutionState.CLOSING:
            await _close(session, leg=Leg.CLOSE, reason=CloseReason.ADMIN)
        case ExecutionState.FLATTENING:
            await _close(session, leg=Leg.FLATTEN, reason=CloseReason.FLATTENED)
        case ExecutionState.QUEUED:
            return
        case ExecutionState.CLOSED | ExecutionState.DENIED | ExecutionState.REJECTED | ExecutionState.FAILED:
            return
        case _:
            assert_never(state)


async def _resolve(session: ExecutionSession) -> None:
    """Find out what became of an entry that another worker sent, or that this one lost sight of."""
    entry = session.of_leg(Leg.ENTRY)[-1]
    given_up = _given_up(session)
    outcome = await entering.resolve_entry(session, entry)
    if isinstance(outcome, Filled):
        session.execution.filled_amount = outcome.amount
        if given_up:
            # It had been proven absent, and nobody waits for it any more: a late fill is a fault, not a position.
            logger.error("entry_filled_late", execution_id=session.execution.id)
            count_outcome(ATTENTION)
            await _close(session, leg=Leg.FLATTEN, reason=CloseReason.FLATTENED)
        else:
            await _protect_what_is_left(session, outcome)
    elif given_up and isinstance(outcome, Absent):
        await end_unknown(session, watched=True)
    else:
        await after_entry(session, entry, outcome)


async def _protect_what_is_left(session: ExecutionSession, filled: Filled) -> None:
    """Protect a position that somebody else opened a while ago: it may have been closed since, and not by us."""
    left = await position.left_of_ours(session)
    if left:
        await _protect(session, Filled(amount=filled.amount, view=filled.view), left=left)
        return
    await protecting.note_fill(session, filled, protecting.plan_for(session, filled.amount))
    await _end_flat(session)


async def after_entry(session: ExecutionSession, entry: Order, outcome: Outcome) -> None:
    """Go on from what came of an entry."""
    match outcome:
        case Filled():
            count_outcome("entry_filled")
            await _protect(session, outcome, fresh=True)
        case Refused():
            await booking.end_without_position(
                session, state=outcome.state, reason=outcome.reason, detail=outcome.detail
            )
        case Absent():
            if await _may_resend(session):
                await after_entry(session, session.of_leg(Leg.ENTRY)[-1], await entering.resend_entry(session, entry))
            else:
                await end_unknown(session, watched=True)
        case _:
            assert_never(outcome)


async def end_unknown(session: ExecutionSession, *, watched: bool = False) -> None:
    """End an entry that is proven absent; `watched`, only after it has been looked for a day, minute by minute."""
    begun_at = session.execution.created_at
    wanted = session.execution.desired is not Desired.CLOSED
    if watched and wanted and utc_now() - begun_at < WATCH_UNKNOWN_FOR:
        state = None if session.execution.state is ExecutionState.ENTRY_UNKNOWN else ExecutionState.ENTRY_UNKNOWN
        await session.advance(state, due_at=due_by_next_run(), reason=CloseReason.ENTRY_UNKNOWN.value)
        return
    if session.execution.state is ExecutionState.ENTERING:
        await session.advance(ExecutionState.ENTRY_UNKNOWN)
    await booking.end_without_position(
        session, state=ExecutionState.CLOSED, reason=CloseReason.ENTRY_UNKNOWN, detail="proven absent"
    )


async def _may_resend(session: ExecutionSession) -> bool:
    if len(session.of_leg(Leg.ENTRY)) > 1 or session.execution.desired is Desired.CLOSED:
        return False
    try:
        standing = await asyncio.to_thread(admission.read_standing, session.execution)
        admission.admit_follower(standing, session.execution)
        price = await session.account.market_price(session.symbol)
        admission.admit_age(standing, session.execution, now=utc_now(), market_price=price)
    except OrderDenied:
        return False
    # The owner may have traded meanwhile: the second entry, like the first, needs a flat account.
    signed, standing_orders = await asyncio.gather(
        session.account.position_amount(session.symbol), session.account.open_orders(session.symbol)
    )
    return not signed and not standing_orders


async def _protect(
    session: ExecutionSession, filled: Filled, *, fresh: bool = False, left: Decimal | None = None
) -> None:
    """Protect a position, or close it; `fresh`, right after its fill, the closing asks nothing first."""
    if await protecting.protect(session, filled, left=left):
        count_outcome("position_protected")
        if session.execution.desired is Desired.CLOSED:
            await _close(session, leg=Leg.CLOSE, reason=CloseReason.ADMIN)
        return
    await _close(session, leg=Leg.FLATTEN, reason=CloseReason.FLATTENED, blind=fresh)


async def _watch(session: ExecutionSession) -> None:
    """See to an open position: closed at the venue, wanted closed, or to be kept with its stop."""
    if session.execution.desired is Desired.CLOSED:
        await _close(session, leg=Leg.CLOSE, reason=CloseReason.ADMIN)
        return
    found = await watching.look(session)
    match found:
        case Found.GUARDED:
            return
        case Found.FLAT:
            await _end_flat(session)
        case Found.UNGUARDED:
            await _close(session, leg=Leg.FLATTEN, reason=CloseReason.FLATTENED)
        case _:
            assert_never(found)


async def _end_flat(session: ExecutionSession) -> None:
    """End a position that the venue reads as flat. Once, that may be a late answer: only the fills are the end."""
    flat_since = session.execution.flat_since or utc_now()
    flat_for = utc_now() - flat_since
    others = flat_for > _OTHERS_AFTER
    end = await position.wait_for_end(session, polls=2, include_other_executions=others)
    if end is not None:
        await _finish(session, end, include_other_executions=others)
    elif flat_for > UNEXPLAINED_AFTER:
        logger.error("position_unexplained", execution_id=session.execution.id)
        count_outcome(ATTENTION)
        await closing.clear(session)
        await booking.end_without_position(session, state=ExecutionState.CLOSED, reason="FILLS_UNKNOWN")
    else:
        await session.advance(flat_since=flat_since)
        await come_back(session, after_s=RECHECK_S)


async def _close(session: ExecutionSession, *, leg: Leg, reason: CloseReason, blind: bool = False) -> None:
    closed = await closing.close(session, leg=leg, reason=reason, blind=blind)
    match closed:
        case Closed.WHOLE:
            end = await position.wait_for_end(session, already_read=True)
            if end is not None:
                await _finish(session, end)
                return
        case Closed.DUST:
            await _leave_dust(session)
            return
        case Closed.NOT_YET:
            pass
        case _:
            assert_never(closed)
    if not await session.position():
        await _end_flat(session)  # the exchange's books are late
        return
    logger.error("close_not_finished", execution_id=session.execution.id)
    count_outcome(ATTENTION)
    await watching.keep_guarded(session)


async def _leave_dust(session: ExecutionSession) -> None:
    """Leave what no market order can close to the stop of the whole position: said once, then looked at rarely."""
    await watching.keep_guarded(session)
    if session.execution.reason != DUST_LEFT:
        logger.error("dust_left", execution_id=session.execution.id)
        count_outcome(ATTENTION)
        left = await position.left_of_ours(session)
        await session.advance(reason=DUST_LEFT, detail=f"{left} is below the exchange's minimum")
    await session.advance(due_at=due_in(_DUST_EVERY_S))


async def _finish(session: ExecutionSession, end: Booking, *, include_other_executions: bool = False) -> None:
    """Free the account for the next entry: nothing of this one may stand, or be carried out any more."""
    await session.lease.outlast_unsure()
    await closing.clear(session)
    await booking.book(session, end, include_other_executions=include_other_executions)
