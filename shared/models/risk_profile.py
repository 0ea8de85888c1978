"""Table `risk_profiles`: the percentage of equity that a follower risks on one trade."""

from __future__ import annotations

from pynamodb.attributes import UnicodeAttribute

from shared.models.attributes import DecimalAttribute, TimeAttribute
from shared.models.base import LISTED, GlobalSecondaryIndex, KeysOnlyProjection, Table, TableName


class RiskProfilesByCreation(GlobalSecondaryIndex["RiskProfile"]):
    """Every risk profile, in the order of creation."""

    class Meta:
        index_name = "by_created"
        projection = KeysOnlyProjection()

    listed = UnicodeAttribute(hash_key=True)
    created_key = UnicodeAttribute(range_key=True)


class RiskProfile(Table):
    """One risk profile."""

    class Meta:
        table_name = TableName("risk_profiles")

    id = UnicodeAttribute(hash_key=True)
    listed = UnicodeAttribute(default=LISTED)
    created_key = UnicodeAttribute()
    name = UnicodeAttribute()
    percentage = DecimalAttribute()
    """Percent of equity that is lost at the stop's price (more than 0, at most 100)."""
    created_at = TimeAttribute()
    updated_at = TimeAttribute()

    by_created = RiskProfilesByCreation()
