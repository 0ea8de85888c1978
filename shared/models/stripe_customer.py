"""Table `stripe_customers`: which user a customer at Stripe belongs to. The user of a customer never changes."""

from __future__ import annotations

from datetime import datetime

from pynamodb.attributes import UnicodeAttribute
from pynamodb.transactions import TransactWrite

from shared.models.attributes import TimeAttribute
from shared.models.base import Table, TableName


class StripeCustomer(Table):
    """One customer at Stripe; a user may have several."""

    class Meta:
        table_name = TableName("stripe_customers")

    customer_id = UnicodeAttribute(hash_key=True)
    user_id = UnicodeAttribute()
    created_at = TimeAttribute()

    @classmethod
    def link(cls, transaction: TransactWrite, customer_id: str, *, user_id: str, at: datetime) -> None:
        """Add the write that links a customer to a user; it fails where the customer is another user's."""
        transaction.save(
            cls(customer_id, user_id=user_id, created_at=at),
            condition=cls.customer_id.does_not_exist() | (cls.user_id == user_id),
        )
