"""What Stripe sends, as far as we read it, in the shapes of its API versions of before and after 2025-03-31.

Since then an invoice names its subscription under `parent`, and no longer beside it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from shared.models.stripe_event import EventType, StripeEvent

_LAST_SECOND = 253402300799
"""Of the year 9999."""


def _id_of(value: Any) -> Any:
    # Stripe writes an id, or the whole resource where somebody asked for it expanded.
    return value.get("id") if isinstance(value, Mapping) else value


def _word_or_none(value: Any) -> Any:
    # Metadata are free text: what is no word names nobody.
    return value if isinstance(value, str) and _WORD.fullmatch(value) else None


def _fields_or_empty(value: Any) -> Any:
    return value if isinstance(value, Mapping) else {}


# Both SQS (group and de-duplication ids) and our keys take these characters, and so many of them.
_WORD = re.compile(r"[\x21-\x7e]{1,128}")
_Word = Annotated[str, Field(pattern=rf"^{_WORD.pattern}$")]
_Named = Annotated[str | None, BeforeValidator(_word_or_none)]
_Id = Annotated[_Word, BeforeValidator(_id_of)]
_Seconds = Annotated[int, Field(ge=0, le=_LAST_SECOND, strict=True)]


class _Read(BaseModel):
    # An event holds a customer's data, which belongs in no traceback.
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class _Metadata(_Read):
    user_id: _Named = None
    subscription_id: _Named = None


_AnyMetadata = Annotated[_Metadata, BeforeValidator(_fields_or_empty)]


class _Price(_Read):
    id: _Word
    metadata: _AnyMetadata = _Metadata()


class _Item(_Read):
    price: _Price


class _Items(_Read):
    data: Annotated[list[_Item], Field(min_length=1, max_length=20)]


class Subscription(_Read):
    """A subscription at Stripe."""

    id: _Word
    customer: _Id
    created: _Seconds
    status: _Word
    items: _Items
    metadata: _AnyMetadata = _Metadata()


class _SubscriptionDetails(_Read):
    subscription: _Id | None = None
    metadata: _AnyMetadata = _Metadata()


class _Parent(_Read):
    subscription_details: _SubscriptionDetails | None = None


class Invoice(_Read):
    """An invoice at Stripe."""

    id: _Word
    customer: _Id
    amount_due: Annotated[int, Field(ge=0, le=10**12, strict=True)]
    """In cents."""
    currency: Literal["usd"]
    """Every price of ours is in dollars; some currencies have no cents."""
    attempt_count: Annotated[int, Field(ge=0, le=10_000)] = 0
    next_payment_attempt: _Seconds | None = None
    parent: _Parent | None = None
    subscription: _Id | None = None
    subscription_details: _SubscriptionDetails | None = None

    @property
    def details(self) -> _SubscriptionDetails:
        """What it says of the subscription that it is for."""
        within = self.parent.subscription_details if self.parent is not None else None
        beside = self.subscription_details or _SubscriptionDetails()
        return within or beside.model_copy(update={"subscription": self.subscription})


class Envelope(_Read):
    """What every event has."""

    id: _Word
    type: _Word
    created: _Seconds


def read_event(envelope: Envelope, fields: Mapping[str, Any], *, received_at: datetime) -> StripeEvent | None:
    """Return the event, None for a type that we do not ask for; raise pydantic's ValidationError."""
    try:
        kind = EventType(envelope.type)
    except ValueError:
        return None
    event = StripeEvent(
        envelope.id,
        type=kind,
        created_at=_time(envelope.created),
        received_at=received_at,
        expires_at=StripeEvent.expiry(received_at),
    )
    data = fields.get("data")
    told = data if isinstance(data, Mapping) else {}
    if kind is EventType.PAYMENT_FAILED:
        _tell_invoice(event, Invoice.model_validate(told.get("object")))
    else:
        _tell_subscription(event, Subscription.model_validate(told.get("object")), told.get("previous_attributes"))
    return event


def _tell_invoice(event: StripeEvent, invoice: Invoice) -> None:
    details = invoice.details
    event.customer_id = invoice.customer
    event.invoice_id = invoice.id
    event.attempt_count = invoice.attempt_count
    event.amount_usd = Decimal(invoice.amount_due) / 100
    event.next_attempt_at = _time(invoice.next_payment_attempt) if invoice.next_payment_attempt is not None else None
    event.stripe_subscription_id = details.subscription
    event.named_user_id = details.metadata.user_id


def _tell_subscription(event: StripeEvent, subscription: Subscription, previous: Any) -> None:
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


def _only_whole(value: Any) -> Any:
    """Return the items as they were, None where too little of them is said to know their prices."""
    try:
        return _Items.model_validate(value)
    except ValueError:
        return None


class _Previous(_Read):
    """What an event of an update says of before: the fields that changed, and no others."""

    status: _Word | None = None
    items: Annotated[_Items | None, BeforeValidator(_only_whole)] = None

    @property
    def price_ids(self) -> list[str] | None:
        return [item.price.id for item in self.items.data] if self.items is not None else None


def _time(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
