"""Requests and answers of the endpoints of a user's own account."""

from __future__ import annotations

from typing import TypedDict

from shared.api.answers import Id
from shared.models.plan import Plan
from shared.models.user import User
from shared.views.users import Subscribed, UserFields, subscribed, user_fields


class TelegramLinked(TypedDict):
    """Get Profile: whether a Telegram chat is linked."""

    linked: bool


class Profile(UserFields):
    """Get Profile: as an admin's Get User Overview, with the link to Telegram."""

    id: Id
    UserSubscription: Subscribed | None
    Telegram: TelegramLinked


def profile(user: User, plan: Plan | None) -> Profile:
    """Return the user with the plan."""
    return {
        "id": user.id,
        **user_fields(user),
        "UserSubscription": subscribed(user, plan) if plan else None,
        "Telegram": {"linked": user.telegram_chat_id is not None},
    }
