"""Ends a position that is flat, once the fills show how: books it, and leaves no order behind.

A booking can wait: nothing of the position is at the exchange any more. So it waits for slack of the lane. An entry
does not wait for it, unless its follower has a loss limit.
"""

from __future__ import annotations

import contextlib
import random
from datetime import datetime, timedelta

from functions.order_executor import booking, closing, position, recheck, remainder
from functions.order_executor.session import ExecutionSession
from shared.clock import utc_now
from shared.errors import ExchangeThrottled
from shared.exchange.gate import Request, Work
from shared.exchange.lanes import Hold, limiter_of
from shared.observability import ATTENTION_NEEDED, count_outcome, logger
from shared.scheduling import RECHECK_S
from shared.trading.execution import ExecutionState, Reason
from shared.trading.position_accounting import Booking

_INCLUDE_OTHERS_AFTER = timedelta(seconds=60)
_UNEXPLAINED_AFTER = timedelta(minutes=10)
_BOOKED_AFTER_S = (20.0, 40.0)
"""How long a booking waits first that finds its lane busy: an alert's closes and entries are over by then."""


async def end_closed(session: ExecutionSession) -> bool:
    """End a position that our own close has closed: booked now if the lane is quiet and the fills show it, else later.

    Others may be closing at the same moment, so the lane's weight is left to them unless hardly any is used. Return
    False where two entries may have filled and the fills do not show the end: the other one may have filled meanwhile.
    """
    if await _waits_for_remainder(session):
        return True
    sent_once = len(position.entries_that_may_fill(session)) == 1
    hold = await _hold_if_quiet(session)
    with hold or contextlib.nullcontext():
        end: Booking | None = None
        if hold is not None or not sent_once:
            end = await position.wait_for_end(session, already_read=True)
        if end is None and not sent_once:
            return False
        await session.lease.wait_for_unanswered()
        await closing.clear(session)
        if end is not None:
            await _book(session, end)
        else:
            await _leave_unbooked(session)
    return True


async def _hold_if_quiet(session: ExecutionSession) -> Hold | None:
    """Hold the weight of a booking if the lane is quiet and the fills are a single request away; else return None."""
    limiter = limiter_of(session.account.lane)
    if not limiter.is_quiet() or not (await session.history()).book.takes_one_request():
        return None
    return await _hold_for_booking(session, until=None)


async def _hold_for_booking(session: ExecutionSession, *, until: datetime | None) -> Hold | None:
    """Hold the weight of a booking; return None when the lane has none for it now."""
    request = Request(Work.BOOKING, booking.weight(session.execution, until=until))
    try:
        return await limiter_of(session.account.lane).admit(request)
    except ExchangeThrottled:
        return None


async def _leave_unbooked(session: ExecutionSession) -> None:
    await session.ledger.advance(exited_at=utc_now())
    await recheck.schedule_recheck(session.ledger, after_s=random.uniform(*_BOOKED_AFTER_S))  # noqa: S311 - jitter


async def book_exited(session: ExecutionSession) -> None:
    """Book a position that was left unbooked; its account may hold the next one by now."""
    execution = session.execution
    end = await position.wait_for_end(session, polls=2)
    if end is not None:
        await _book(session, end)
    elif execution.exited_at is not None and utc_now() - execution.exited_at > _UNEXPLAINED_AFTER:
        await _end_unexplained(session)
    else:
        await recheck.schedule_recheck(session.ledger, after_s=RECHECK_S)


async def _end_unexplained(session: ExecutionSession) -> None:
    logger.error("position_unexplained", execution_id=session.execution.id)
    count_outcome(ATTENTION_NEEDED)
    await booking.end_without_position(session.ledger, state=ExecutionState.CLOSED, reason=Reason.FILLS_UNKNOWN)


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
        await closing.clear(session)
        await _end_unexplained(session)
    else:
        await ledger.advance(flat_since=flat_since)
        await recheck.schedule_recheck(ledger, after_s=RECHECK_S)


async def finish(session: ExecutionSession, end: Booking, *, include_other_executions: bool = False) -> None:
    """Free the account of every order of this execution, then book the end, or leave that for when the lane has slack.

    What another execution has closed is booked at once: nobody could tell later what it was.
    """
    if await _waits_for_remainder(session):
        return
    await session.lease.wait_for_unanswered()
    await closing.clear(session)
    if include_other_executions:
        await _book(session, end, include_other_executions=True)
        return
    hold = await _hold_for_booking(session, until=end.closed_at)
    if hold is None:
        await _leave_unbooked(session)
        return
    with hold:
        await _book(session, end)


async def _book(session: ExecutionSession, end: Booking, *, include_other_executions: bool = False) -> None:
    if not await booking.book(session, end, include_other_executions=include_other_executions):
        await recheck.schedule_recheck(session.ledger, after_s=RECHECK_S)


async def _waits_for_remainder(session: ExecutionSession) -> bool:
    """Return whether a remainder may still open something: then the stop stays, and it is looked up again."""
    if not remainder.is_pending(session):
        return False
    await recheck.schedule_recheck(session.ledger, after_s=RECHECK_S)
    return True
