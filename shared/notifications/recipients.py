"""The recipient of a notice, as text in its record: a user, all admins, or a chat that is not linked yet."""

from __future__ import annotations

from typing import Final, NewType

Recipient = NewType("Recipient", str)

ADMINS: Final = Recipient("admins")
"""Every user in the pool's group `admin` when the notice is sent; each gets a notice of their own."""

_USER = "user#"
_CHAT = "chat#"


def to_user(user_id: str) -> Recipient:
    """Return a user as recipient."""
    return Recipient(f"{_USER}{user_id}")


def to_chat(chat_id: str) -> Recipient:
    """Return a Telegram chat as recipient, linked or not: for the bot's answers only."""
    return Recipient(f"{_CHAT}{chat_id}")


def user_id_of(recipient: str) -> str | None:
    """Return the user's id, or None for another recipient."""
    return recipient.removeprefix(_USER) if recipient.startswith(_USER) else None


def chat_id_of(recipient: str) -> str | None:
    """Return the chat's id, or None for another recipient."""
    return recipient.removeprefix(_CHAT) if recipient.startswith(_CHAT) else None
