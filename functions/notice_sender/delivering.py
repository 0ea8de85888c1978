"""Takes one way of a notice: its turn, the intent, the message, the outcome. Chooses no way."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from functions.notice_sender.pacing import hold_back, wait_for_turn
from shared.clock import to_iso, utc_now
from shared.config import settings
from shared.models.notice import Channel, InlineImage, Notice, Outcome, Reason
from shared.models.user import User
from shared.notifications.delivery import (
    ChatGone,
    DeliveryMisconfigured,
    DeliveryPostponed,
    DeliveryRefused,
    DeliveryUnknown,
)
from shared.notifications.mail import send_mail
from shared.notifications.notice_types import TelegramUnlinked, UnlinkCause
from shared.notifications.notices import notify
from shared.notifications.recipients import to_user
from shared.notifications.rendering import mail, telegram_text
from shared.notifications.telegram import send_message
from shared.notifications.templates import NoticeText
from shared.observability import count_outcome, logger

SENDING_FOR: Final = timedelta(seconds=60)
"""Twice what a worker lives: one that wrote SENDING longer ago is no more, and told nobody how it ended."""

GIVE_UP_AFTER: Final = timedelta(hours=24)
"""What could not be sent for so long is not worth sending."""

_FIRST_PAUSE_S: Final = 2.0
_LOOK_AGAIN_S: Final = 5.0


def to_chat(notice: Notice, chat_id: str, user: User | None, text: NoticeText) -> float | None:
    """Send the message to a chat; return after how many seconds to try again, None when that has come to its end."""

    def hand_over() -> None:
        try:
            send_message(chat_id, telegram_text(text))
        except DeliveryPostponed as postponed:
            if postponed.after_s is not None:
                hold_back(postponed.after_s)
            raise
        except ChatGone:
            if user is not None:
                _unlink(user, chat_id)
            raise

    return _deliver(notice, Channel.TELEGRAM, hand_over, turn=lambda: wait_for_turn(chat_id))


def to_address(notice: Notice, address: str, text: NoticeText) -> float | None:
    """Send the letter; return after how many seconds to try again, None when that has come to its end."""
    if not settings().sender_address:
        return skip(notice, Channel.EMAIL, Reason.NO_SENDER)
    images = [InlineImage(image.name, image.png) for image in notice.images]
    letter = mail(text, images=[image.name for image in images])
    return _deliver(notice, Channel.EMAIL, lambda: send_mail(address, letter, images=images), turn=lambda: None)


def skip(notice: Notice, channel: Channel, reason: Reason) -> float | None:
    """Record that there is no way to go, unless somebody is on it."""
    if notice.on(channel).outcome is Outcome.SENDING:
        return _look_after(notice, channel)
    settle(notice, channel, Outcome.SKIPPED, reason)
    return None


def settle(
    notice: Notice, channel: Channel, outcome: Outcome, reason: Reason | None = None, *, detail: str | None = None
) -> None:
    """Record how a way ended; `detail` is for the log."""
    if not notice.move(channel, outcome, at=utc_now(), reason=reason):
        return
    delivery = notice.on(channel)
    report = logger.warning if outcome is Outcome.FAILED else logger.info
    report(
        f"notice_{outcome.value.lower()}",
        notice_id=notice.id,
        kind=notice.kind,
        channel=channel.value,
        reason=reason,
        detail=detail,
        attempts=delivery.attempts,
    )
    # A chat that is gone is the user's doing, and is told to them.
    if outcome is Outcome.SENT or (outcome is Outcome.FAILED and reason is not Reason.BLOCKED):
        count_outcome(f"notice_{outcome.value.lower()}")


def _deliver(
    notice: Notice, channel: Channel, hand_over: Callable[[], None], *, turn: Callable[[], float | None]
) -> float | None:
    if notice.on(channel).outcome is Outcome.SENDING:
        return _look_after(notice, channel)
    if utc_now() - notice.recorded_at > GIVE_UP_AFTER:
        settle(notice, channel, Outcome.FAILED, Reason.TOO_LATE)
        return None
    pause_s = turn()
    if pause_s is not None:
        return pause_s
    if not notice.move(channel, Outcome.SENDING, at=utc_now(), attempt=True):
        return _LOOK_AGAIN_S if notice.is_due(channel) else None
    return _record_end(notice, channel, hand_over)


def _record_end(notice: Notice, channel: Channel, hand_over: Callable[[], None]) -> float | None:
    """Hand over what is written down as SENDING, and write down how that ended."""
    outcome, reason, detail = Outcome.FAILED, None, None
    try:
        hand_over()
    except DeliveryPostponed as postponed:
        notice.move(channel, Outcome.PENDING, at=utc_now())
        attempts = notice.on(channel).attempts
        return postponed.after_s if postponed.after_s is not None else _FIRST_PAUSE_S * 2 ** min(attempts, 9)
    except DeliveryMisconfigured:
        notice.move(channel, Outcome.PENDING, at=utc_now())
        raise
    except ChatGone as error:
        reason, detail = Reason.BLOCKED, str(error)
    except DeliveryRefused as error:
        reason, detail = Reason.REFUSED, str(error)
    except DeliveryUnknown as error:
        reason, detail = Reason.OUTCOME_UNKNOWN, str(error)
    else:
        outcome = Outcome.SENT
    settle(notice, channel, outcome, reason, detail=detail)
    return None


def _look_after(notice: Notice, channel: Channel) -> float | None:
    """Wait for the worker that is at it; when it must be gone, nobody knows what it sent."""
    since = notice.on(channel).at or notice.recorded_at
    left = since + SENDING_FOR - utc_now()
    if left > timedelta():
        return left.total_seconds()
    settle(notice, channel, Outcome.FAILED, Reason.OUTCOME_UNKNOWN)
    return None


def _unlink(user: User, chat_id: str) -> None:
    # Told first: should this die in between, the next message to the chat does it again, for the same cause.
    notify(
        TelegramUnlinked(why=UnlinkCause.BLOCKED),
        to=to_user(user.id),
        cause=f"chat {chat_id} as of {to_iso(user.updated_at)}",
        at=utc_now(),
    )
    if user.unlink_chat(chat_id):
        logger.info("telegram_unlinked", user_id=user.id, why=UnlinkCause.BLOCKED)
        count_outcome("telegram_unlinked")
