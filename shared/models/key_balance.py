"""Table `key_balances`: the latest recorded total of each exchange key."""

from __future__ import annotations

from pynamodb.attributes import UnicodeAttribute

from shared.models.attributes import DecimalAttribute, TimeAttribute
from shared.models.base import Table, table_name


class KeyBalance(Table):
    """The total of all assets of one key, in USD."""

    class Meta:
        """Where it lies."""

        table_name = table_name("key_balances")

    api_key_id = UnicodeAttribute(hash_key=True)
    total_usd = DecimalAttribute()
    updated_at = TimeAttribute()
