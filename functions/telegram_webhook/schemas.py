"""What Telegram sends to the webhook, as far as the bot listens: a text in a private chat. Everything else is None."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

_MOST: Final = 2**53
"""Telegram's ids have at most 52 significant bits."""

_COMMAND: Final = re.compile(r"/(start|stop|status)(?:@\w{1,64})?(?:\s+(\S{1,128}))?\s*")


class CommandName(StrEnum):
    """What the bot can do."""

    START = "start"
    STOP = "stop"
    STATUS = "status"


@dataclass(frozen=True, slots=True)
class Command:
    """What somebody wants of the bot."""

    update_id: int
    chat_id: str
    name: CommandName
    argument: str
    """Empty when there was none."""


class _Chat(BaseModel):
    model_config = ConfigDict(strict=True)

    id: Annotated[int, Field(gt=0, lt=_MOST)]
    # In a group, whoever is in it would read the notices.
    type: Literal["private"]


class _Message(BaseModel):
    model_config = ConfigDict(strict=True)

    chat: _Chat
    text: Annotated[str, Field(max_length=4096)]


class _Update(BaseModel):
    model_config = ConfigDict(strict=True)

    update_id: Annotated[int, Field(ge=0, lt=_MOST)]
    message: _Message


def read_command(update: Any) -> Command | None:
    """Return what an update asks of the bot; None for one that asks nothing that it can do."""
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
