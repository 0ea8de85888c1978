"""A user as both APIs show one. Reads no record."""

from __future__ import annotations

from typing import TypedDict

from shared.api.answers import Id, Time
from shared.clock import to_iso
from shared.models.plan import Plan
from shared.models.user import User


class UserFields(TypedDict):
    """What every answer about a user shows, but for the name of the id."""

    status: str
    active: bool
    emailVerified: bool
    email: str
    firstName: str
    lastName: str
    createdAt: Time
    updatedAt: Time


class SubscribedPlan(TypedDict):
    """The plan that a user has."""

    id: Id
    name: str
    maxApiKey: int
    maxBalanceUSD: int
    private: bool
    stripePriceId: str | None
    updatedAt: Time


class Subscribed(TypedDict):
    """A user's subscription to a plan."""

    stripeCustomerId: str | None
    updatedAt: Time
    SubscriptionType: SubscribedPlan


def user_fields(user: User) -> UserFields:
    """Return what every answer about a user shows."""
    return {
        "status": user.status,
        "active": user.active,
        "emailVerified": user.email_verified,
        "email": user.email,
        "firstName": user.first_name,
        "lastName": user.last_name,
        "createdAt": to_iso(user.created_at),
        "updatedAt": to_iso(user.updated_at),
    }


def subscribed(user: User, plan: Plan) -> Subscribed:
    """Return the user's subscription to the plan."""
    return {
        "stripeCustomerId": user.stripe_customer_id,
        "updatedAt": to_iso(user.plan_changed_at or user.created_at),
        "SubscriptionType": {
            "id": plan.id,
            "name": plan.name,
            "maxApiKey": plan.max_api_key,
            "maxBalanceUSD": plan.max_balance_usd,
            "private": plan.private,
            "stripePriceId": plan.stripe_price_id,
            "updatedAt": to_iso(plan.updated_at),
        },
    }
