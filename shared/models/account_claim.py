"""Table `account_claims`: which key's execution has an exchange account's position on a symbol.

Several keys may lead to one account at the exchange, where a symbol has one position. Slots are kept by key; this table
lets one key at a time enter.
"""

from __future__ import annotations

from pynamodb.attributes import UnicodeAttribute
from pynamodb.transactions import TransactWrite

from shared.clock import utc_now
from shared.models.attributes import TimeAttribute
from shared.models.base import SCHEMA_VERSION, Table, TableName
from shared.models.execution import Execution


class AccountClaim(Table):
    """The latest claim on one account and symbol. It holds until its execution has left the exchange.

    So nobody has to give it back, and no exit depends on this table.
    """

    class Meta:
        table_name = TableName("account_claims")

    account_alias = UnicodeAttribute(hash_key=True)
    symbol = UnicodeAttribute(range_key=True)
    api_key_id = UnicodeAttribute()
    execution_id = UnicodeAttribute()
    claimed_at = TimeAttribute()

    def holds_against(self, api_key_id: str) -> bool:
        """Return whether another key than this one has the account and symbol (blocking)."""
        if self.api_key_id == api_key_id:
            return False  # the key's slot keeps its executions apart
        holder = Execution.find(self.execution_id)
        return holder is not None and holder.may_be_at_exchange

    @classmethod
    def take(
        cls, transaction: TransactWrite, execution: Execution, *, account_alias: str, ended: AccountClaim | None = None
    ) -> None:
        """Claim account and symbol for an execution, on condition that no other key has claimed them meanwhile.

        `ended` is another key's claim that was found not to hold. An execution that has left the exchange never comes
        back, so it may be replaced for as long as it is the latest.
        """
        free = cls.execution_id.does_not_exist() | (cls.api_key_id == execution.api_key_id)
        if ended is not None:
            free |= cls.execution_id == ended.execution_id
        transaction.update(
            cls(account_alias, execution.symbol),
            actions=[
                cls.api_key_id.set(execution.api_key_id),
                cls.execution_id.set(execution.id),
                cls.claimed_at.set(utc_now()),
                cls.schema_version.set(SCHEMA_VERSION),
            ],
            condition=free,
        )
