"""Ends a position that is flat, once the fills show how: books it, and leaves no order behind."""

from __future__ import annotations

from datetime import timedelta

from functions.order_executor import booking, closing, position, recheck, remainder
from functions.order_executor.session import ExecutionSession
from shared.clock import utc_now
from shared.observability import ATTENTION_NEEDED, count_outcome, logger
from shared.scheduling import RECHECK_S
from shared.trading.execution import ExecutionState, Reason
from shared.trading.position_accounting import Booking

_INCLUDE_OTHERS_AFTER = timedelta(seconds=60)
_UNEXPLAINED_AFTER = timedelta(minutes=10)


async def end_flat(session: ExecutionSession) -> None:
    """End a position that the venue reads as flat, once the fills show its end: the venue's answer may be late."""
    ledger = session.ledger
    if await _waits_for_remainder(session):
        return
    flat_since = session.execution.flat_since or utc_now()
    flat_for = utc_now() - flat_since
    others = flat_for > _INCLUDE_OTHERS_AFTER
    if others:
        (await session.history()).book.read_the_last_days_again()
    end = await position.wait_for_end(session, polls=2, include_other_executions=others)
    if end is not None:
        await finish(session, end, include_other_executions=others)
    elif flat_for > _UNEXPLAINED_AFTER:
        logger.error("position_unexplained", execution_id=session.execution.id)
        count_outcome(ATTENTION_NEEDED)
        await closing.clear(session)
        await booking.end_without_position(ledger, state=ExecutionState.CLOSED, reason=Reason.FILLS_UNKNOWN)
    else:
        await ledger.advance(flat_since=flat_since)
        await recheck.schedule_recheck(ledger, after_s=RECHECK_S)


async def finish(session: ExecutionSession, end: Booking, *, include_other_executions: bool = False) -> None:
    """Book the end, and free the slot: no order of this execution may stand or still be carried out then."""
    if await _waits_for_remainder(session):
        return
    await session.lease.wait_for_unanswered()
    await closing.clear(session)
    if not await booking.book(session, end, include_other_executions=include_other_executions):
        await recheck.schedule_recheck(session.ledger, after_s=RECHECK_S)


async def _waits_for_remainder(session: ExecutionSession) -> bool:
    """Return whether a remainder may still open something: then the stop stays, and it is looked up again."""
    if not remainder.is_pending(session):
        return False
    await recheck.schedule_recheck(session.ledger, after_s=RECHECK_S)
    return True
