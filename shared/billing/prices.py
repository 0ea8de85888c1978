"""Looks up and creates prices at Stripe. Stores nothing of ours.

Blocking. Raises ServiceUnavailable for every error of Stripe.
"""

from __future__ import annotations

import hashlib
from decimal import Decimal

from shared.billing.client import MISSING, stripe_client, translate_errors

_CENTS = 100


def price_exists(price_id: str) -> bool:
    """Return whether a price exists at Stripe."""
    # Loading the library takes 0.2 s of CPU, which listing plans does not need.
    from stripe import InvalidRequestError  # noqa: PLC0415

    with translate_errors("look up a price"):
        try:
            stripe_client().v1.prices.retrieve(price_id)
        except InvalidRequestError as error:
            if error.code != MISSING:
                raise
            return False
    return True


def create_monthly_price(*, plan_id: str, name: str, monthly_price_usd: Decimal) -> str:
    """Create a product and its monthly price in one request, and return the price's id.

    Idempotent: a repeat for the same plan, name and price returns the same price.
    """
    cents = monthly_price_usd * _CENTS
    if cents != int(cents):
        raise ValueError("a price has whole cents")
    content = hashlib.sha256(f"{name}\n{int(cents)}".encode()).hexdigest()[:16]
    with translate_errors("create a price"):
        price = stripe_client().v1.prices.create(
            {
                "currency": "usd",
                "unit_amount": int(cents),
                "recurring": {"interval": "month"},
                "product_data": {"name": name, "metadata": {"subscription_id": plan_id}},
                "metadata": {"subscription_id": plan_id},
            },
            {"idempotency_key": f"subscription-{plan_id}-{content}"},
        )
    return price.id
