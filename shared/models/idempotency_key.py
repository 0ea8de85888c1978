"""Table `idempotency_keys`: responses of past requests, returned to repeats, which change nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from pynamodb.attributes import UnicodeAttribute
from pynamodb.transactions import TransactWrite

from shared.models.attributes import IntegerAttribute, TimeAttribute
from shared.models.base import Table, TableName, epoch_after

RETENTION = timedelta(hours=24)
"""How long a key keeps its response."""


class IdempotencyKey(Table):
    """One executed request, valid until `expires_at`. TTL deletes late, so conditions check the expiry too."""

    class Meta:
        table_name = TableName("idempotency_keys")

    key = UnicodeAttribute(hash_key=True)
    fingerprint = UnicodeAttribute()
    """SHA-256 of the request's content: the same key with another content is an error."""
    response = UnicodeAttribute()
    """The response, as JSON text."""
    created_at = TimeAttribute()
    expires_at = IntegerAttribute()
    """Unix seconds (the table's TTL attribute)."""

    @classmethod
    def find_valid(cls, key: str, *, at: datetime) -> IdempotencyKey | None:
        """Return the valid record of a key at a time, or None."""
        known = cls.find(key)
        return known if known is not None and known.expires_at > int(at.timestamp()) else None

    @classmethod
    def claim(cls, key: str, *, content: str, response: str, at: datetime) -> Callable[[TransactWrite], None]:
        """Return the write of a key with its response; it fails if the key has a valid record."""

        def write(transaction: TransactWrite) -> None:
            transaction.save(
                cls(
                    key=key,
                    fingerprint=content,
                    response=response,
                    created_at=at,
                    expires_at=epoch_after(at, RETENTION),
                ),
                condition=cls.key.does_not_exist() | (cls.expires_at <= int(at.timestamp())),
            )

        return write
