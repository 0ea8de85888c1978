"""Table `trigger_counts`: how many of a trigger's executions are active, in shards so that no record is hot."""

from __future__ import annotations

import zlib

from pynamodb.attributes import UnicodeAttribute

from shared.models.attributes import IntegerAttribute
from shared.models.base import Table, table_name

SHARDS = 8


def shard_of(execution_id: str) -> int:
    """Return the shard that an execution is counted in."""
    return zlib.crc32(execution_id.encode()) % SHARDS


class TriggerCount(Table):
    """One shard. Raised in the write that creates an active execution, lowered in the one that ends it."""

    class Meta:
        table_name = table_name("trigger_counts")

    trigger_id = UnicodeAttribute(hash_key=True)
    shard = IntegerAttribute(range_key=True)
    active = IntegerAttribute(default=0)

    @classmethod
    def total_active(cls, trigger_id: str) -> int:
        """Return how many of the trigger's executions are active, read consistently."""
        return sum(count.active for count in cls.query(trigger_id, consistent_read=True))
