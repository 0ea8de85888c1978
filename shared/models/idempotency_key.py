"""Table `idempotency_keys`: answers already given, so that a repeat gets the same one and does nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from pynamodb.attributes import UnicodeAttribute
from pynamodb.transactions import TransactWrite

from shared.models.attributes import IntegerAttribute, TimeAttribute
from shared.models.base import Table, epoch_after, table_name

KEPT = timedelta(hours=24)
"""How long an answer stands for its key."""


class IdempotencyKey(Table):
    """One request that was carried out. It counts until `expires_at`, compared in conditions; TTL only tidies."""

    class Meta:
        table_name = table_name("idempotency_keys")

    key = UnicodeAttribute(hash_key=True)
    fingerprint = UnicodeAttribute()
    """SHA-256 of the request's content: another content under the same key is a fault."""
    response = UnicodeAttribute()
    """What was answered, as JSON text."""
    created_at = TimeAttribute()
    expires_at = IntegerAttribute()
    """Unix seconds (the table's TTL attribute)."""

    @classmethod
    def find_valid(cls, key: str, *, at: datetime) -> IdempotencyKey | None:
        """Return the answer that stands for a key at a time, or None."""
        known = cls.find(key)
        return known if known is not None and known.expires_at > int(at.timestamp()) else None

    @classmethod
    def claim(cls, key: str, *, content: str, response: str, at: datetime) -> Callable[[TransactWrite], None]:
        """Return the write that takes a key for an answer; it fails where another answer stands for the key."""

        def write(transaction: TransactWrite) -> None:
            transaction.save(
                cls(key=key, fingerprint=content, response=response, created_at=at, expires_at=epoch_after(at, KEPT)),
                condition=cls.key.does_not_exist() | (cls.expires_at <= int(at.timestamp())),
            )

        return write
