"""Work that waits for its lane: entries until it has weight again, everything else until it is not banned.

Nothing is lost: the execution keeps its state, gets a new `due_at`, and one message, or the watcher's run, resumes it.
"""

from __future__ import annotations

import math
import random

from functions.order_executor import admission, booking, collecting
from functions.order_executor.ledger import Ledger
from functions.order_executor.recheck import schedule_recheck
from shared.clock import utc_now
from shared.errors import AddressBanned, ExchangeThrottled
from shared.exchange import lanes, weights
from shared.exchange.gate import Request, Work
from shared.exchange.lanes import Hold
from shared.models.execution import Execution
from shared.observability import ATTENTION_NEEDED, count_outcome, logger
from shared.scheduling import WATCH_INTERVAL_S, back_off_s
from shared.trading.execution import HOLDS_QUANTITY, DenialReason, Desired, ExecutionState

SPREAD_S = 10.0
"""Entries without weight come back spread over this part of the next minute."""
_SPREAD_OF_WAIT = 2.0
"""Those that wait for others' entries to be protected come back sooner: spread over so many times their wait."""
_URGENT_SPREAD_S = 1.0
_SHORTEST_S = 1.0


async def admit_begun(execution: Execution, lane: str) -> Hold | None:
    """Hold a lane's weight for a look at a protected position; raise ExchangeThrottled when it must wait.

    What closes or has no stop goes without a hold. During a ban everything waits.
    """
    limiter = lanes.limiter_of(lane)
    limiter.check(reads=False)
    if execution.state is not ExecutionState.PROTECTED or execution.desired is Desired.CLOSED:
        return None
    funding = weights.FUNDING if collecting.is_due(execution, utc_now()) else 0
    return await limiter.admit(Request(Work.LOOK, weights.LOOK + funding))


async def postpone_entry(ledger: Ledger, error: ExchangeThrottled) -> None:
    """Retry an entry when its lane has weight, if its alert is fresh then; else end it as WEIGHT_EXHAUSTED."""
    latest_s = admission.latest_entry_in_s(ledger.execution, now=utc_now())
    soonest_s = max(error.retry_after_s, _SHORTEST_S)
    if soonest_s > latest_s:
        await booking.end_without_position(
            ledger, state=ExecutionState.DENIED, reason=DenialReason.WEIGHT_EXHAUSTED, detail=str(error)
        )
        return
    spread_s = min(SPREAD_S, _SPREAD_OF_WAIT * soonest_s)
    after_s = random.uniform(soonest_s, min(soonest_s + spread_s, latest_s))  # noqa: S311 - jitter, not a secret
    await schedule_recheck(ledger, after_s=math.ceil(after_s))
    logger.info("entry_postponed", execution_id=ledger.execution.id, after_s=math.ceil(after_s), detail=str(error))
    count_outcome("entry_postponed")


async def wait_for_lane(ledger: Ledger, error: ExchangeThrottled) -> None:
    """Retry begun work when the exchange may take requests again, at growing intervals."""
    execution = ledger.execution
    banned = isinstance(error, AddressBanned)
    soonest_s = max(error.retry_after_s, back_off_s(execution.state_since, least_s=_SHORTEST_S))
    urgent = execution.desired is Desired.CLOSED or execution.state is not ExecutionState.PROTECTED
    if banned and urgent and execution.state in HOLDS_QUANTITY:
        logger.error("position_out_of_reach", execution_id=execution.id, state=execution.state.value)
        count_outcome(ATTENTION_NEEDED)
    # A position that has its stop at the exchange lets the others go first.
    spread_s = _URGENT_SPREAD_S if urgent else WATCH_INTERVAL_S
    after_s = math.ceil(random.uniform(soonest_s, soonest_s + spread_s))  # noqa: S311 - jitter, not a secret
    await schedule_recheck(ledger, after_s=after_s)
    logger.warning("work_postponed", execution_id=execution.id, after_s=after_s, detail=str(error))
