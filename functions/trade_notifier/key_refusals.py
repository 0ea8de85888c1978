"""Turns a change of an exchange key's record into a notice, where the exchange has begun to refuse the key.

The record's image holds the sealed secret: nothing of it is logged.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.clock import from_iso
from shared.models.exchange_key import ApiKeyStatus
from shared.notifications.notice_types import KeyRefused
from shared.notifications.notices import notify
from shared.notifications.recipients import to_user


def notify_of_change(old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """Queue the notice of a key that became UNAUTHORIZED; repeatable. Images are in DynamoDB's format."""
    if _status_of(new) != ApiKeyStatus.UNAUTHORIZED or _status_of(old) == ApiKeyStatus.UNAUTHORIZED:
        return
    key_id, at = new["id"]["S"], from_iso(new["updated_at"]["S"])
    # A key whose refusals come and go is told once a day.
    cause = f"{key_id} refused {at.date().isoformat()}"
    notify(KeyRefused(key_name=new["name"]["S"], at=at), to=to_user(new["user_id"]["S"]), cause=cause, at=at)


def _status_of(image: Mapping[str, Any]) -> str | None:
    status: str | None = image.get("api_key_status", {}).get("S")
    return status
