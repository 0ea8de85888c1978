"""The updates of Telegram that the bot reads: a person's message in a private chat. Every other update is ignored."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

_MAX_ID: Final = 2**53
"""Telegram's ids have at most 52 significant bits."""

# Telegram marks the same part of a text as a command: up to the first character that no name has.
_COMMAND: Final = re.compile(r"/(start|stop|status)(?:@[a-z0-9_]+)?(?!\w)", re.IGNORECASE)

_CONTENTS: Final = frozenset(
    [
        "text",
        "animation",
        "audio",
        "contact",
        "dice",
        "document",
        "game",
        "live_photo",
        "location",
        "paid_media",
        "photo",
        "poll",
        "sticker",
        "story",
        "venue",
        "video",
        "video_note",
        "voice",
    ]
)
"""The fields of a message that a person writes or chooses. A message without one reports a change of the chat."""


class CommandName(StrEnum):
    """The bot's commands."""

    START = "start"
    STOP = "stop"
    STATUS = "status"
    HELP = "help"
    """Everything else that a person sends."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command that was sent to the bot."""

    update_id: int
    chat_id: str
    name: CommandName
    argument: str
    """The first word behind the command; empty when there was none."""


class _Chat(BaseModel):
    model_config = ConfigDict(strict=True)

    id: Annotated[int, Field(gt=0, lt=_MAX_ID)]
    # In a group, every member would read the notices.
    type: Literal["private"]


class _Person(BaseModel):
    model_config = ConfigDict(strict=True)

    # Two bots that answer each other would never stop.
    is_bot: Literal[False] = False


class _Message(BaseModel):
    model_config = ConfigDict(strict=True)

    chat: _Chat
    sender: _Person = Field(_Person(), alias="from")
    text: Annotated[str, Field(max_length=4096)] = ""


class _Update(BaseModel):
    model_config = ConfigDict(strict=True)

    update_id: Annotated[int, Field(ge=0, lt=_MAX_ID)]
    message: _Message


def read_command(update: Any) -> Command | None:
    """Return the command in an update, HELP for a message that has none, or None for any other update."""
    try:
        found = _Update.model_validate(update)
    except ValidationError:
        return None
    if _CONTENTS.isdisjoint(update["message"]):
        return None
    text = found.message.text.strip()
    command = _COMMAND.match(text)
    words = text[command.end() :].split() if command is not None else []
    return Command(
        update_id=found.update_id,
        chat_id=str(found.message.chat.id),
        name=CommandName(command[1].casefold()) if command is not None else CommandName.HELP,
        argument=words[0] if words else "",
    )
