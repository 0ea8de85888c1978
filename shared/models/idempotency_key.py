"""Table `idempotency_keys`: answers already given, so that a repeat gets the same one and does nothing."""

from __future__ import annotations

from pynamodb.attributes import UnicodeAttribute

from shared.models.attributes import IntegerAttribute, TimeAttribute
from shared.models.base import Table, table_name


class IdempotencyKey(Table):
    """One request that was carried out. It counts until `expires_at`, compared in conditions; TTL only tidies."""

    class Meta:
        """Where it lies."""

        table_name = table_name("idempotency_keys")

    key = UnicodeAttribute(hash_key=True)
    fingerprint = UnicodeAttribute()
    """SHA-256 of the request's content: another content under the same key is a fault."""
    response = UnicodeAttribute()
    """What was answered, as JSON text."""
    created_at = TimeAttribute()
    expires_at = IntegerAttribute()
    """Unix seconds (the table's TTL attribute)."""
