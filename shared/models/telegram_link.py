"""Table `telegram_links`: links that tie a Telegram chat to a user, one record for each. Checks no signature."""

from __future__ import annotations

from datetime import datetime

from pynamodb.attributes import UnicodeAttribute
from pynamodb.transactions import TransactWrite

from shared.models.attributes import IntegerAttribute, TimeAttribute
from shared.models.base import Table, table_name


class TelegramLink(Table):
    """All of a signed token but its signature, which only the link carries."""

    class Meta:
        table_name = table_name("telegram_links")

    code = UnicodeAttribute(hash_key=True)
    signed = UnicodeAttribute()
    """Header and claims of the token, as they were signed."""
    user_id = UnicodeAttribute()
    used_at = TimeAttribute(null=True)
    created_at = TimeAttribute()
    expires_at = IntegerAttribute()
    """Unix seconds (the table's TTL attribute); what counts is the claim that was signed."""

    def use(self, transaction: TransactWrite, *, at: datetime) -> None:
        """Add the write that uses the link up; it fails where somebody has."""
        transaction.update(
            TelegramLink(self.code),
            actions=[TelegramLink.used_at.set(at)],
            condition=TelegramLink.code.exists() & TelegramLink.used_at.does_not_exist(),
        )
