"""Requests and answers of the endpoints of the users' accounts, by their documented names."""

from __future__ import annotations

from typing import TypedDict

from shared.api.answers import Id, Time
from shared.api.fields import TradeTypeName
from shared.api.requests import ListQuery
from shared.clock import to_iso
from shared.models.exchange_key import ApiKeyStatus, ExchangeKey, StrategyType, TradeType
from shared.models.plan import Plan
from shared.models.user import User


class ExchangeKeyQuery(ListQuery):
    """List Exchange Keys: the query."""

    trade_type: TradeTypeName | None = None


class ExchangeKeyItem(TypedDict):
    """List Exchange Keys: one key. There is no secret in it."""

    id: Id
    exchangeId: str
    tradeType: TradeType
    strategyType: StrategyType
    active: bool
    name: str
    apiKeyStatus: ApiKeyStatus
    apiKey: str
    createdAt: Time
    updatedAt: Time


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


class UserItem(UserFields):
    """List Users: one user, whose id is called `uid` here."""

    uid: Id


class SubscribedPlan(TypedDict):
    """Get User Overview: the plan."""

    id: Id
    name: str
    maxApiKey: int
    maxBalanceUSD: int
    private: bool
    stripePriceId: str | None
    updatedAt: Time


class Subscribed(TypedDict):
    """Get User Overview: the user's subscription to a plan."""

    stripeCustomerId: str | None
    updatedAt: Time
    SubscriptionType: SubscribedPlan


class UserOverview(UserFields):
    """Get User Overview."""

    id: Id
    UserSubscription: Subscribed | None


class UserChanged(TypedDict):
    """Reset MFA, Reset Telegram Link."""

    id: Id
    updatedAt: Time


class UserSwitched(UserChanged):
    """Enable User, Disable User."""

    active: bool


def user_item(user: User) -> UserItem:
    """Return a user as listed."""
    return {"uid": user.id, **_user_fields(user)}


def user_overview(user: User, plan: Plan | None) -> UserOverview:
    """Return a user with the subscription as documented."""
    return {"id": user.id, **_user_fields(user), "UserSubscription": _subscribed(user, plan) if plan else None}


def user_changed(user: User) -> UserChanged:
    """Return the answer to a change that no field of the user shows."""
    return {"id": user.id, "updatedAt": to_iso(user.updated_at)}


def user_switched(user: User) -> UserSwitched:
    """Return the answer to enabling and disabling."""
    return {"id": user.id, "active": user.active, "updatedAt": to_iso(user.updated_at)}


def _user_fields(user: User) -> UserFields:
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


def _subscribed(user: User, plan: Plan) -> Subscribed:
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


def exchange_key_item(key: ExchangeKey) -> ExchangeKeyItem:
    """Return a key as documented."""
    return {
        "id": key.id,
        "exchangeId": key.exchange_id,
        "tradeType": key.trade_type,
        "strategyType": key.strategy_type,
        "active": key.active,
        "name": key.name,
        "apiKeyStatus": key.api_key_status,
        "apiKey": key.api_key,
        "createdAt": to_iso(key.created_at),
        "updatedAt": to_iso(key.updated_at),
    }
