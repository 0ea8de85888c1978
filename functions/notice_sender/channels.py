"""Sends a notice on one channel: waits for its turn, records SENDING, sends, records the outcome. Picks no channel."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from functions.notice_sender.pacing import pause_all, wait_for_turn
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
from shared.notifications.notice_types import NoticeKind, TelegramUnlinked, UnlinkCause
from shared.notifications.notices import notify
from shared.notifications.recipients import to_user
from shared.notifications.rendering import mail, telegram_text
from shared.notifications.telegram import send_message
from shared.notifications.templates import NoticeText
from shared.notifications.unsubscribe_link import Reader, unsubscribe_url
from shared.observability import count_outcome, logger

SENDING_TIMEOUT: Final = timedelta(seconds=60)
"""Twice a worker's time limit: a worker that recorded SENDING longer ago has crashed without recording an outcome."""

GIVE_UP_AFTER: Final = timedelta(hours=24)
"""A notice this old is no longer worth sending."""

_FIRST_PAUSE_S: Final = 2.0
_RECHECK_AFTER_S: Final = 5.0


def send_to_chat(notice: Notice, chat_id: str, user: User | None, text: NoticeText) -> float | None:
    """Send the message to a chat; return after how many seconds to try again, None when this channel is finished."""

    def send() -> None:
        try:
            send_message(chat_id, telegram_text(text))
        except DeliveryPostponed as postponed:
            if postponed.after_s is not None:
                pause_all(postponed.after_s)
            raise
        except ChatGone:
            if user is not None:
                _unlink(user, chat_id)
            raise

    return _send_in_turn(notice, Channel.TELEGRAM, send, turn=lambda: wait_for_turn(chat_id))


def send_to_address(notice: Notice, user: User, text: NoticeText) -> float | None:
    """Send the user's e-mail; return after how many seconds to try again, None when this channel is finished."""
    if not settings().sender_address:
        return skip(notice, Channel.EMAIL, Reason.NO_SENDER)
    images = [InlineImage(image.name, image.png) for image in notice.images]
    letter = mail(
        text,
        images=[image.name for image in images],
        unsubscribe_url=unsubscribe_url(Reader(user.id, NoticeKind(notice.kind))),
    )
    return _send_in_turn(notice, Channel.EMAIL, lambda: send_mail(user.email, letter, images=images), turn=lambda: None)


def skip(notice: Notice, channel: Channel, reason: Reason) -> float | None:
    """Record that nothing is sent on this channel, unless another worker is sending."""
    if notice.delivery(channel).outcome is Outcome.SENDING:
        return _wait_for_other_worker(notice, channel)
    record_outcome(notice, channel, Outcome.SKIPPED, reason)
    return None


def record_outcome(
    notice: Notice, channel: Channel, outcome: Outcome, reason: Reason | None = None, *, detail: str | None = None
) -> None:
    """Record the outcome on a channel; `detail` is for the log."""
    if not notice.set_outcome(channel, outcome, at=utc_now(), reason=reason):
        return
    delivery = notice.delivery(channel)
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
    # A chat that is gone is the user's doing, and they get a notice of it.
    if outcome is Outcome.SENT or (outcome is Outcome.FAILED and reason is not Reason.BLOCKED):
        count_outcome(f"notice_{outcome.value.lower()}")


def _send_in_turn(
    notice: Notice, channel: Channel, send: Callable[[], None], *, turn: Callable[[], float | None]
) -> float | None:
    if notice.delivery(channel).outcome is Outcome.SENDING:
        return _wait_for_other_worker(notice, channel)
    if utc_now() - notice.recorded_at > GIVE_UP_AFTER:
        record_outcome(notice, channel, Outcome.FAILED, Reason.TOO_LATE)
        return None
    pause_s = turn()
    if pause_s is not None:
        return pause_s
    if not notice.set_outcome(channel, Outcome.SENDING, at=utc_now(), attempt=True):
        return _RECHECK_AFTER_S if notice.is_due(channel) else None
    return _send_and_record(notice, channel, send)


def _send_and_record(notice: Notice, channel: Channel, send: Callable[[], None]) -> float | None:
    """Send what is recorded as SENDING, and record the outcome."""
    outcome, reason, detail = Outcome.FAILED, None, None
    try:
        send()
    except DeliveryPostponed as postponed:
        notice.set_outcome(channel, Outcome.PENDING, at=utc_now())
        attempts = notice.delivery(channel).attempts
        return postponed.after_s if postponed.after_s is not None else _FIRST_PAUSE_S * 2 ** min(attempts, 9)
    except DeliveryMisconfigured:
        notice.set_outcome(channel, Outcome.PENDING, at=utc_now())
        raise
    except ChatGone as error:
        reason, detail = Reason.BLOCKED, str(error)
    except DeliveryRefused as error:
        reason, detail = Reason.REFUSED, str(error)
    except DeliveryUnknown as error:
        reason, detail = Reason.OUTCOME_UNKNOWN, str(error)
    else:
        outcome = Outcome.SENT
    record_outcome(notice, channel, outcome, reason, detail=detail)
    return None


def _wait_for_other_worker(notice: Notice, channel: Channel) -> float | None:
    """Wait for the worker that is sending; after SENDING_TIMEOUT, record that the outcome is unknown."""
    since = notice.delivery(channel).at or notice.recorded_at
    left = since + SENDING_TIMEOUT - utc_now()
    if left > timedelta():
        return left.total_seconds()
    record_outcome(notice, channel, Outcome.FAILED, Reason.OUTCOME_UNKNOWN)
    return None


def _unlink(user: User, chat_id: str) -> None:
    # The notice comes first: after a crash in between, the next message to the chat repeats this, for the same cause.
    notify(
        TelegramUnlinked(why=UnlinkCause.BLOCKED),
        to=to_user(user.id),
        cause=f"chat {chat_id} as of {to_iso(user.updated_at)}",
        at=utc_now(),
    )
    if user.unlink_chat(chat_id):
        logger.info("telegram_unlinked", user_id=user.id, why=UnlinkCause.BLOCKED)
        count_outcome("telegram_unlinked")
