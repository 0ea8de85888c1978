"""Tells whether something at Stripe is ours: other businesses may use the same account. Reads records, writes none.

Ours is what belongs to a customer who is linked to a user, names a user who exists, or has the price of a plan.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from shared.models.plan import Plan
from shared.models.stripe_customer import StripeCustomer
from shared.models.user import User


@dataclass(frozen=True, slots=True)
class Payer:
    """The user behind a customer."""

    linked_user_id: str | None
    """The user to whom the customer is linked."""
    user: User | None
    """That user's record; of a customer who is not linked, the record of the user in the metadata."""


def find_payer(*, customer_id: str | None, named_user_id: str | None) -> Payer:
    """Return the user of a customer, and of a customer who is not linked the user in the metadata."""
    link = StripeCustomer.find(customer_id) if customer_id is not None else None
    linked_user_id = link.user_id if link is not None else None
    user_id = linked_user_id or named_user_id
    return Payer(linked_user_id, User.find(user_id) if user_id is not None else None)


def is_ours(payer: Payer, *, price_ids: Sequence[str], price_plan_ids: Sequence[str]) -> bool:
    """Return whether an event of this payer, with these prices and the plans in their metadata, is ours."""
    if payer.linked_user_id is not None or payer.user is not None:
        return True
    if not price_ids:
        return False
    return any(plan.stripe_price_id in price_ids or plan.id in price_plan_ids for plan in Plan.list_all())
