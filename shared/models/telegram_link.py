"""Table `telegram_links`: links between a Telegram chat and a user, one record each. Checks no signature."""

from __future__ import annotations

from datetime import datetime

from pynamodb.attributes import UnicodeAttribute
from pynamodb.transactions import TransactWrite

from shared.models.attributes import IntegerAttribute, TimeAttribute
from shared.models.base import Table, TableName


class TelegramLink(Table):
    """A signed token without its signature, which only the link carries."""

    class Meta:
        table_name = TableName("telegram_links")

    code = UnicodeAttribute(hash_key=True)
    signed = UnicodeAttribute()
    """The token's header and claims, as signed."""
    user_id = UnicodeAttribute()
    used_at = TimeAttribute(null=True)
    created_at = TimeAttribute()
    expires_at = IntegerAttribute()
    """Unix seconds (the table's TTL attribute); the link's expiry is the signed claim."""

    def use(self, transaction: TransactWrite, *, at: datetime) -> None:
        """Add the write that marks the link as used; it fails if the link was used before."""
        transaction.update(
            TelegramLink(self.code),
            actions=[TelegramLink.used_at.set(at)],
            condition=TelegramLink.code.exists() & TelegramLink.used_at.does_not_exist(),
        )
