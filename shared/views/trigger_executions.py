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
    end = _cursor(trigger_id, *shown[-1]) if len(keys) > len(shown) else None
    return Page([executions[execution_id] for _, execution_id in shown if execution_id in executions], end)


def cursor_of(execution: Execution) -> Cursor:
    """Return the cursor of a page that ends with an execution."""
    return _cursor(execution.trigger_id, execution.trigger_part, execution.id)


def _cursor(trigger_id: str, part: str, execution_id: str) -> Cursor:
    return {"trigger_id": trigger_id, "part": part, "after_id": execution_id}
