"""A position is brought down to the smallest share that reductions which mean it ask for, and no further by them.

Which reductions mean a position is worked out here anew, in whatever order they came.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import timedelta
from decimal import Decimal

from local.faults.worlds.checks import alerts
from local.faults.worlds.our_orders import ref_of
from local.faults.worlds.world import World
from shared.models.execution import Execution
from shared.models.trigger import Trigger
from shared.trading.execution import Desired, ExecutionState
from shared.trading.ids import Leg
from shared.trading.sides import TriggerAction

_GROWTH = 10
_ON_RECORD_WITHIN = timedelta(seconds=60)


def check_rest(world: World) -> Iterator[str]:
    """Yield the positions that are larger than a reduction has asked for, while nothing is in progress."""
    reductions = _reductions(world)
    for execution in world.active():
        if execution.state is not ExecutionState.PROTECTED or execution.desired is Desired.CLOSED:
            continue
        share = _smallest_share(reductions, execution)
        if share is None or execution.filled_amount is None or execution.dust_left:
            continue
        left, most = execution.amount_left, execution.filled_amount * share + _step(world, execution)
        if left is None or left >= most:
            yield f"execution {execution.id} has {left} of {execution.filled_amount} left, not {share} of it"


def check(world: World, executions: Sequence[Execution]) -> Iterator[str]:
    """Yield the positions of which reductions have closed more than was asked for."""
    reductions, closed = _reductions(world), _closed_by_reductions(world)
    for execution in executions:
        share = _smallest_share(reductions, execution)
        entered = execution.filled_amount or Decimal(0)
        # What remains is rounded down to the step.
        most = Decimal(0) if share is None else entered * (1 - share) + _step(world, execution)
        yield from _forgotten(execution, reductions)
        if closed[execution.id] > most:
            yield f"reductions have closed {closed[execution.id]} of execution {execution.id}, at most {most} was asked"


def _forgotten(execution: Execution, reductions: Sequence[Trigger]) -> Iterator[str]:
    """Yield the reductions that were accepted long before a position ended, and are not on record with it."""
    filled_at, gone_at = execution.entry_filled_at, execution.exited_at or execution.closed_at
    if filled_at is None or gone_at is None:
        return
    for trigger in _meaning(reductions, execution):
        is_recorded = execution.keep_share is not None and execution.keep_share <= (trigger.keep_share or 0)
        asked_for = gone_at - max(filled_at, trigger.created_at)
        if asked_for > _ON_RECORD_WITHIN and not is_recorded and execution.desired is Desired.OPEN:
            yield f"execution {execution.id} has not heard of the reduction {trigger.id}"


def _step(world: World, execution: Execution) -> Decimal:
    """Return the most that rounding to the exchange's step may take; a step that changes grows tenfold for a while."""
    (follows,) = (one for one in world.people if one.record.id == execution.follower_id)
    return world.step_of(follows.symbol) * (_GROWTH if world.shape.filters_change else 1)


def _reductions(world: World) -> list[Trigger]:
    return [trigger for trigger in world.triggers() if trigger.action is TriggerAction.REDUCE]


def _meaning(reductions: Sequence[Trigger], execution: Execution) -> list[Trigger]:
    return [
        trigger
        for trigger in reductions
        if trigger.strategy_id == execution.strategy_id
        and alerts.place(trigger) > alerts.place_of(execution)
        and trigger.position_side in {None, execution.side}
    ]


def _smallest_share(reductions: Sequence[Trigger], execution: Execution) -> Decimal | None:
    """Return the smallest share that is asked of a position; None if no reduction means it."""
    meant = _meaning(reductions, execution)
    return min((trigger.keep_share for trigger in meant if trigger.keep_share is not None), default=None)


def _closed_by_reductions(world: World) -> dict[str, Decimal]:
    closed: dict[str, Decimal] = defaultdict(Decimal)
    for first, *_ in world.sharing():
        for order in first.account.orders.values():
            ref = ref_of(order)
            if ref is not None and ref.leg is Leg.REDUCE and order.symbol == first.symbol:
                closed[ref.execution_id] += order.executed
    return closed
