"""Sends one notice on every channel of its kind, and records each outcome. Texts and channels are elsewhere.

Each channel is used once. Before it sends, a worker records SENDING; a later worker that finds SENDING from a worker
that has crashed knows that the notice may have arrived, and does not send it again.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from functions.notice_sender import channels
from functions.notice_sender.channels import record_outcome
from shared.errors import LockstepError
from shared.messages import LONGEST_DELAY_S, NoticeMessage, send_notice
from shared.models.notice import Channel, InlineImage, Notice, Outcome, Reason
from shared.models.user import User, upsert_user
from shared.notifications.delivery import DeliveryMisconfigured
from shared.notifications.notice_types import DELIVERY_RULES, TRADE_KINDS, EmailPolicy, NoticeKind, from_json
from shared.notifications.notices import notify
from shared.notifications.recipients import ADMINS, chat_id_of, to_user, user_id_of
from shared.notifications.templates import NoticeText, text_of
from shared.observability import logger
from shared.user_pool import list_admins

SendOnChannel = Callable[[], float | None]
"""Sends on one channel; returns after how many seconds to try again, None when the channel is finished."""


class NoticeMissing(LockstepError):
    """A message names a notice that is not stored."""


def send(notice_id: str) -> None:
    """Send a notice on every channel that is still pending; queue it again for those that have to wait.

    Raise DeliveryMisconfigured where only an operator can help: nothing is lost, SQS delivers the message again.
    """
    notice = Notice.find(notice_id)
    if notice is None:
        raise NoticeMissing(notice_id)
    if not notice.open:
        logger.info("notice_repeated", notice_id=notice_id)
        return
    if notice.recipient == ADMINS:
        _notify_each_admin(notice)
        return
    retry_after_s = _send_on_every_channel(notice)
    if retry_after_s is not None:
        delay_s = min(max(math.ceil(retry_after_s), 1), LONGEST_DELAY_S)
        send_notice(NoticeMessage(notice_id), delay_s=delay_s)
        logger.info("notice_postponed", notice_id=notice_id, delay_s=delay_s)


def _notify_each_admin(notice: Notice) -> None:
    """Record a notice for each user who is an admin in Cognito now."""
    values = from_json(NoticeKind(notice.kind), notice.content)
    images = [InlineImage(image.name, image.png) for image in notice.images]
    admins = list_admins()
    for admin in admins:
        user = upsert_user(admin)
        notify(values, to=to_user(user.id), cause=notice.cause, at=notice.created_at, images=images)
    logger.info("admins_told", notice_id=notice.id, admins=len(admins))
    for channel in Channel:
        record_outcome(notice, channel, Outcome.SKIPPED, Reason.SENT_TO_EACH_ADMIN)


def _send_on_every_channel(notice: Notice) -> float | None:
    """Return after how many seconds to try again, None when every channel is finished."""
    kind = NoticeKind(notice.kind)
    text = text_of(from_json(kind, notice.content))
    user_id = user_id_of(notice.recipient)
    user = User.find(user_id) if user_id is not None else None
    if user is not None and kind in TRADE_KINDS and not user.trade_messages_wanted:
        skipped = [channels.skip(notice, one, Reason.UNWANTED) for one in Channel if notice.is_due(one)]
        return min((pause_s for pause_s in skipped if pause_s is not None), default=None)
    rule = DELIVERY_RULES[kind].email
    senders: list[SendOnChannel] = [lambda: _by_telegram(notice, user, text)]
    # An e-mail that is always sent does not wait for the chat's turn; one that replaces the message does.
    senders.insert(
        0 if rule is EmailPolicy.ALWAYS else 1,
        lambda: _by_email(notice, user, text, as_fallback=rule is EmailPolicy.FALLBACK),
    )
    pauses: list[float] = []
    misconfigured: DeliveryMisconfigured | None = None
    for send_on_channel in senders:
        try:
            pause_s = send_on_channel()
        except DeliveryMisconfigured as error:
            # The other channel is still sent on.
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
        reason = Reason.NO_USER if user is None else Reason.NO_CHAT
        return channels.skip(notice, Channel.TELEGRAM, reason)
    return channels.send_to_chat(notice, chat_id, user, text)


def _by_email(notice: Notice, user: User | None, text: NoticeText, *, as_fallback: bool) -> float | None:
    if not notice.is_due(Channel.EMAIL) or (as_fallback and notice.is_due(Channel.TELEGRAM)):
        return None
    if as_fallback and notice.telegram.outcome is Outcome.SENT:
        return channels.skip(notice, Channel.EMAIL, Reason.CHANNEL_NOT_USED)
    if user is None:
        return channels.skip(notice, Channel.EMAIL, Reason.NO_USER)
    if not user.email or not user.email_verified:
        return channels.skip(notice, Channel.EMAIL, Reason.NO_ADDRESS)
    return channels.send_to_address(notice, user, text)
