"""Who a notice is for, as the text that its record keeps: a user, all admins, or a chat that is nobody's yet."""

from __future__ import annotations

from typing import Final, NewType

Recipient = NewType("Recipient", str)

ADMINS: Final = Recipient("admins")
"""Everybody in the user pool's group `admin` when the notice is sent, each with a notice of their own."""

_USER = "user#"
_CHAT = "chat#"


def to_user(user_id: str) -> Recipient:
    """Return a user as recipient."""
    return Recipient(f"{_USER}{user_id}")


def to_chat(chat_id: str) -> Recipient:
    """Return a Telegram chat as recipient, whoever sits there: for answers of the bot only."""
    return Recipient(f"{_CHAT}{chat_id}")


def user_id_of(recipient: str) -> str | None:
    """Return the user's id, or None for another recipient."""
    return recipient.removeprefix(_USER) if recipient.startswith(_USER) else None


def chat_id_of(recipient: str) -> str | None:
    """Return the chat's id, or None for another recipient."""
    return recipient.removeprefix(_CHAT) if recipient.startswith(_CHAT) else None
