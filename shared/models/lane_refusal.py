"""Table `lane_refusals`: the exchange's recent refusals of keys, by egress lane."""

from __future__ import annotations

from datetime import datetime, timedelta

from pynamodb.attributes import UnicodeAttribute

from shared.clock import to_iso
from shared.models.attributes import IntegerAttribute
from shared.models.base import Table, TableName, epoch_after

_RETENTION = timedelta(hours=1)


class LaneRefusal(Table):
    """One refusal of one key."""

    class Meta:
        table_name = TableName("lane_refusals")

    lane = UnicodeAttribute(hash_key=True)
    at_key = UnicodeAttribute(range_key=True)
    """`<ISO time>#<key's id>`."""
    api_key_id = UnicodeAttribute()
    expires_at = IntegerAttribute()

    @classmethod
    def add(cls, lane: str, *, api_key_id: str, at: datetime) -> None:
        """Record a refusal."""
        cls(
            lane=lane,
            at_key=f"{to_iso(at)}#{api_key_id}",
            api_key_id=api_key_id,
            expires_at=epoch_after(at, _RETENTION),
        ).save()

    @classmethod
    def keys_since(cls, lane: str, moment: datetime) -> set[str]:
        """Return the keys that were refused on a lane since then."""
        found = cls.query(lane, cls.at_key >= to_iso(moment), consistent_read=True)
        return {refusal.api_key_id for refusal in found}
