"""Table `stripe_customers`: whose a customer at Stripe is. A customer is one user's, and stays that user's."""

from __future__ import annotations

from datetime import datetime

from pynamodb.attributes import UnicodeAttribute
from pynamodb.transactions import TransactWrite

from shared.models.attributes import TimeAttribute
from shared.models.base import Table, table_name


class StripeCustomer(Table):
    """One customer at Stripe; a user may be several."""

    class Meta:
        table_name = table_name("stripe_customers")

    customer_id = UnicodeAttribute(hash_key=True)
    user_id = UnicodeAttribute()
    created_at = TimeAttribute()

    @classmethod
    def tie(cls, transaction: TransactWrite, customer_id: str, *, user_id: str, at: datetime) -> None:
        """Add the write that ties a customer to a user; it fails where another user has it."""
        transaction.save(
            cls(customer_id, user_id=user_id, created_at=at),
            condition=cls.customer_id.does_not_exist() | (cls.user_id == user_id),
        )
