"""Table `manual_incomes`: what changed the wallets of MANUAL keys beside fills, so that each counts once.

They are kept like the fills: the tax file of a year shows them.
"""

from __future__ import annotations

from datetime import datetime

from pynamodb.attributes import UnicodeAttribute

from shared.clock import to_iso
from shared.models.attributes import DecimalAttribute, EnumAttribute, TimeAttribute
from shared.models.base import GlobalSecondaryIndex, KeysOnlyProjection, Table, TableName, created_key
from shared.models.position_history import HistoryKind


class ManualIncomesByUser(GlobalSecondaryIndex["ManualIncome"]):
    """A user's incomes, of all keys, by time."""

    class Meta:
        index_name = "by_user"
        projection = KeysOnlyProjection()

    user_id = UnicodeAttribute(hash_key=True)
    time_key = UnicodeAttribute(range_key=True)


class ManualIncome(Table):
    """One funding payment or liquidation fee."""

    class Meta:
        table_name = TableName("manual_incomes")

    api_key_id = UnicodeAttribute(hash_key=True)
    income_key = UnicodeAttribute(range_key=True)
    """`<kind>#<transaction id>`, the kind by the exchange's name: its id is unique within a kind."""
    user_id = UnicodeAttribute()
    time_key = UnicodeAttribute(null=True)
    """`<time>#<income key>#<key>`; absent in records of before incomes were part of the tax file."""
    kind = EnumAttribute(HistoryKind, null=True)
    symbol = UnicodeAttribute()
    """The exchange's name; empty if the income concerns the whole account."""
    amount = DecimalAttribute()
    """In `asset`; negative when paid."""
    asset = UnicodeAttribute()
    created_at = TimeAttribute()
    """By the exchange's clock."""

    by_user = ManualIncomesByUser()

    @property
    def transaction_id(self) -> str:
        """The exchange's id."""
        return self.income_key.partition("#")[2]

    @staticmethod
    def time_key_of(at: datetime, *, income_key: str, api_key_id: str) -> str:
        """Return the sort key of an income among the user's."""
        return created_key(to_iso(at), f"{income_key}#{api_key_id}")
