"""Table `execution_events`: the changes of an execution, append-only. An audit trail that no decision depends on.

Only the admin API's story of an alert shows them, and it says where they may be gone. So they may leave the table once
they are exported (`ExpireExported` in template.yaml).
"""

from __future__ import annotations

from datetime import timedelta

from pynamodb.attributes import UnicodeAttribute

from shared.models.attributes import IntegerAttribute, TimeAttribute
from shared.models.base import Table, TableName

RETENTION = timedelta(days=400)
"""More than a year, and a dozen exports."""


class ExecutionEvent(Table):
    """One change of state, written in the transaction that changed it."""

    class Meta:
        table_name = TableName("execution_events")

    execution_id = UnicodeAttribute(hash_key=True)
    revision = IntegerAttribute(range_key=True)
    """The execution's revision after the change."""
    at = TimeAttribute()
    state = UnicodeAttribute()
    reason = UnicodeAttribute(null=True)
    detail = UnicodeAttribute(null=True)
    worker = UnicodeAttribute(null=True)
    """The request id of the worker that made the change."""
    expires_at = IntegerAttribute(null=True)
    """Absent from events of before the exports, which stay."""
