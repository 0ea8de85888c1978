"""Sends a user to Stripe's pages to subscribe, or to change and end a subscription.

Changes no plan: only Stripe's events do. Nobody shall pay twice because of two tabs. Before a Checkout session is
opened, the user's record says until when one may be open. When an event then brings a living subscription, the recorder
expires the open sessions of the customer, and so does closing the account. A request that finds the subscription, or
that the account is disabled or closed, only after it has opened its session expires that itself.
"""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Final

from shared.api.account_api import DISABLED
from shared.billing import checkout
from shared.billing.checkout import CustomerMissing
from shared.billing.entitlement import LIVING
from shared.clock import utc_now
from shared.config import settings
from shared.errors import AccessDenied, LockstepError, RecordChanged, ServiceUnavailable
from shared.models.plan import Plan
from shared.models.stripe_subscription import StripeSubscription
from shared.models.user import User
from shared.observability import logger

SESSION_LIFE: Final = timedelta(hours=24)
"""How long a Checkout session may be paid, unless it says otherwise. A time of ours would differ in a repeat of the
request, which Stripe refuses."""

_CLOCKS: Final = timedelta(minutes=5)

_ATTEMPTS = 3


class NoSubscription(LockstepError):
    """The user is no customer of Stripe's, or no longer."""


class SubscriptionExists(LockstepError):
    """The user has a subscription that has not ended: it is changed and ended in the portal."""


def open_checkout(user: User, plan: Plan, *, request_key: str | None) -> str:
    """Return the address of a Checkout page for a plan that has a price; raise SubscriptionExists.

    With a `request_key` a repeat within a day gets the same page. Raise ServiceUnavailable while Stripe cannot be
    reached.
    """
    if plan.stripe_price_id is None:
        raise ValueError("the plan has no price")
    page_url = _page_url()
    for _ in range(_ATTEMPTS):
        _refuse_living_subscription(user)
        customer_id = user.stripe_customer_id or _create_customer(user)
        until = utc_now() + SESSION_LIFE + _CLOCKS
        try:
            if checkout.has_subscription(customer_id):
                # Paid a moment ago: the event that says so is on its way.
                raise SubscriptionExists("Stripe has a living subscription of the customer")
            user.begin_checkout(customer_id, until=until)
            session = checkout.open_session(
                customer_id=customer_id,
                user_id=user.id,
                price_id=plan.stripe_price_id,
                page_url=page_url,
                request_key=_stripe_key(user, plan, customer_id, request_key),
            )
        except CustomerMissing:
            # Deleted at Stripe by hand.
            customer_id = _create_customer(user, replaced=customer_id)
            user.stripe_customer_id = customer_id
            continue
        except RecordChanged:
            # An event was applied meanwhile.
            user.refresh(consistent_read=True)
            continue
        try:
            _refuse_living_subscription(user)
            _refuse_disabled(user)
        except (SubscriptionExists, AccessDenied):
            checkout.expire_session(session.id)
            raise
        logger.info("checkout_opened", user_id=user.id, subscription_id=plan.id, checkout_session_id=session.id)
        return session.url
    raise ServiceUnavailable("the subscription is changing, please repeat the request")


def open_portal(user: User) -> str:
    """Return the address of Stripe's billing portal; raise NoSubscription for a user who is no customer there."""
    if user.stripe_customer_id is None:
        raise NoSubscription("the user has never begun a checkout")
    try:
        return checkout.open_portal(user.stripe_customer_id, page_url=_page_url())
    except CustomerMissing as error:
        logger.warning("stripe_customer_missing", user_id=user.id, customer_id=user.stripe_customer_id)
        raise NoSubscription("the customer was deleted at Stripe") from error


def _refuse_living_subscription(user: User) -> None:
    subscriptions = StripeSubscription.query(user.id, consistent_read=True)
    if any(one.status in LIVING for one in subscriptions):
        raise SubscriptionExists("the user has a living subscription")


def _refuse_disabled(user: User) -> None:
    """Raise AccessDenied where the account has been disabled or closed since the request was let in."""
    user.refresh(consistent_read=True)
    if not user.active:
        raise AccessDenied(DISABLED, authenticated=True)


def _create_customer(user: User, *, replaced: str | None = None) -> str:
    name = f"{user.first_name} {user.last_name}".strip()
    return checkout.create_customer(user_id=user.id, email=user.email, name=name, replaced=replaced)


def _stripe_key(user: User, plan: Plan, customer_id: str, request_key: str | None) -> str | None:
    """Return Stripe's idempotency key of a request; one request's parts may hold what the key's alphabet has not."""
    if request_key is None:
        return None
    content = f"{user.id}\n{plan.id}\n{plan.stripe_price_id}\n{customer_id}\n{request_key}"
    return f"checkout-{hashlib.sha256(content.encode()).hexdigest()}"


def _page_url() -> str:
    url = settings().account_page_url
    if not url:
        logger.error("account_page_missing")
        raise ServiceUnavailable("subscriptions cannot be bought at the moment")
    return url
