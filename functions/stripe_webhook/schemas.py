"""The fields of Stripe's events that we read, in the shapes of its API versions before and after 2025-03-31.

Since then an invoice names its subscription under `parent`, not at its top level.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from functions.stripe_webhook.hints import TOKEN, id_of, prices_of, token_or_none
from shared.billing.currencies import amount_of
from shared.models.stripe_event import EventType, StripeEvent

_LAST_SECOND = 253402300799
"""The last second of the year 9999."""


def _fields_or_empty(value: Any) -> Any:
    return value if isinstance(value, Mapping) else {}


_Token = Annotated[str, Field(pattern=rf"^{TOKEN.pattern}$")]
# Metadata are free text: a value that cannot be an id is ignored.
_OptionalToken = Annotated[str | None, BeforeValidator(token_or_none)]
_Id = Annotated[_Token, BeforeValidator(id_of)]
_Seconds = Annotated[int, Field(ge=0, le=_LAST_SECOND, strict=True)]


class _Read(BaseModel):
    # An event holds a customer's data, which belongs in no traceback.
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class _Metadata(_Read):
    user_id: _OptionalToken = None
    subscription_id: _OptionalToken = None


_AnyMetadata = Annotated[_Metadata, BeforeValidator(_fields_or_empty)]


class _Price(_Read):
    id: _Token
    metadata: _AnyMetadata = _Metadata()


class _Item(_Read):
    price: _Price


class _Items(_Read):
    data: Annotated[list[_Item], Field(min_length=1, max_length=20)]


class Subscription(_Read):
    """A subscription at Stripe."""

    id: _Token
    customer: _Id
    created: _Seconds
    status: _Token
    items: _Items
    metadata: _AnyMetadata = _Metadata()


class _SubscriptionDetails(_Read):
    subscription: _Id | None = None
    metadata: _AnyMetadata = _Metadata()


class _Parent(_Read):
    subscription_details: _SubscriptionDetails | None = None


class Invoice(_Read):
    """An invoice at Stripe."""

    id: _Token
    customer: _Id
    amount_due: Annotated[int, Field(ge=0, le=10**12, strict=True)]
    """In the currency's smallest unit."""
    currency: Annotated[str, Field(pattern=r"^[a-z]{3,5}$")]
    billing_reason: _OptionalToken = None
    attempt_count: Annotated[int, Field(ge=0, le=10_000)] = 0
    next_payment_attempt: _Seconds | None = None
    parent: _Parent | None = None
    subscription: _Id | None = None
    subscription_details: _SubscriptionDetails | None = None

    @property
    def details(self) -> _SubscriptionDetails:
        """The details of the invoice's subscription, in either shape."""
        current = self.parent.subscription_details if self.parent is not None else None
        legacy = self.subscription_details or _SubscriptionDetails()
        return current or legacy.model_copy(update={"subscription": self.subscription})


class Envelope(_Read):
    """The fields of every event."""

    id: _Token
    type: EventType
    created: _Seconds


def is_subscribed(fields: Mapping[str, Any]) -> bool:
    """Return whether an event may be of a type that we take. Others have shapes that we do not know."""
    kind = fields.get("type")
    return not isinstance(kind, str) or kind in set(EventType)


def read_event(fields: Mapping[str, Any], *, received_at: datetime) -> StripeEvent:
    """Return an event of a type that we take; raise pydantic's ValidationError."""
    envelope = Envelope.model_validate(fields)
    kind = envelope.type
    event = StripeEvent(
        envelope.id,
        type=kind,
        created_at=_time(envelope.created),
        received_at=received_at,
        expires_at=StripeEvent.expiry(received_at),
    )
    data = fields.get("data")
    content = data if isinstance(data, Mapping) else {}
    if kind is EventType.PAYMENT_FAILED:
        _copy_invoice(event, Invoice.model_validate(content.get("object")))
        prices = prices_of(content["object"])
        event.price_ids = [price.id for price in prices]
        event.price_plan_ids = [price.plan_id for price in prices]
    else:
        _copy_subscription(
            event, Subscription.model_validate(content.get("object")), content.get("previous_attributes")
        )
    return event


def _copy_invoice(event: StripeEvent, invoice: Invoice) -> None:
    details = invoice.details
    event.customer_id = invoice.customer
    event.invoice_id = invoice.id
    event.attempt_count = invoice.attempt_count
    event.billing_reason = invoice.billing_reason
    event.currency = invoice.currency.upper()
    event.amount = amount_of(invoice.amount_due, event.currency)
    event.next_attempt_at = _time(invoice.next_payment_attempt) if invoice.next_payment_attempt is not None else None
    event.stripe_subscription_id = details.subscription
    event.named_user_id = details.metadata.user_id


def _copy_subscription(event: StripeEvent, subscription: Subscription, previous: Any) -> None:
    prices = [item.price for item in subscription.items.data]
    event.customer_id = subscription.customer
    event.named_user_id = subscription.metadata.user_id
    event.stripe_subscription_id = subscription.id
    event.started_at = _time(subscription.created)
    event.status = subscription.status
    event.price_ids = [price.id for price in prices]
    event.price_plan_ids = [price.metadata.subscription_id or "" for price in prices]
    before = _Previous.model_validate(previous if isinstance(previous, Mapping) else {})
    event.previous_status = before.status
    event.previous_price_ids = before.price_ids


def _complete_or_none(value: Any) -> Any:
    """Return the items, or None where they are too incomplete to hold their prices."""
    try:
        return _Items.model_validate(value)
    except ValueError:
        return None


class _Previous(_Read):
    """The previous values in an update's event: only the fields that changed."""

    status: _Token | None = None
    items: Annotated[_Items | None, BeforeValidator(_complete_or_none)] = None

    @property
    def price_ids(self) -> list[str] | None:
        return [item.price.id for item in self.items.data] if self.items is not None else None


def _time(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
