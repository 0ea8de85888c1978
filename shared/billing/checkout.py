"""Customers, Checkout sessions and the billing portal at Stripe. Stores nothing of ours, decides nothing.

Blocking. Raises ServiceUnavailable for every error of Stripe, and CustomerMissing where a customer was deleted there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from shared.billing.client import MISSING, stripe_client, translate_errors
from shared.billing.entitlement import LIVING
from shared.errors import LockstepError
from shared.observability import logger

if TYPE_CHECKING:
    from stripe.params import CustomerCreateParams

SESSION_ID_PLACE: Final = "{CHECKOUT_SESSION_ID}"
"""Stripe replaces this in the address that a paid session leads to."""

# Stripe sends the others by the page; a customer with more living subscriptions than this was never ours.
_LISTED = 100

_NAME_LENGTH: Final = 256
"""The longest name of a customer."""

_EMAIL_INVALID: Final = "email_invalid"
"""Stripe's code for an address that it does not take."""


class CustomerMissing(LockstepError):
    """Stripe knows no such customer, or no longer."""


@dataclass(frozen=True, slots=True)
class CheckoutSession:
    """An open Checkout session."""

    id: str
    url: str
    """Stripe's page, on which the customer pays."""


def create_customer(*, user_id: str, email: str, name: str, replaced: str | None) -> str:
    """Create a user's customer, and return its id; `replaced` is their customer who is missing at Stripe, if any.

    Idempotent for a day, so that two requests at once create one customer. Sign-ups may have names and addresses that
    Stripe does not take: the name is shortened, and the customer types in an address on Stripe's page.
    """
    from stripe import InvalidRequestError  # noqa: PLC0415 - see the client

    key = f"customer-{user_id}-{replaced or 'first'}"
    with translate_errors("create a customer"):
        try:
            return _create_customer(user_id=user_id, email=email, name=name[:_NAME_LENGTH], key=key)
        except InvalidRequestError as error:
            if error.code != _EMAIL_INVALID:
                raise
            return _create_customer(user_id=user_id, email="", name=name[:_NAME_LENGTH], key=key)


def _create_customer(*, user_id: str, email: str, name: str, key: str) -> str:
    known: CustomerCreateParams = {"metadata": {"user_id": user_id}}
    if email:
        known["email"] = email
    if name:
        known["name"] = name
    # The content is part of the key: Stripe refuses a repeat with another content.
    content = hashlib.sha256(f"{email}\n{name}".encode()).hexdigest()[:16]
    return str(stripe_client().v1.customers.create(known, {"idempotency_key": f"{key}-{content}"}).id)


def has_subscription(customer_id: str) -> bool:
    """Return whether a customer has a subscription at Stripe that has begun and not ended; raise CustomerMissing."""
    with _customer_requests("list subscriptions"):
        listed = stripe_client().v1.subscriptions.list({"customer": customer_id, "limit": _LISTED})
    return any(one.status in LIVING for one in listed.data)


def open_session(
    *, customer_id: str, user_id: str, price_id: str, page_url: str, request_key: str | None
) -> CheckoutSession:
    """Open a Checkout session for one month's price, and return it; raise CustomerMissing.

    The page leads back to `page_url`, with the result in its query. With a `request_key` a repeat returns the session
    of the first request.
    """
    # A session's own metadata never reach the subscription, whose events name the user.
    metadata = {"user_id": user_id}
    with _customer_requests("open a checkout session"):
        session = stripe_client().v1.checkout.sessions.create(
            {
                "mode": "subscription",
                "customer": customer_id,
                "line_items": [{"price": price_id, "quantity": 1}],
                "subscription_data": {"metadata": metadata},
                "metadata": metadata,
                "success_url": f"{page_url}?checkout=paid&session={SESSION_ID_PLACE}",
                "cancel_url": f"{page_url}?checkout=cancelled",
            },
            {"idempotency_key": request_key} if request_key is not None else {},
        )
    return CheckoutSession(session.id, session.url or "")


def expire_session(session_id: str) -> None:
    """Expire a Checkout session; one that is paid or expired stays as it is."""
    from stripe import InvalidRequestError  # noqa: PLC0415 - see the client

    with translate_errors("expire a checkout session"):
        sessions = stripe_client().v1.checkout.sessions
        try:
            sessions.expire(session_id)
        except InvalidRequestError:
            # Stripe's refusal has no code of its own, so the session's status decides.
            if sessions.retrieve(session_id).status == "open":
                raise
    logger.info("checkout_session_expired", checkout_session_id=session_id)


def expire_open_sessions(customer_id: str) -> int:
    """Expire a customer's open Checkout sessions, and return how many there were: none of one deleted at Stripe."""
    try:
        with _customer_requests("list checkout sessions"):
            listed = stripe_client().v1.checkout.sessions.list(
                {"customer": customer_id, "status": "open", "limit": _LISTED}
            )
            open_ids = [session.id for session in listed.auto_paging_iter()]
    except CustomerMissing:
        return 0
    for session_id in open_ids:
        expire_session(session_id)
    return len(open_ids)


def open_portal(customer_id: str, *, page_url: str) -> str:
    """Return the address of Stripe's billing portal for a customer; raise CustomerMissing."""
    with _customer_requests("open the billing portal"):
        session = stripe_client().v1.billing_portal.sessions.create({"customer": customer_id, "return_url": page_url})
    return str(session.url)


@contextmanager
def _customer_requests(task: str) -> Iterator[None]:
    """Translate errors of a request that names a customer."""
    from stripe import InvalidRequestError  # noqa: PLC0415 - see the client

    with translate_errors(task):
        try:
            yield
        except InvalidRequestError as error:
            if error.code == MISSING and error.param == "customer":
                raise CustomerMissing("the customer is missing at Stripe") from error
            raise
