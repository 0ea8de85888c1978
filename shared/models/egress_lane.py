"""Table `egress_lanes`: the exchange's request weight, per address that requests leave from."""

from __future__ import annotations

from pynamodb.attributes import UnicodeAttribute

from shared.models.attributes import IntegerAttribute, TimeAttribute
from shared.models.base import Table, table_name


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
    updated_at = TimeAttribute()
