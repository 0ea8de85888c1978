"""Table `trigger_counts`: the number of a trigger's active executions, sharded to avoid a hot record."""

from __future__ import annotations

import zlib

from pynamodb.attributes import UnicodeAttribute

from shared.models.attributes import IntegerAttribute
from shared.models.base import Table, TableName

SHARDS = 8


def shard_of(execution_id: str) -> int:
    """Return the shard that counts an execution."""
    return zlib.crc32(execution_id.encode()) % SHARDS


class TriggerCount(Table):
    """One shard's count, changed in the transactions that create and end executions."""

    class Meta:
        table_name = TableName("trigger_counts")

    trigger_id = UnicodeAttribute(hash_key=True)
    shard = IntegerAttribute(range_key=True)
    active = IntegerAttribute(default=0)

    @classmethod
    def total_active(cls, trigger_id: str) -> int:
        """Return the number of the trigger's active executions, read consistently."""
        return sum(count.active for count in cls.query(trigger_id, consistent_read=True))
