"""Sends one notice on every way that its kind goes, and records how each ended. Texts and channels are elsewhere.

Each way is taken once. What goes out is first written down as SENDING; who finds that, and nobody at it any more, knows
that it may have arrived, and does not send it again.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from functions.notice_sender import delivering
from functions.notice_sender.delivering import settle
from shared.errors import LockstepError
from shared.messages import LONGEST_DELAY_S, NoticeMessage, send_notice
from shared.models.notice import Channel, InlineImage, Notice, Outcome, Reason
from shared.models.user import User, upsert_user
from shared.notifications.delivery import DeliveryMisconfigured
from shared.notifications.notice_types import RULES, ByEmail, NoticeKind, from_json
from shared.notifications.notices import notify
from shared.notifications.recipients import ADMINS, chat_id_of, to_user, user_id_of
from shared.notifications.templates import NoticeText, text_of
from shared.observability import logger
from shared.user_pool import list_admins

Way = Callable[[], float | None]
"""Takes one way; returns after how many seconds to try again, None when it has come to its end."""


class NoticeMissing(LockstepError):
    """A message names a notice that is not there."""


def send(notice_id: str) -> None:
    """Send what of a notice is still to be sent, now or, by a message of its own, later.

    Raise DeliveryMisconfigured where only an operator can help: nothing is lost, the message comes again.
    """
    notice = Notice.find(notice_id)
    if notice is None:
        raise NoticeMissing(notice_id)
    if not notice.open:
        logger.info("notice_repeated", notice_id=notice_id)
        return
    if notice.recipient == ADMINS:
        _tell_admins(notice)
        return
    again_s = _take_every_way(notice)
    if again_s is not None:
        delay_s = min(max(math.ceil(again_s), 1), LONGEST_DELAY_S)
        send_notice(NoticeMessage(notice_id), delay_s=delay_s)
        logger.info("notice_postponed", notice_id=notice_id, delay_s=delay_s)


def _tell_admins(notice: Notice) -> None:
    """Give each admin a notice of their own; who is an admin is Cognito's to say, at this moment."""
    values = from_json(NoticeKind(notice.kind), notice.content)
    images = [InlineImage(image.name, image.png) for image in notice.images]
    admins = list_admins()
    for admin in admins:
        user = upsert_user(admin)
        notify(values, to=to_user(user.id), cause=notice.cause, at=notice.created_at, images=images)
    logger.info("admins_told", notice_id=notice.id, admins=len(admins))
    for channel in Channel:
        settle(notice, channel, Outcome.SKIPPED, Reason.TOLD_ONE_BY_ONE)


def _take_every_way(notice: Notice) -> float | None:
    """Return after how many seconds something is to be tried again, or None."""
    kind = NoticeKind(notice.kind)
    text = text_of(from_json(kind, notice.content))
    user_id = user_id_of(notice.recipient)
    user = User.find(user_id) if user_id is not None else None
    rule = RULES[kind].email
    ways: list[Way] = [lambda: _by_telegram(notice, user, text)]
    # The letter that always goes does not wait for the chat's turn; the one that stands in for a message does.
    ways.insert(
        0 if rule is ByEmail.ALWAYS else 1, lambda: _by_email(notice, user, text, instead=rule is ByEmail.INSTEAD)
    )
    pauses: list[float] = []
    misconfigured: DeliveryMisconfigured | None = None
    for way in ways:
        try:
            pause_s = way()
        except DeliveryMisconfigured as error:
            # It must not keep the other way from being taken.
            misconfigured = error
            continue
        if pause_s is not None:
            pauses.append(pause_s)
    if misconfigured is not None:
        raise misconfigured
    return min(pauses, default=None)


def _by_telegram(notice: Notice, user: User | None, text: NoticeText) -> float | None:
    if not notice.is_due(Channel.TELEGRAM):
        return None
    chat_id = chat_id_of(notice.recipient) or (user.telegram_chat_id if user is not None else None)
    if chat_id is None:
        nobody = Reason.NO_USER if user is None else Reason.NO_CHAT
        return delivering.skip(notice, Channel.TELEGRAM, nobody)
    return delivering.to_chat(notice, chat_id, user, text)


def _by_email(notice: Notice, user: User | None, text: NoticeText, *, instead: bool) -> float | None:
    if not notice.is_due(Channel.EMAIL) or (instead and notice.is_due(Channel.TELEGRAM)):
        return None
    if instead and notice.telegram.outcome is Outcome.SENT:
        return delivering.skip(notice, Channel.EMAIL, Reason.NOT_THIS_WAY)
    if user is None:
        return delivering.skip(notice, Channel.EMAIL, Reason.NO_USER)
    if not user.email or not user.email_verified:
        return delivering.skip(notice, Channel.EMAIL, Reason.NO_ADDRESS)
    return delivering.to_address(notice, user.email, text)
