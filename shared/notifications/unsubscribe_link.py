"""Signed links by which a reader ends one kind of letter without signing in. Changes nothing itself.

A link names a user and a kind of letter, and opens nothing else. It has no end: old letters are found and left, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

import jwt

from shared.config import settings
from shared.errors import LockstepError
from shared.notifications.notice_types import NoticeKind
from shared.process_state import process_cache
from shared.secrets import derive_key

ROUTE_PATH: Final = "/v1/unsubscribe"

SWITCHES: Final[Mapping[NoticeKind, str]] = {
    NoticeKind.WEEKLY_REPORT: "weekly_report_wanted",
    NoticeKind.MONTHLY_REPORT: "monthly_report_wanted",
}
"""The letters that a link ends → the user's attribute that it clears."""

_ALGORITHM: Final = "HS256"
_AUDIENCE: Final = "lockstep:unsubscribe"


class TokenRefused(LockstepError):
    """The token is not ours, or of a kind of letter that a link cannot end."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Who gets which letters."""

    user_id: str
    kind: NoticeKind


def unsubscribe_url(reader: Reader) -> str:
    """Return the link for a reader's letters, or an empty text where their kind, or this stack, has none.

    Raise ServiceUnavailable or botocore's errors while KMS does not answer.
    """
    if reader.kind not in SWITCHES or not settings().unsubscribe_url:
        return ""
    claims = {"aud": _AUDIENCE, "sub": reader.user_id, "kind": reader.kind.value}
    token = jwt.encode(claims, _key(), algorithm=_ALGORITHM)
    return f"{settings().unsubscribe_url}?{urlencode({'token': token})}"


def read_token(token: str) -> Reader:
    """Return whose letters a link's token ends; raise TokenRefused."""
    try:
        claims = jwt.decode(
            token,
            _key(),
            algorithms=[_ALGORITHM],
            audience=_AUDIENCE,
            options={"require": ["aud", "sub", "kind"]},
        )
        reader = Reader(claims["sub"], NoticeKind(claims["kind"]))
    except (jwt.PyJWTError, ValueError) as error:
        raise TokenRefused(type(error).__name__) from error
    if reader.kind not in SWITCHES:
        raise TokenRefused("a kind of letter that cannot be ended")
    return reader


@process_cache
def _key() -> bytes:
    return derive_key("unsubscribe links", key_id=settings().paging_key_id)
