"""Records a notice, once for each recipient and cause, and queues it. Sends nothing: NoticeSender does."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID, uuid5

from shared.clock import utc_now
from shared.messages import NoticeMessage, send_notice
from shared.models.notice import Delivery, InlineImage, Outcome, Reason, new_notice
from shared.models.notification_setting import SETTING_ID, NotificationSetting
from shared.notifications.notice_types import (
    DELIVERY_RULES,
    AccountChange,
    AccountChanged,
    EmailPolicy,
    NoticeKind,
    NoticeValues,
    to_json,
)
from shared.notifications.recipients import Recipient, to_user
from shared.observability import logger

NAMESPACE = UUID("b0f5e7a2-4f0c-5f8e-8a57-6f1d0f2f9c34")

IMAGES_BYTES = 250_000
"""All images of a notice together: a record of DynamoDB holds 400 KB."""


def notice_id(kind: NoticeKind, recipient: Recipient, cause: str) -> str:
    """Return the id of the one notice of a kind to a recipient for a cause."""
    return str(uuid5(NAMESPACE, f"{kind}\n{recipient}\n{cause}"))


def notify(values: NoticeValues, *, to: Recipient, cause: str, at: datetime, images: Sequence[InlineImage] = ()) -> str:
    """Record and queue a notice, and return its id. Repeatable: one notice for each kind, recipient and cause.

    `cause` names what happened (an execution, a Stripe event, a week), so a repeat has the same one; the first call's
    values are kept. When this raises, the notice may not be queued: a call with the same cause queues it then. A notice
    whose setting is off is recorded as skipped, for good.
    """
    if sum(len(image.png) for image in images) > IMAGES_BYTES:
        raise ValueError(f"more than {IMAGES_BYTES} bytes of images")
    notice = new_notice(
        notice_id(values.kind, to, cause),
        recipient=to,
        kind=values.kind,
        cause=cause,
        content=to_json(values),
        images=list(images),
        at=at,
    )
    rule = DELIVERY_RULES[values.kind]
    if not is_switched_on(values.kind):
        notice.telegram = notice.email = _skipped(Reason.SWITCHED_OFF, at=at)
    elif rule.email is EmailPolicy.NEVER:
        notice.email = _skipped(Reason.CHANNEL_NOT_USED, at=at)
    new = notice.save_if_new()
    if new:
        logger.info("notice_recorded", notice_id=notice.id, kind=values.kind, recipient=to, to_send=notice.open)
    # Also when it was stored before: the worker that recorded it may have crashed before it queued it.
    if notice.open:
        send_notice(NoticeMessage(notice.id))
    return notice.id


def record_change(what: AccountChange, name: str, *, user_id: str, cause: str) -> None:
    """Record what a user has changed, for the list of events; nothing is sent. Repeatable with the same cause."""
    at, to = utc_now(), to_user(user_id)
    values = AccountChanged(what=what, name=name, at=at)
    cause = f"{what} {cause}"
    notice = new_notice(
        notice_id(values.kind, to, cause),
        recipient=to,
        kind=values.kind,
        cause=cause,
        content=to_json(values),
        images=[],
        at=at,
    )
    notice.telegram = notice.email = _skipped(Reason.CHANNEL_NOT_USED, at=at)
    notice.save_if_new()


def is_switched_on(kind: NoticeKind) -> bool:
    """Return whether the admins' setting for this kind is on; a kind without a setting always is."""
    switch = DELIVERY_RULES[kind].switch
    if switch is None:
        return True
    setting = NotificationSetting.find(SETTING_ID)
    return setting is not None and bool(getattr(setting, switch))


def _skipped(reason: Reason, *, at: datetime) -> Delivery:
    return Delivery(outcome=Outcome.SKIPPED, reason=reason, at=at)
