"""An alert that is sent again is one alert; an alert that comes after a newer one opens and closes nothing of it.

An exit alert closes what is older than itself, however late it comes, and nothing else.

The order is worked out here anew, from when each alert fired and from the order in which they were accepted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime

from local.faults.worlds.world import World
from shared.models.execution import Execution
from shared.models.trigger import Trigger
from shared.trading.execution import CloseReason, DenialReason, ExecutionState, Reason
from shared.trading.sides import TriggerAction


def check_rest(world: World) -> Iterator[str]:
    """Yield the positions that are open although an exit alert that is newer has been accepted.

    An entry that is only watched for a late fill has none.
    """
    closes = [trigger for trigger in world.triggers() if trigger.action is TriggerAction.CLOSE]
    for execution in world.active():
        watched = execution.state is ExecutionState.ENTRY_UNKNOWN
        if not execution.opens or watched or world.has_left_dust(execution):
            continue
        for close in closes:
            if close.strategy_id == execution.strategy_id and place(close) > place_of(execution):
                yield f"execution {execution.id} is {execution.state} after the exit alert {close.id}, which is newer"


def check(world: World, executions: Sequence[Execution]) -> Iterator[str]:
    """Yield the violations."""
    yield from _repeats(world)
    triggers = {trigger.id: trigger for trigger in world.triggers()}
    by_trigger: dict[str, list[Execution]] = defaultdict(list)
    for execution in executions:
        by_trigger[execution.trigger_id].append(execution)
    for trigger in triggers.values():
        if trigger.opens and any(_is_newer_and_came_before(other, trigger) for other in triggers.values()):
            yield from (
                f"execution {execution.id} of an alert that came too late ended {execution.reason}"
                for execution in by_trigger[trigger.id]
                if execution.reason != DenialReason.SUPERSEDED
            )
        for execution in by_trigger[trigger.id]:
            newer = [one for one in triggers.values() if _is_newer(one, trigger)]
            opposite = any(one.opens and one.side is not trigger.side for one in newer)
            if execution.close_reason == CloseReason.OPPOSITE and not opposite:
                yield f"execution {execution.id} was closed by an opposite alert, and none is newer"
            if execution.close_reason == CloseReason.EXIT_ALERT and all(one.opens for one in newer):
                yield f"execution {execution.id} was closed by an exit alert, and none is newer"
    places = {execution.id: place(triggers[execution.trigger_id]) for execution in executions}
    for execution in executions:
        position_id = (execution.detail or "").partition(";")[0]  # what was refused of an update follows
        closed = places.get(position_id) if execution.reason == Reason.APPLIED else None
        if closed is not None and closed > places[execution.id]:
            yield f"execution {position_id} was closed by the exit {execution.id}, which is older"


def _repeats(world: World) -> Iterator[str]:
    for alert in world.alerts:
        if alert.is_recognisable and len(set(alert.trigger_ids)) > 1:
            yield f"one alert has become several triggers: {sorted(set(alert.trigger_ids))}"


def _is_newer_and_came_before(other: Trigger, trigger: Trigger) -> bool:
    """Return whether another trigger supersedes one; reductions and updates supersede nothing."""
    supersedes = other.action in {TriggerAction.OPEN, TriggerAction.CLOSE}
    return supersedes and other.seq < trigger.seq and _is_newer(other, trigger)


def _is_newer(other: Trigger, trigger: Trigger) -> bool:
    return other.strategy_id == trigger.strategy_id and place(other) > place(trigger)


def place(trigger: Trigger) -> tuple[datetime, bool, int]:
    """Return a trigger's place in time, worked out anew."""
    born_at = min(trigger.fired_at or trigger.created_at, trigger.created_at)
    return born_at.replace(microsecond=0), trigger.opens, trigger.seq


def place_of(execution: Execution) -> tuple[datetime, bool, int]:
    """Return the place of an execution's trigger."""
    born_at = min(execution.fired_at or execution.received_at, execution.received_at)
    return born_at.replace(microsecond=0), execution.opens, execution.seq
