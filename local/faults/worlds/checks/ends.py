"""Each follower of each alert has an end with a reason, and each trigger ends with its last execution."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from local.faults.worlds.world import World
from shared.models.execution import Execution
from shared.models.trigger_count import TriggerCount
from shared.trading.execution import ExecutionState

_AT_REST = (ExecutionState.PROTECTED, ExecutionState.ENTRY_UNKNOWN)


def check_rest(world: World) -> Iterator[str]:
    """Yield the executions on which work is still to be done when nothing is in progress."""
    for execution in world.active():
        if execution.state not in _AT_REST and not execution.dust_left:
            yield f"execution {execution.id} is not at rest: {execution.state} since {execution.state_times}"


def check(world: World, executions: Sequence[Execution]) -> Iterator[str]:
    """Yield the violations when everything is over."""
    for execution in executions:
        if execution.active:
            yield f"execution {execution.id} has no end: {execution.state}, {execution.state_times}"
        elif execution.state is ExecutionState.CLOSED and not (execution.close_reason or execution.reason):
            yield f"execution {execution.id} was closed without a reason"
        elif execution.state is not ExecutionState.CLOSED and not execution.reason:
            yield f"execution {execution.id} ended {execution.state} without a reason"
    followers = Counter(follows.record.strategy_id for follows in world.people)
    by_trigger = Counter(execution.trigger_id for execution in executions)
    for trigger in world.triggers():
        if trigger.active:
            yield f"trigger {trigger.id} is still active"
        if active := TriggerCount.total_active(trigger.id):
            yield f"trigger {trigger.id} counts {active} active executions"
        if by_trigger[trigger.id] != followers[trigger.strategy_id]:
            expected = followers[trigger.strategy_id]
            yield f"trigger {trigger.id} has {by_trigger[trigger.id]} executions for {expected} followers: no end"
