"""Requests and answers of the endpoints of a user's own account."""

from __future__ import annotations

from typing import Annotated, ClassVar, TypedDict

from pydantic import AfterValidator, StringConstraints

from shared.api.answers import Id, Time
from shared.api.fields import UNCHANGED, FaultMessage, Flag
from shared.api.requests import Body
from shared.clock import to_iso
from shared.models.plan import Plan
from shared.models.user import User
from shared.notifications.telegram_link import NewLink
from shared.readable_text import is_hidden
from shared.views.users import Subscribed, UserFields, subscribed, user_fields


class TelegramLinked(TypedDict):
    """Whether a Telegram chat is linked."""

    linked: bool


class Profile(UserFields):
    """Get Profile: as an admin's Get User Overview, with the link to Telegram."""

    id: Id
    UserSubscription: Subscribed | None
    Telegram: TelegramLinked


def _check_visible(name: str) -> str:
    if any(is_hidden(character) for character in name):
        raise ValueError("has a character that nobody sees")
    return name


PersonName = Annotated[
    str,
    StringConstraints(strict=True, strip_whitespace=True, max_length=100),
    AfterValidator(_check_visible),
    FaultMessage("must be text of at most 100 visible characters"),
]
"""A person's name; "" for none."""


class ProfileChange(Body):
    """Update Profile: the body. What it does not name stays."""

    answer: ClassVar[type] = Profile

    first_name: PersonName = UNCHANGED
    last_name: PersonName = UNCHANGED


class OwnNotification(TypedDict):
    """Which notices the user gets."""

    weeklyReport: bool
    monthlyReport: bool
    tradeMessages: bool
    updatedAt: Time


class OwnNotificationChange(Body):
    """Update Own Notification: the body. What it does not name stays."""

    answer: ClassVar[type] = OwnNotification

    weekly_report: Flag = UNCHANGED
    monthly_report: Flag = UNCHANGED
    trade_messages: Flag = UNCHANGED


class TelegramLinkItem(TypedDict):
    """Link Telegram: the address to open."""

    url: str
    expiresAt: Time


class ClosedAccount(TypedDict):
    """Close Account: the account that is closed."""

    id: Id
    closedAt: Time


def closed_account(user: User) -> ClosedAccount:
    """Return a closed account."""
    return {"id": user.id, "closedAt": to_iso(user.closed_at or user.updated_at)}


def profile(user: User, plan: Plan | None) -> Profile:
    """Return the user with the plan."""
    return {
        "id": user.id,
        **user_fields(user),
        "UserSubscription": subscribed(user, plan) if plan else None,
        "Telegram": telegram_linked(user),
    }


def telegram_linked(user: User) -> TelegramLinked:
    """Return whether the user has a chat."""
    return {"linked": user.telegram_chat_id is not None}


def own_notification(user: User) -> OwnNotification:
    """Return the user's switches."""
    return {
        "weeklyReport": user.wants_weekly_report,
        "monthlyReport": user.wants_monthly_report,
        "tradeMessages": user.trade_messages_wanted,
        "updatedAt": to_iso(user.updated_at),
    }


def telegram_link_item(link: NewLink) -> TelegramLinkItem:
    """Return a new link."""
    return {"url": link.url, "expiresAt": to_iso(link.expires_at)}
