"""What waits for a lane: entries until it has weight again, everything else until the exchange takes it. Loses nothing.

Whatever waits keeps its state, gets a new `due_at`, and is brought back by one message, or by the watcher's minute.
"""

from __future__ import annotations

import math
import random

from functions.order_executor import admission, booking, settling
from functions.order_executor.protecting import ATTENTION
from functions.order_executor.session import ExecutionSession
from shared.clock import utc_now
from shared.errors import AddressBanned, ExchangeThrottled
from shared.observability import count_outcome, logger
from shared.scheduling import WATCH_INTERVAL_S, back_off_s
from shared.trading.execution import HOLDS_QUANTITY, DenialReason, Desired, ExecutionState

SPREAD_S = 10.0
"""Over so much of a minute those come back whom the minute before had no weight for."""
_URGENT_SPREAD_S = 1.0
_SHORTEST_S = 1.0


async def postpone_entry(session: ExecutionSession, error: ExchangeThrottled) -> None:
    """Let an entry wait for its lane as long as its alert is fresh then; else this is its answer."""
    latest_s = admission.latest_entry_in_s(session.execution, now=utc_now())
    soonest_s = max(error.retry_after_s, _SHORTEST_S)
    if soonest_s > latest_s:
        await booking.end_without_position(
            session, state=ExecutionState.DENIED, reason=DenialReason.WEIGHT_EXHAUSTED, detail=str(error)
        )
        return
    after_s = random.uniform(soonest_s, min(soonest_s + SPREAD_S, latest_s))  # noqa: S311 - jitter, not a secret
    await settling.come_back(session, after_s=math.ceil(after_s))
    logger.info("entry_postponed", execution_id=session.execution.id, after_s=math.ceil(after_s), detail=str(error))
    count_outcome("entry_postponed")


async def wait_for_lane(session: ExecutionSession, error: ExchangeThrottled) -> None:
    """Let work that was begun wait until the exchange takes requests again, longer and longer while it does not."""
    execution = session.execution
    banned = isinstance(error, AddressBanned)
    soonest_s = max(error.retry_after_s, back_off_s(execution.state_since, least_s=_SHORTEST_S))
    urgent = execution.desired is Desired.CLOSED or execution.state is not ExecutionState.PROTECTED
    if banned and urgent and execution.state in HOLDS_QUANTITY:
        logger.error("position_out_of_reach", execution_id=execution.id, state=execution.state.value)
        count_outcome(ATTENTION)
    # A position that is only looked at has its stop at the exchange: it lets the rest go first.
    spread_s = _URGENT_SPREAD_S if urgent else WATCH_INTERVAL_S
    after_s = math.ceil(random.uniform(soonest_s, soonest_s + spread_s))  # noqa: S311 - jitter, not a secret
    await settling.come_back(session, after_s=after_s)
    logger.warning("work_postponed", execution_id=execution.id, after_s=after_s, detail=str(error))
