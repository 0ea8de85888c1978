"""Table `egress_lanes`: the exchange's request weight, per address that requests leave from."""

from __future__ import annotations

from pynamodb.attributes import UnicodeAttribute

from shared.clock import utc_now
from shared.models.attributes import IntegerAttribute, TimeAttribute
from shared.models.base import SCHEMA_VERSION, Table, table_name


class EgressLane(Table):
    """What one lane has used, and whether it must pause. The exchange counts per address, not per worker."""

    class Meta:
        """Where it lies."""

        table_name = table_name("egress_lanes")

    lane = UnicodeAttribute(hash_key=True)
    minute = UnicodeAttribute(default="")
    """The UTC minute that `used_weight` counts, `2022-09-09T01:57`."""
    used_weight = IntegerAttribute(default=0)
    paused_until = TimeAttribute(null=True)
    keys = IntegerAttribute(null=True)
    """How many active keys leave from here, as counted once a day; None before the first count."""
    updated_at = TimeAttribute()

    @classmethod
    def note_keys(cls, lane: str, count: int) -> None:
        """Keep how many active keys a lane has; its weight and its pause are not touched."""
        version = cls.schema_version.set(SCHEMA_VERSION)
        cls(lane).update(actions=[cls.keys.set(count), cls.updated_at.set(utc_now()), version])
