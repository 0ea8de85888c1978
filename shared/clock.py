"""Times of the product: UTC-aware datetimes inside, ISO 8601 with milliseconds and `Z` outside."""

from __future__ import annotations

import time
from datetime import UTC, datetime


def utc_now() -> datetime:
    """Return the current time, UTC-aware, cut to milliseconds as in the tables."""
    return from_ms(time.time_ns() // 1_000_000)


def to_iso(moment: datetime) -> str:
    """Return `2022-09-09T01:57:36.304Z`; raise ValueError for a naive datetime."""
    if moment.tzinfo is None:
        raise ValueError("naive datetime")
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def from_iso(text: str) -> datetime:
    """Return the UTC datetime of an ISO 8601 text, which is UTC without an offset; raise ValueError."""
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def from_ms(milliseconds: int) -> datetime:
    """Return the UTC datetime of a Unix time in milliseconds."""
    return datetime.fromtimestamp(milliseconds // 1000, UTC).replace(microsecond=milliseconds % 1000 * 1000)


def to_ms(moment: datetime) -> int:
    """Return the Unix time in milliseconds."""
    return int(moment.timestamp()) * 1000 + moment.microsecond // 1000
