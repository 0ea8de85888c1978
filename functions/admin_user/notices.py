"""What a user was told, and what became of each notice. Knows no HTTP, and sends nothing."""

from __future__ import annotations

from typing import TypedDict

from shared.api.answers import Id, Time
from shared.api.paging import Listing, listing, load_by_id, query_page
from shared.api.requests import ListQuery
from shared.clock import to_iso
from shared.models.notice import Channel, Delivery, Notice, Outcome, Reason
from shared.models.user import User
from shared.notifications.notice_types import NoticeKind, from_json
from shared.notifications.recipients import to_user
from shared.notifications.rendering import mail
from shared.notifications.templates import text_of


class DeliveryItem(TypedDict):
    """List Notices: the delivery of one on a channel."""

    outcome: Outcome
    reason: Reason | None
    attempts: int
    """How often it was sent to Telegram or SES."""
    at: Time | None
    """When the outcome was reached."""


class NoticeItem(TypedDict):
    """List Notices: one notice."""

    id: Id
    kind: NoticeKind
    title: str
    text: str
    """As plain text, the same on every channel but for its layout."""
    createdAt: Time
    """When its cause happened."""
    recordedAt: Time
    Telegram: DeliveryItem
    Email: DeliveryItem


def list_notices(user: User, query: ListQuery) -> Listing[NoticeItem]:
    """Return a page of the notices to a user, the newest cause first."""
    page = query_page(
        Notice.by_recipient.query,
        to_user(user.id),
        load=load_by_id(Notice),
        limit=query.limit,
        after=query.start,
        newest_first=True,
    )
    return listing(map(_item, page.records), token=query.token_of(page))


def _item(notice: Notice) -> NoticeItem:
    kind = NoticeKind(notice.kind)
    told = text_of(from_json(kind, notice.content))
    return {
        "id": notice.id,
        "kind": kind,
        "title": told.title,
        "text": mail(told).text,
        "createdAt": to_iso(notice.created_at),
        "recordedAt": to_iso(notice.recorded_at),
        "Telegram": _delivery(notice.delivery(Channel.TELEGRAM)),
        "Email": _delivery(notice.delivery(Channel.EMAIL)),
    }


def _delivery(delivery: Delivery) -> DeliveryItem:
    return {
        "outcome": delivery.outcome,
        "reason": delivery.reason,
        "attempts": delivery.attempts,
        "at": None if delivery.at is None else to_iso(delivery.at),
    }
