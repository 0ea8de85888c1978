"""An alert that is sent again is one alert; an alert that comes after a newer one opens and closes nothing of it.

The order is worked out here anew, from when each alert fired and from the order in which they were accepted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime

from local.faults.worlds.world import World
from shared.models.execution import Execution
from shared.models.trigger import Trigger
from shared.trading.execution import CloseReason, DenialReason


def check(world: World, executions: Sequence[Execution]) -> Iterator[str]:
    """Yield the violations."""
    yield from _repeats(world)
    triggers = {trigger.id: trigger for trigger in world.triggers()}
    by_trigger: dict[str, list[Execution]] = defaultdict(list)
    for execution in executions:
        by_trigger[execution.trigger_id].append(execution)
    for trigger in triggers.values():
        if any(_is_newer_and_came_before(other, trigger) for other in triggers.values()):
            yield from (
                f"execution {execution.id} of an alert that came too late ended {execution.reason}"
                for execution in by_trigger[trigger.id]
                if execution.reason != DenialReason.SUPERSEDED
            )
        for execution in by_trigger[trigger.id]:
            if execution.close_reason == CloseReason.OPPOSITE and not any(
                other.side is not trigger.side and _place(other) > _place(trigger)
                for other in triggers.values()
                if other.strategy_id == trigger.strategy_id
            ):
                yield f"execution {execution.id} was closed by an opposite alert, and none is newer"


def _repeats(world: World) -> Iterator[str]:
    for alert in world.alerts:
        if alert.is_recognisable and len(set(alert.trigger_ids)) > 1:
            yield f"one alert has become several triggers: {sorted(set(alert.trigger_ids))}"


def _is_newer_and_came_before(other: Trigger, trigger: Trigger) -> bool:
    same_strategy = other.strategy_id == trigger.strategy_id
    return same_strategy and other.seq < trigger.seq and _place(other) > _place(trigger)


def _place(trigger: Trigger) -> tuple[datetime, int]:
    born_at = min(trigger.fired_at or trigger.created_at, trigger.created_at)
    return born_at.replace(microsecond=0), trigger.seq
