"""Work that waits for its lane: entries until it has weight again, everything else until it is not banned.

Nothing is lost: the execution keeps its state, gets a new `due_at`, and one message, or the watcher's run, resumes it.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import random
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal

from functions.order_executor import booking, collecting
from functions.order_executor.ledger import Ledger
from functions.order_executor.recheck import is_watched_for_late_fill, schedule_recheck
from shared import admission
from shared.clock import utc_now
from shared.config import settings
from shared.errors import AddressBanned, ExchangeThrottled, OrderRateExceeded
from shared.exchange import lanes, weights
from shared.exchange.gate import Request, Work
from shared.models.execution import Execution
from shared.observability import ATTENTION_NEEDED, count_outcome, logger
from shared.order_dispatch import free_elsewhere_in_s
from shared.scheduling import WATCH_INTERVAL_S, back_off_s
from shared.trading.execution import HOLDS_QUANTITY, DenialReason, Desired, ExecutionState
from shared.trading.looks import is_overdue

PATIENCE_S = 2.0
"""How long work waits in its worker for other work to end and to give its weight back."""
SPREAD_S = 10.0
"""Entries without weight come back spread over this part of the next minute."""
_SPREAD_OF_WAIT = 2.0
"""Those that wait for others' entries to be protected come back sooner: spread over so many times their wait."""
_URGENT_SPREAD_S = 1.0
_SHORTEST_S = 1.0


@contextlib.asynccontextmanager
async def admitted(ledger: Ledger, lane: str, *, for_entry: bool = False) -> AsyncIterator[None]:
    """Hold the lane's weight for begun work, or raise ExchangeThrottled when it must wait.

    During a ban everything waits. `for_entry` marks work that an entry waits for.
    """
    limiter = lanes.limiter_of(lane)
    limiter.check(reads=False)
    request = _request_of(ledger, for_entry=for_entry)
    hold = await limiter.admit(request, patience_s=PATIENCE_S) if request is not None else None
    try:
        yield
    finally:
        if hold is not None:
            hold.release()


def _request_of(ledger: Ledger, *, for_entry: bool) -> Request | None:
    """Return what the work asks of the lane; None for a position that may have no stop, which asks nobody."""
    execution = ledger.execution
    if execution.exited_at is not None:
        weight = booking.weight(execution, until=execution.exited_at)
        return Request(Work.ENTRY if for_entry else Work.BOOKING, weight)
    requested = _weight_of_requests(execution) if execution.state is ExecutionState.PROTECTED else 0
    if requested:
        weight = requested + collecting.fills_weight(execution, utc_now())
        return Request(Work.CLOSE, weight, _notional_of(execution))
    kept = execution.state is ExecutionState.PROTECTED and execution.desired is not Desired.CLOSED
    if kept or is_watched_for_late_fill(ledger):
        weight = weights.LOOK + collecting.fills_weight(execution, utc_now())
        # Without a time, a look is due each time: an order of ours may be unfinished.
        overdue = execution.looked_at is None or is_overdue(
            execution.looked_at, now=utc_now(), interval=timedelta(seconds=settings().look_interval_s)
        )
        return Request(Work.ENTRY if for_entry or overdue else Work.LOOK, weight)
    closing = execution.state in {ExecutionState.PROTECTED, ExecutionState.CLOSING}
    if closing and execution.protected_at is not None:
        return Request(Work.CLOSE, weights.CLOSE, _notional_of(execution))
    return None


def _weight_of_requests(execution: Execution) -> int:
    """Return what a reduction, or an update, of a position may use, its fills aside; 0 if neither is due."""
    weight = weights.REDUCTION if execution.is_to_be_reduced else 0
    if execution.is_to_be_updated:
        weight += weights.UPDATE + (weights.RETARGETING if execution.awaits_targets else 0)
    return weight


def _notional_of(execution: Execution) -> Decimal:
    return (execution.filled_amount or Decimal(0)) * (execution.entry_price or Decimal(0))


async def postpone_entry(ledger: Ledger, error: ExchangeThrottled, *, lane: str) -> None:
    """Retry an entry when a lane of its key has weight, if its alert is fresh then; else end it as WEIGHT_EXHAUSTED."""
    latest_s = admission.latest_entry_in_s(ledger.execution, now=utc_now())
    elsewhere_s = await _elsewhere_in_s(ledger, error, lane=lane, for_entry=True)
    soonest_s = max(min(error.retry_after_s, elsewhere_s), _SHORTEST_S)
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


async def _elsewhere_in_s(ledger: Ledger, error: ExchangeThrottled, *, lane: str, for_entry: bool) -> float:
    """Return in how many seconds another lane can take what this one cannot; infinity if that would not help."""
    if isinstance(error, OrderRateExceeded):
        return math.inf  # the account's limit, at every address
    named = ledger.execution.named_lanes
    return await asyncio.to_thread(free_elsewhere_in_s, lane, named, for_entry=for_entry)


async def wait_for_lane(ledger: Ledger, error: ExchangeThrottled, *, lane: str) -> None:
    """Retry begun work when the exchange may take requests again, at growing intervals; by another lane at once."""
    execution = ledger.execution
    banned = isinstance(error, AddressBanned)
    soonest_s = max(error.retry_after_s, back_off_s(execution.work_since, least_s=_SHORTEST_S))
    if banned:
        elsewhere_s = max(await _elsewhere_in_s(ledger, error, lane=lane, for_entry=False), _SHORTEST_S)
        banned, soonest_s = elsewhere_s > _SHORTEST_S, min(elsewhere_s, soonest_s)
    urgent = execution.desired is Desired.CLOSED or execution.is_to_be_reduced or execution.is_to_be_updated
    urgent = urgent or execution.state is not ExecutionState.PROTECTED
    urgent = urgent and execution.exited_at is None
    if banned and urgent and execution.state in HOLDS_QUANTITY:
        logger.error("position_out_of_reach", execution_id=execution.id, state=execution.state.value)
        count_outcome(ATTENTION_NEEDED)
    # A position that has its stop at the exchange lets the others go first.
    spread_s = _URGENT_SPREAD_S if urgent else WATCH_INTERVAL_S
    after_s = math.ceil(random.uniform(soonest_s, soonest_s + spread_s))  # noqa: S311 - jitter, not a secret
    await schedule_recheck(ledger, after_s=after_s)
    logger.warning("work_postponed", execution_id=execution.id, after_s=after_s, detail=str(error))
