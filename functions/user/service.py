"""Shows and changes a user's own account. Knows no HTTP."""

from __future__ import annotations

from functions.user.schemas import (
    OwnNotification,
    OwnNotificationChange,
    Profile,
    ProfileChange,
    TelegramLinked,
    TelegramLinkItem,
    own_notification,
    profile,
    telegram_link_item,
    telegram_linked,
)
from shared.clock import utc_now
from shared.config import settings
from shared.errors import ServiceUnavailable
from shared.models.plan import Plan
from shared.models.user import User
from shared.notifications.notice_types import AccountChange
from shared.notifications.notices import record_change
from shared.notifications.telegram_link import make_link
from shared.observability import logger

_SWITCHES = {
    "weekly_report": "weekly_report_wanted",
    "monthly_report": "monthly_report_wanted",
    "trade_messages": "trade_messages_wanted",
}
"""The user's switches: their names in requests → the record's attributes."""


def get_profile(user: User) -> Profile:
    """Return the user with the plan, as our record has them: the token has just shown that Cognito has the account."""
    plan = Plan.find(user.plan_id, consistent=False) if user.plan_id else None
    return profile(user, plan)


def update_profile(user: User, body: ProfileChange, *, cause: str) -> Profile:
    """Change the names in the request, and return the user. The names are ours, and Cognito's copies stay."""
    changed = user.change_settings(body.changes())
    if changed:
        record_change(AccountChange.PROFILE, ", ".join(changed), user_id=user.id, cause=cause)
        logger.info("profile_updated", fields=changed)
    return get_profile(user)


def update_notification(user: User, body: OwnNotificationChange, *, cause: str) -> OwnNotification:
    """Set the switches in the request, and return all."""
    changed = user.change_settings({_SWITCHES[name]: value for name, value in body.changes().items()})
    if changed:
        record_change(AccountChange.NOTIFICATION, ", ".join(changed), user_id=user.id, cause=cause)
        logger.info("own_notification_updated", switches=changed)
    return own_notification(user)


def link_telegram(user: User, *, request: str | None) -> TelegramLinkItem:
    """Return a link that connects the chat in which the user opens it; for a repeat of a request, the same one."""
    bot_name = settings().telegram_bot_name
    if not bot_name:
        raise ServiceUnavailable("no bot is set up")
    link = make_link(user.id, bot_name=bot_name, at=utc_now(), request=request)
    logger.info("telegram_link_made")
    return telegram_link_item(link)


def unlink_telegram(user: User, *, cause: str) -> TelegramLinked:
    """Send nothing more to the user's chat; may be repeated."""
    if user.telegram_chat_id is not None:
        user.unlink_telegram()
        record_change(AccountChange.TELEGRAM_UNLINKED, "", user_id=user.id, cause=cause)
        logger.info("telegram_unlinked")
    return telegram_linked(user)
