"""Table `manual_incomes`: what changed the wallets of MANUAL keys beside fills, so that each counts once."""

from __future__ import annotations

from datetime import datetime, timedelta

from pynamodb.attributes import UnicodeAttribute

from shared.models.attributes import DecimalAttribute, IntegerAttribute, TimeAttribute
from shared.models.base import Table, TableName, epoch_after

RETENTION = timedelta(days=180)
"""Longer than the exchange lists an income: nobody reads an older one again."""


class ManualIncome(Table):
    """One funding payment or liquidation fee."""

    class Meta:
        table_name = TableName("manual_incomes")

    api_key_id = UnicodeAttribute(hash_key=True)
    income_key = UnicodeAttribute(range_key=True)
    """`<kind>#<transaction id>`: the exchange's id is unique within a kind."""
    user_id = UnicodeAttribute()
    symbol = UnicodeAttribute()
    """The exchange's name; empty if the income concerns the whole account."""
    amount = DecimalAttribute()
    """In `asset`; negative when paid."""
    asset = UnicodeAttribute()
    created_at = TimeAttribute()
    """By the exchange's clock."""
    expires_at = IntegerAttribute()
    """Unix seconds (the table's TTL attribute)."""

    @staticmethod
    def expiry_of(booked_at: datetime) -> int:
        """Return when the record of an income may be deleted."""
        return epoch_after(booked_at, RETENTION)
