"""Signed links that let a user link a Telegram chat: valid for fifteen minutes, once. Links nothing itself.

Telegram passes on at most 64 characters, without dots; a JWT has more of both. So the link carries the token's id and
its signature (20 + 43 characters), and the record under that id holds the part that was signed. A reader of the table
has no signature, a writer to the table cannot sign, and a guess needs both.
"""

from __future__ import annotations

import base64
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import jwt

from shared.config import settings
from shared.errors import LockstepError
from shared.models.base import conditional_write, epoch_after
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


@dataclass(frozen=True, slots=True)
class NewLink:
    """An address that links the chat in which it is opened."""

    url: str
    expires_at: datetime


def make_link(user_id: str, *, bot_name: str, at: datetime, request: str | None = None) -> NewLink:
    """Return a new link of the user's; for a `request` that was made within a day, the link that was made then.

    No answer is stored for repeats: the code is derived from the request, and the record under it is signed again.
    """
    code = secrets.token_urlsafe(_CODE_BYTES) if request is None else _code_of(request)
    expires_at = at.replace(microsecond=0) + LIFETIME
    claims = {"aud": _AUDIENCE, "sub": user_id, "jti": code, "iat": at, "exp": expires_at}
    signed = jwt.encode(claims, _key(), algorithm=_ALGORITHM).rpartition(".")[0]
    link = TelegramLink(
        code, signed=signed, user_id=user_id, created_at=at, expires_at=epoch_after(at, LIFETIME + timedelta(days=1))
    )
    # TTL deletes late: a record that has expired is replaced.
    unused = TelegramLink.code.does_not_exist() | (TelegramLink.expires_at <= int(at.timestamp()))
    with conditional_write() as write:
        link.save(condition=unused)
    if not write.applied:
        link.refresh(consistent_read=True)
    return NewLink(
        f"https://t.me/{bot_name}?start={code}{_signature(link.signed)}",
        link.created_at.replace(microsecond=0) + LIFETIME,
    )


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


def _code_of(request: str) -> str:
    made = hmac.digest(_key().encode(), request.encode(), "sha256")[:_CODE_BYTES]
    return base64.urlsafe_b64encode(made).decode()


def _signature(signed: str) -> str:
    return base64.urlsafe_b64encode(hmac.digest(_key().encode(), signed.encode(), "sha256")).decode().rstrip("=")


def _key() -> str:
    return read_parameter(settings().telegram_link_key_parameter)
