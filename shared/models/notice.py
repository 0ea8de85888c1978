"""Table `notices`: every notice, once for each recipient and cause, with its delivery on each channel."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from pynamodb.attributes import BinaryAttribute, ListAttribute, MapAttribute, UnicodeAttribute
from pynamodb.expressions.condition import Condition

from shared.clock import to_iso, utc_now
from shared.models.attributes import EnumAttribute, IntegerAttribute, TimeAttribute
from shared.models.base import (
    GlobalSecondaryIndex,
    KeysOnlyProjection,
    Table,
    TableName,
    created_key,
    epoch_after,
)

RETENTION = timedelta(days=400)
"""Far longer than a cause can be repeated."""


class Channel(StrEnum):
    """The channels to a person; the record has an attribute of each name."""

    TELEGRAM = "telegram"
    EMAIL = "email"


class Outcome(StrEnum):
    """The state of a notice on one channel."""

    PENDING = "PENDING"
    SENDING = "SENDING"
    """Recorded before it is sent: no other worker sends it from then on."""
    SENT = "SENT"
    SKIPPED = "SKIPPED"
    """Not meant for this channel, or the user cannot be reached on it."""
    FAILED = "FAILED"
    """It did not arrive, or may not have."""


class Reason(StrEnum):
    """Why a notice was skipped or failed on one channel."""

    SWITCHED_OFF = "SWITCHED_OFF"
    UNWANTED = "UNWANTED"
    """The user has switched off messages about trades."""
    CHANNEL_NOT_USED = "NOT_THIS_WAY"
    """The kind of notice does not use this channel, or the other channel was enough."""
    NO_CHAT = "NO_CHAT"
    NO_ADDRESS = "NO_ADDRESS"
    """No e-mail address, or none that was confirmed."""
    NO_SENDER = "NO_SENDER"
    """No sender address is configured."""
    NO_USER = "NO_USER"
    SENT_TO_EACH_ADMIN = "TOLD_ONE_BY_ONE"
    """A notice to the admins: each of them gets a notice of their own."""
    BLOCKED = "BLOCKED"
    REFUSED = "REFUSED"
    """Telegram or SES refused it for good."""
    OUTCOME_UNKNOWN = "OUTCOME_UNKNOWN"
    """It may have arrived, so it is never sent again."""
    TOO_LATE = "TOO_LATE"
    """It could not be sent for a day."""


class _Part(MapAttribute[str, Any]):
    """A part of a record, with attributes of its own."""

    def __init__(self, **values: Any) -> None:
        # PynamoDB gives this one no types.
        super().__init__(**values)  # type: ignore[no-untyped-call]


class Delivery(_Part):
    """The delivery of a notice on one channel."""

    outcome = EnumAttribute(Outcome, default=Outcome.PENDING)
    reason = EnumAttribute(Reason, null=True)
    attempts = IntegerAttribute(default=0)
    """How often it was sent to Telegram or SES."""
    at = TimeAttribute(null=True)
    """When the outcome was reached."""


class NoticeImage(_Part):
    """An image inside the e-mail's HTML."""

    name = UnicodeAttribute()
    png = BinaryAttribute(legacy_encoding=False)


@dataclass(frozen=True, slots=True)
class InlineImage:
    """A PNG that the e-mail's HTML shows by its name."""

    name: str
    png: bytes


class NoticesByRecipient(GlobalSecondaryIndex["Notice"]):
    """The notices of a recipient, in order."""

    class Meta:
        index_name = "by_recipient"
        projection = KeysOnlyProjection()

    recipient = UnicodeAttribute(hash_key=True)
    created_key = UnicodeAttribute(range_key=True)


class NoticesByRecording(GlobalSecondaryIndex["Notice"]):
    """The notices of a recipient in the order in which they were recorded, so that none comes before a known one."""

    class Meta:
        index_name = "by_recorded"
        projection = KeysOnlyProjection()

    recipient = UnicodeAttribute(hash_key=True)
    recorded_at = TimeAttribute(range_key=True)


class Notice(Table):
    """One notice to one recipient."""

    class Meta:
        table_name = TableName("notices")

    id = UnicodeAttribute(hash_key=True)
    """uuid5 of kind, recipient and cause."""
    recipient = UnicodeAttribute()
    created_key = UnicodeAttribute()
    kind = UnicodeAttribute()
    cause = UnicodeAttribute()
    content = UnicodeAttribute()
    """The values, as JSON text."""
    images = ListAttribute(of=NoticeImage, default=list)
    telegram = Delivery()
    email = Delivery()
    created_at = TimeAttribute()
    """When its cause happened."""
    recorded_at = TimeAttribute()
    expires_at = IntegerAttribute()
    """Unix seconds (the table's TTL attribute)."""

    by_recipient = NoticesByRecipient()
    by_recorded = NoticesByRecording()

    def delivery(self, channel: Channel) -> Delivery:
        """Return the delivery on one channel."""
        return self.telegram if channel is Channel.TELEGRAM else self.email

    def is_due(self, channel: Channel) -> bool:
        """Return whether this channel has no final outcome yet."""
        return self.delivery(channel).outcome in {Outcome.PENDING, Outcome.SENDING}

    @property
    def open(self) -> bool:
        """True while there is something to send."""
        return any(self.is_due(channel) for channel in Channel)

    def set_outcome(
        self, channel: Channel, outcome: Outcome, *, at: datetime, reason: Reason | None = None, attempt: bool = False
    ) -> bool:
        """Set the outcome on one channel unless it changed since it was read; return whether it was written.

        Otherwise this becomes the record as stored.
        """
        # On the class its parts are expressions; PynamoDB types them as the values that they are on a record.
        stored: Any = Notice.telegram if channel is Channel.TELEGRAM else Notice.email
        before = self.delivery(channel)
        after = Delivery(outcome=outcome, reason=reason, attempts=before.attempts + int(attempt), at=at)
        unchanged: Condition = (stored.outcome == before.outcome) & (stored.attempts == before.attempts)
        if before.at is not None:
            unchanged &= stored.at == before.at
        return self.update_if(unchanged, [stored.set(after)])


def new_notice(
    notice_id: str, *, recipient: str, kind: str, cause: str, content: str, images: list[InlineImage], at: datetime
) -> Notice:
    """Return a notice that waits to be sent; not stored yet."""
    now = utc_now()
    return Notice(
        notice_id,
        recipient=recipient,
        created_key=created_key(to_iso(at), notice_id),
        kind=kind,
        cause=cause,
        content=content,
        images=[NoticeImage(name=image.name, png=image.png) for image in images],
        telegram=Delivery(),
        email=Delivery(),
        created_at=at,
        recorded_at=now,
        expires_at=epoch_after(now, RETENTION),
    )
