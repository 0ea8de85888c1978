"""Records what somebody is to be told, once for each cause, and queues it. Sends nothing: NoticeSender does."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID, uuid5

from shared.messages import NoticeMessage, send_notice
from shared.models.notice import Delivery, InlineImage, Outcome, Reason, new_notice
from shared.models.notification_setting import SETTING_ID, NotificationSetting
from shared.notifications.notice_types import RULES, ByEmail, NoticeKind, NoticeValues, to_json
from shared.notifications.recipients import Recipient
from shared.observability import logger

NAMESPACE = UUID("b0f5e7a2-4f0c-5f8e-8a57-6f1d0f2f9c34")

IMAGES_BYTES = 250_000
"""All images of a notice together: a record of DynamoDB holds 400 KB."""


def notice_id(kind: NoticeKind, recipient: Recipient, cause: str) -> str:
    """Return the id of the one notice of a kind to a recipient for a cause."""
    return str(uuid5(NAMESPACE, f"{kind}\n{recipient}\n{cause}"))


def notify(values: NoticeValues, *, to: Recipient, cause: str, at: datetime, images: Sequence[InlineImage] = ()) -> str:
    """Let somebody be told, and return the notice's id. Repeatable: one notice for each kind, recipient and cause.

    `cause` names what happened (an execution, a Stripe event, a week), so that its repeat has the same one; the first
    call's values stand. Raises when the notice may not be queued: call again with the same cause, which queues what is
    still waiting. A notice whose switch is off is recorded as skipped, for good.
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
    rule = RULES[values.kind]
    if not is_switched_on(values.kind):
        notice.telegram = notice.email = _skipped(Reason.SWITCHED_OFF, at=at)
    elif rule.email is ByEmail.NEVER:
        notice.email = _skipped(Reason.NOT_THIS_WAY, at=at)
    new = notice.record()
    if new:
        logger.info("notice_recorded", notice_id=notice.id, kind=values.kind, recipient=to, to_send=notice.open)
    # Also when it was there before: whoever recorded it may have died before it was queued.
    if notice.open:
        send_notice(NoticeMessage(notice.id))
    return notice.id


def is_switched_on(kind: NoticeKind) -> bool:
    """Tell whether the admins want this kind of notice sent; what has no switch always is."""
    switch = RULES[kind].switch
    if switch is None:
        return True
    setting = NotificationSetting.find(SETTING_ID)
    return setting is not None and bool(getattr(setting, switch))


def _skipped(reason: Reason, *, at: datetime) -> Delivery:
    return Delivery(outcome=Outcome.SKIPPED, reason=reason, at=at)
