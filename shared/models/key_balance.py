"""Table `key_balances`: the latest total of each exchange key, and when it crossed the plan's limits."""

from __future__ import annotations

from pynamodb.attributes import UnicodeAttribute
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action
from pynamodb.transactions import TransactWrite

from shared.models.attributes import DecimalAttribute, TimeAttribute, text_list
from shared.models.balance_day import BalanceDay
from shared.models.base import SCHEMA_VERSION, Table, TableName, transact


class KeyBalance(Table):
    """The total of all assets of one key, in USD."""

    class Meta:
        table_name = TableName("key_balances")

    api_key_id = UnicodeAttribute(hash_key=True)
    total_usd = DecimalAttribute()
    unpriced = text_list(null=True)
    """The assets that are not in the total, because no market had a price for them; None if all are."""
    near_since = TimeAttribute(null=True)
    """When it came near the plan's maximum; None while it is not (see `trading.plan_maximum`)."""
    above_since = TimeAttribute(null=True)
    """When it passed the plan's maximum."""
    updated_at = TimeAttribute()
    """When the read of the account began."""

    def replace(self, before: KeyBalance | None) -> None:
        """Store this record and its day's balance in one write, in place of `before`.

        Raise RecordChanged if another worker has written the record meanwhile.
        """
        cls = KeyBalance
        unchanged: Condition = cls.api_key_id.does_not_exist()
        if before is not None:
            unchanged = cls.updated_at == before.updated_at
        actions: list[Action] = [
            cls.total_usd.set(self.total_usd),
            cls.updated_at.set(self.updated_at),
            cls.near_since.remove() if self.near_since is None else cls.near_since.set(self.near_since),
            cls.above_since.remove() if self.above_since is None else cls.above_since.set(self.above_since),
            cls.unpriced.remove() if not self.unpriced else cls.unpriced.set(self.unpriced),
            cls.schema_version.set(SCHEMA_VERSION),
        ]
        day = BalanceDay(
            self.api_key_id,
            self.updated_at.date().isoformat(),
            total_usd=self.total_usd,
            unpriced=self.unpriced,
            updated_at=self.updated_at,
        )

        def write(transaction: TransactWrite) -> None:
            transaction.update(cls(self.api_key_id), actions=actions, condition=unchanged)
            transaction.save(day)

        transact(write)
