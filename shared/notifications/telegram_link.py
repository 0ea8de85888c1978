"""Signed links that let a user link a Telegram chat: valid for fifteen minutes, once. Links nothing itself.

Telegram passes on at most 64 characters, without dots; a JWT has more of both. So the link carries the token's id and
its signature (20 + 43 characters), and the record under that id holds the part that was signed. A reader of the table
has no signature, a writer to the table cannot sign, and a guess needs both.
"""

from __future__ import annotations

import re
import secrets
from datetime import datetime, timedelta
from typing import Final

import jwt

from shared.config import settings
from shared.errors import LockstepError
from shared.models.base import epoch_after
from shared.models.telegram_link import TelegramLink
from shared.secrets import read_parameter

LIFETIME: Final = timedelta(minutes=15)

_ALGORITHM: Final = "HS256"
_AUDIENCE: Final = "lockstep:telegram-link"
_CODE_BYTES: Final = 15
_CODE_LENGTH: Final = 20
_START: Final = re.compile(r"[A-Za-z0-9_-]{63}")


class LinkRefused(LockstepError):
    """The link is not ours, has expired, or was used."""


def make_link(user_id: str, *, bot_name: str, at: datetime) -> str:
    """Return the address that links the chat in which the user opens it."""
    code = secrets.token_urlsafe(_CODE_BYTES)
    claims = {"aud": _AUDIENCE, "sub": user_id, "jti": code, "iat": at, "exp": at + LIFETIME}
    signed, _, signature = jwt.encode(claims, _key(), algorithm=_ALGORITHM).rpartition(".")
    TelegramLink(
        code, signed=signed, user_id=user_id, created_at=at, expires_at=epoch_after(at, LIFETIME + timedelta(days=1))
    ).save(condition=TelegramLink.code.does_not_exist())
    return f"https://t.me/{bot_name}?start={code}{signature}"


def read_link(start: str) -> TelegramLink:
    """Return the link for Telegram's start parameter; raise LinkRefused. `TelegramLink.use` marks it as used."""
    if not _START.fullmatch(start):
        raise LinkRefused("not one of our tokens")
    code, signature = start[:_CODE_LENGTH], start[_CODE_LENGTH:]
    link = TelegramLink.find(code)
    if link is None:
        raise LinkRefused("unknown")
    try:
        claims = jwt.decode(
            f"{link.signed}.{signature}",
            _key(),
            algorithms=[_ALGORITHM],
            audience=_AUDIENCE,
            options={"require": ["aud", "sub", "jti", "iat", "exp"]},
        )
    except jwt.PyJWTError as error:
        raise LinkRefused(type(error).__name__) from error
    if (claims["jti"], claims["sub"]) != (code, link.user_id):
        raise LinkRefused("signed for another record")
    if link.used_at is not None:
        raise LinkRefused("used up")
    return link


def _key() -> str:
    return read_parameter(settings().telegram_link_key_parameter)
