"""Table `balance_days`: the balance history, one record per exchange key and UTC day; the last write wins."""

from __future__ import annotations

from pynamodb.attributes import UnicodeAttribute

from shared.models.attributes import DecimalAttribute, TimeAttribute, text_list
from shared.models.base import Table, TableName


class BalanceDay(Table):
    """The total of one key, in USD, as recorded on one day."""

    class Meta:
        table_name = TableName("balance_days")

    api_key_id = UnicodeAttribute(hash_key=True)
    date = UnicodeAttribute(range_key=True)
    """`2022-09-13`, UTC."""
    total_usd = DecimalAttribute()
    unpriced = text_list(null=True)
    """The assets that are not in the total, because no market had a price for them; None if all are."""
    updated_at = TimeAttribute()
