"""Requests and answers of the endpoints of the users' accounts, by their documented names."""

from __future__ import annotations

from typing import TypedDict

from shared.api.answers import Id, Time
from shared.clock import to_iso
from shared.models.plan import Plan
from shared.models.user import User
from shared.views.users import Subscribed, UserFields, subscribed, user_fields


class UserItem(UserFields):
    """List Users: one user, whose id is called `uid` here."""

    uid: Id


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
    return {"uid": user.id, **user_fields(user)}


def user_overview(user: User, plan: Plan | None) -> UserOverview:
    """Return a user with the subscription as documented."""
    return {"id": user.id, **user_fields(user), "UserSubscription": subscribed(user, plan) if plan else None}


def user_changed(user: User) -> UserChanged:
    """Return the answer to a change that no field of the user shows."""
    return {"id": user.id, "updatedAt": to_iso(user.updated_at)}


def user_switched(user: User) -> UserSwitched:
    """Return the answer to enabling and disabling."""
    return {"id": user.id, "active": user.active, "updatedAt": to_iso(user.updated_at)}
