"""The updates of Telegram that the bot reads: a text in a private chat. Every other update is ignored."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

_MAX_ID: Final = 2**53
"""Telegram's ids have at most 52 significant bits."""

_COMMAND: Final = re.compile(r"/(start|stop|status)(?:@\w{1,64})?(?:\s+(\S{1,128}))?\s*")


class CommandName(StrEnum):
    """The bot's commands."""

    START = "start"
    STOP = "stop"
    STATUS = "status"


@dataclass(frozen=True, slots=True)
class Command:
    """A command that was sent to the bot."""

    update_id: int
    chat_id: str
    name: CommandName
    argument: str
    """Empty when there was none."""


class _Chat(BaseModel):
    model_config = ConfigDict(strict=True)

    id: Annotated[int, Field(gt=0, lt=_MAX_ID)]
    # In a group, every member would read the notices.
    type: Literal["private"]


class _Message(BaseModel):
    model_config = ConfigDict(strict=True)

    chat: _Chat
    text: Annotated[str, Field(max_length=4096)]


class _Update(BaseModel):
    model_config = ConfigDict(strict=True)

    update_id: Annotated[int, Field(ge=0, lt=_MAX_ID)]
    message: _Message


def read_command(update: Any) -> Command | None:
    """Return the command in an update, or None when there is none that the bot knows."""
    try:
        found = _Update.model_validate(update)
    except ValidationError:
        return None
    command = _COMMAND.fullmatch(found.message.text)
    if command is None:
        return None
    return Command(
        update_id=found.update_id,
        chat_id=str(found.message.chat.id),
        name=CommandName(command[1]),
        argument=command[2] or "",
    )
