"""Closes a position and ends its execution, or leaves it guarded until the close can be finished."""

from __future__ import annotations

from typing import assert_never

from functions.order_executor import closing, ending, open_position, position
from functions.order_executor.closing import Closed
from functions.order_executor.session import ExecutionSession
from shared.observability import ATTENTION_NEEDED, count_outcome, logger
from shared.scheduling import due_in
from shared.trading.execution import CloseReason, Reason
from shared.trading.ids import Leg

_DUST_RECHECK_S = 300


async def close_and_end(session: ExecutionSession, *, leg: Leg, reason: CloseReason, blind: bool = False) -> None:
    """Close what is ours and end the execution; where that is not finished yet, the stops stand again.

    `blind`, for a fill of a moment ago, sends the first close before any read, because the position is naked.
    """
    closed = await closing.close(session, leg=leg, reason=reason, blind=blind)
    match closed:
        case Closed.WHOLE:
            if await ending.end_closed(session):
                return
        case Closed.DUST:
            await _leave_dust(session)
            return
        case Closed.NOT_YET:
            pass
        case _:
            assert_never(closed)
    if not await session.position():
        await ending.end_flat(session)  # the exchange's books are late
        return
    logger.error("close_not_finished", execution_id=session.execution.id)
    count_outcome(ATTENTION_NEEDED)
    await open_position.restore_stops(session)


async def _leave_dust(session: ExecutionSession) -> None:
    """Leave an amount that no market order can close to the stop of the whole position; alert once."""
    await open_position.restore_stops(session)
    ledger = session.ledger
    if not session.execution.dust_left:
        logger.error("dust_left", execution_id=session.execution.id)
        count_outcome(ATTENTION_NEEDED)
        left = await position.left_of_ours(session)
        await ledger.advance(dust_left=True, reason=Reason.DUST_LEFT, detail=f"{left} is below the exchange's minimum")
    reached = await session.collect()
    await ledger.advance(due_at=due_in(_DUST_RECHECK_S), **reached)
