"""Pages through the executions of one trigger, whose index is sharded."""

from __future__ import annotations

from shared.api.paging import Cursor, Page
from shared.models.execution import Execution, trigger_partitions


def executions_of(trigger_id: str, *, start: Cursor | None, limit: int) -> Page[Execution]:
    """Return up to `limit` of a trigger's executions, partition by partition."""
    parts = trigger_partitions(trigger_id)
    keys: list[tuple[str, str]] = []
    for part in parts[parts.index(start["part"]) if start else 0 :]:
        after = start["after_id"] if start and part == start["part"] else None
        condition = Execution.id > after if after else None
        # One more than a page shows whether there is another page.
        found = Execution.by_trigger.query(part, condition, limit=limit + 1 - len(keys))
        keys += [(part, key.id) for key in found]
        if len(keys) > limit:
            break
    shown = keys[:limit]
    executions = Execution.find_many(execution_id for _, execution_id in shown)
    end: Cursor | None = None
    if len(keys) > len(shown):
        last_part, last_id = shown[-1]
        end = {"trigger_id": trigger_id, "part": last_part, "after_id": last_id}
    return Page([executions[execution_id] for _, execution_id in shown if execution_id in executions], end)
