"""Ends one kind of letter for one user. Knows no HTTP, and shows nothing of the user."""

from __future__ import annotations

from shared.models.user import User
from shared.notifications.notice_types import AccountChange
from shared.notifications.notices import record_change
from shared.notifications.unsubscribe_link import SWITCHES, Reader, TokenRefused
from shared.observability import count_outcome, logger


def require_reader(reader: Reader) -> User:
    """Return the user of a link; raise TokenRefused where the record is gone."""
    user = User.find(reader.user_id)
    if user is None:
        raise TokenRefused("of a user who does not exist")
    return user


def end_letters(reader: Reader, *, cause: str) -> None:
    """Switch the letters off; raise TokenRefused where the user's record is gone. May be repeated."""
    user = require_reader(reader)
    changed = user.change_settings({SWITCHES[reader.kind]: False})
    if changed:
        record_change(AccountChange.NOTIFICATION, ", ".join(changed), user_id=user.id, cause=cause)
        count_outcome("report_unsubscribed")
        logger.info("report_unsubscribed", user_id=user.id, kind=reader.kind)
