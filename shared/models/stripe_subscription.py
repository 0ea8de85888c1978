"""Table `stripe_subscriptions`: each user's subscriptions at Stripe, as the newest event of each shows it.

`shared/billing/entitlement.py` decides which plan follows from them.
"""

from __future__ import annotations

from pynamodb.attributes import UnicodeAttribute

from shared.models.attributes import EnumAttribute, TimeAttribute, text_list
from shared.models.base import Table, TableName
from shared.models.stripe_event import EventType, StripeEvent

_COPIED = (
    "customer_id",
    "started_at",
    "status",
    "price_ids",
    "price_plan_ids",
    "previous_status",
    "previous_price_ids",
)


class StripeSubscription(Table):
    """One subscription; it may hold the prices of several plans, and a user may have several subscriptions."""

    class Meta:
        table_name = TableName("stripe_subscriptions")

    user_id = UnicodeAttribute(hash_key=True)
    stripe_subscription_id = UnicodeAttribute(range_key=True)
    customer_id = UnicodeAttribute()
    started_at = TimeAttribute()
    status = UnicodeAttribute()
    price_ids = text_list(default=list)
    price_plan_ids = text_list(default=list)
    previous_status = UnicodeAttribute(null=True)
    previous_price_ids = text_list(null=True)
    event_id = UnicodeAttribute()
    """The newest event that was applied."""
    event_type = EnumAttribute(EventType)
    as_of = TimeAttribute()
    """The time of that event, by Stripe's clock."""
    received_at = TimeAttribute(null=True)
    """When that event first reached us."""

    @classmethod
    def from_event(cls, event: StripeEvent, *, user_id: str) -> StripeSubscription:
        """Return the subscription as an event shows it."""
        return cls(
            user_id,
            event.stripe_subscription_id,
            event_id=event.id,
            event_type=event.type,
            as_of=event.created_at,
            received_at=event.received_at,
            **{name: getattr(event, name) for name in _COPIED},
        )
