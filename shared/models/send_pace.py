"""Table `send_paces`: when the next message may be sent, shared by all workers. Knows nothing of the messages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from pynamodb.attributes import UnicodeAttribute
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action

from shared.models.attributes import IntegerAttribute
from shared.models.base import SCHEMA_VERSION, Table, TableName, conditional_write, epoch_after

RETENTION = timedelta(days=1)
"""Long enough: a record has no effect once its moment has passed."""

_ATTEMPTS = 4


class SendPace(Table):
    """The next free moment for sending; each reservation advances it."""

    class Meta:
        table_name = TableName("send_paces")

    key = UnicodeAttribute(hash_key=True)
    free_at_ms = IntegerAttribute()
    expires_at = IntegerAttribute()
    """Unix seconds (the table's TTL attribute)."""

    @classmethod
    def reserve(cls, key: str, *, now_ms: int, every_ms: int, ahead_ms: int) -> int | None:
        """Reserve and return a moment (Unix ms), or return None if the next one is more than `ahead_ms` away.

        The moments of any two callers, on any machines, are at least `every_ms` apart.
        """
        for _ in range(_ATTEMPTS):
            passed = cls.free_at_ms.does_not_exist() | (cls.free_at_ms <= now_ms)
            if cls._write(key, cls.free_at_ms.set(now_ms + every_ms), condition=passed, now_ms=now_ms):
                return now_ms
            within_reach = (cls.free_at_ms > now_ms) & (cls.free_at_ms <= now_ms + ahead_ms)
            reserved = cls._write(key, cls.free_at_ms.add(every_ms), condition=within_reach, now_ms=now_ms)
            if reserved is not None:
                return reserved.free_at_ms - every_ms
            found = cls.find(key)
            if found is not None and found.free_at_ms > now_ms + ahead_ms:
                return None
        return None

    @classmethod
    def pause_until(cls, key: str, *, until_ms: int, now_ms: int) -> None:
        """Block sending until a moment; an earlier moment changes nothing."""
        earlier = cls.free_at_ms.does_not_exist() | (cls.free_at_ms < until_ms)
        cls._write(key, cls.free_at_ms.set(until_ms), condition=earlier, now_ms=now_ms)

    @classmethod
    def wait_s(cls, key: str, *, now_ms: int) -> float:
        """Return the seconds until the next free moment."""
        found = cls.find(key)
        return max(found.free_at_ms - now_ms, 0) / 1000 if found is not None else 0.0

    @classmethod
    def _write(cls, key: str, action: Action, *, condition: Condition, now_ms: int) -> SendPace | None:
        """Return the record after the write, or None if the condition did not hold."""
        record = cls(key)
        expiry = cls.expires_at.set(epoch_after(datetime.fromtimestamp(now_ms / 1000, UTC), RETENTION))
        with conditional_write() as write:
            record.update(actions=[action, expiry, cls.schema_version.set(SCHEMA_VERSION)], condition=condition)
        return record if write.applied else None
