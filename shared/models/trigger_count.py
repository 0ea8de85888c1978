"""Table `trigger_counts`: the number of a trigger's active executions, sharded to avoid a hot record."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from pynamodb.attributes import UnicodeAttribute

from shared.models.attributes import IntegerAttribute
from shared.models.base import Table, TableName

SHARDS = 8


def shard_of(execution_id: str) -> int:
    """Return the shard that counts an execution."""
    return zlib.crc32(execution_id.encode()) % SHARDS


@dataclass(frozen=True, slots=True)
class Totals:
    """How many followers an alert had, and how many it did not reach because their lanes had no weight."""

    total: int
    left_out: int

    @property
    def reached(self) -> int:
        """How many it reached, whatever came of it."""
        return self.total - self.left_out


class TriggerCount(Table):
    """One shard's count, changed in the transactions that create and end executions."""

    class Meta:
        table_name = TableName("trigger_counts")

    trigger_id = UnicodeAttribute(hash_key=True)
    shard = IntegerAttribute(range_key=True)
    active = IntegerAttribute(default=0)
    total = IntegerAttribute(default=0)
    """Of the executions that were created active."""
    left_out = IntegerAttribute(default=0)
    """Of those that ended because their lane had no weight."""

    @classmethod
    def totals(cls, trigger_id: str) -> Totals:
        """Return the sums of all shards, read consistently."""
        shards = list(cls.query(trigger_id, consistent_read=True))
        return Totals(total=sum(one.total for one in shards), left_out=sum(one.left_out for one in shards))

    @classmethod
    def total_active(cls, trigger_id: str) -> int:
        """Return the number of the trigger's active executions, read consistently."""
        return sum(count.active for count in cls.query(trigger_id, consistent_read=True))
