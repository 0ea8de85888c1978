"""Table `stripe_events`: the events that Stripe sent, each once, with the fields that we read and the outcome.

Holds no names and no addresses: the rest of an event stays at Stripe, which shows it under the same id.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from pynamodb.attributes import UnicodeAttribute
from pynamodb.expressions.update import Action
from pynamodb.transactions import TransactWrite

from shared.clock import utc_now
from shared.models.attributes import DecimalAttribute, EnumAttribute, IntegerAttribute, TimeAttribute, text_list
from shared.models.base import Table, TableName, conditional_write, epoch_after

RETENTION: Final = timedelta(days=90)
"""How long an event is stored: Stripe repeats it for 3 days, and can send it again by hand for 30."""


class EventType(StrEnum):
    """The events that our endpoint subscribes to, by Stripe's names."""

    SUBSCRIPTION_CREATED = "customer.subscription.created"
    SUBSCRIPTION_UPDATED = "customer.subscription.updated"
    SUBSCRIPTION_DELETED = "customer.subscription.deleted"
    PAYMENT_FAILED = "invoice.payment_failed"


class Outcome(StrEnum):
    """What an event led to."""

    WAITING = "WAITING"
    """Stored; its message is on the queue, or in the dead letters."""
    APPLIED = "APPLIED"
    SUPERSEDED = "SUPERSEDED"
    """A newer event was applied before this one."""
    NOT_OURS = "NOT_OURS"
    """The event is about no subscription, or about somebody else's."""


class StripeEvent(Table):
    """One event."""

    class Meta:
        table_name = TableName("stripe_events")

    id = UnicodeAttribute(hash_key=True)
    type = EnumAttribute(EventType)
    created_at = TimeAttribute()
    """Stripe's time, in whole seconds; events are ordered by it."""
    customer_id = UnicodeAttribute()
    named_user_id = UnicodeAttribute(null=True)
    """The `user_id` in the subscription's metadata."""
    stripe_subscription_id = UnicodeAttribute(null=True)
    started_at = TimeAttribute(null=True)
    """When the subscription was created."""
    status = UnicodeAttribute(null=True)
    price_ids = text_list(default=list)
    price_plan_ids = text_list(default=list)
    """For each price, the plan in its metadata (`subscription_id`), or an empty text."""
    previous_status = UnicodeAttribute(null=True)
    """The status before this event, where the event says that it changed."""
    previous_price_ids = text_list(null=True)
    invoice_id = UnicodeAttribute(null=True)
    attempt_count = IntegerAttribute(null=True)
    billing_reason = UnicodeAttribute(null=True)
    """Why Stripe made the invoice."""
    amount = DecimalAttribute(attr_name="amount_usd", null=True)
    currency = UnicodeAttribute(null=True)
    """`EUR`; None in records from before it was stored, whose amounts are in dollars."""
    next_attempt_at = TimeAttribute(null=True)
    received_at = TimeAttribute()
    outcome = EnumAttribute(Outcome, default=Outcome.WAITING)
    user_id = UnicodeAttribute(null=True)
    """The event's user, once known."""
    notice = UnicodeAttribute(null=True)
    """The kind of the notice that is due or was sent; written together with the change."""
    notice_values = UnicodeAttribute(null=True)
    """The notice's values, as JSON text."""
    applied_at = TimeAttribute(attr_name="settled_at", null=True)
    """When the event was fully handled, with its notice queued."""
    expires_at = IntegerAttribute()
    """Unix seconds (the table's TTL attribute)."""

    @classmethod
    def expiry(cls, received_at: datetime) -> int:
        """Return `expires_at` for an event that was received at a time."""
        return epoch_after(received_at, RETENTION)

    def store_once(self) -> StripeEvent:
        """Store the event unless it is stored already, and return the stored record."""
        with conditional_write() as write:
            self.save(condition=StripeEvent.id.does_not_exist())
        return self if write.applied else StripeEvent.find(self.id) or self

    def record_outcome(
        self,
        transaction: TransactWrite,
        outcome: Outcome,
        *,
        user_id: str | None = None,
        notice: tuple[str, str] | None = None,
    ) -> None:
        """Add the write of the event's outcome, with the notice that is due (kind and values).

        It fails where an outcome is recorded already.
        """
        actions: list[Action] = [StripeEvent.outcome.set(outcome)]
        if user_id is not None:
            actions.append(StripeEvent.user_id.set(user_id))
        if notice is not None:
            kind, values = notice
            actions += [StripeEvent.notice.set(kind), StripeEvent.notice_values.set(values)]
        transaction.update(self, actions=actions, condition=StripeEvent.outcome == Outcome.WAITING)

    def mark_applied(self) -> None:
        """Record that the event is fully handled."""
        self.update(actions=[StripeEvent.applied_at.set(utc_now())])
