"""Applies each command to the bot once, and queues the answer. Knows no HTTP.

The result of an update is saved in the transaction that applies it. An update that is delivered again changes nothing,
and its answer is queued again until it has been sent.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final, assert_never

from pynamodb.transactions import TransactWrite

from functions.telegram_webhook.schemas import Command, CommandName
from shared.clock import utc_now
from shared.errors import RecordChanged
from shared.models.base import transact
from shared.models.idempotency_key import IdempotencyKey
from shared.models.user import User
from shared.notifications.notice_types import Reply, TelegramLinked, TelegramReply, TelegramUnlinked, UnlinkCause
from shared.notifications.notices import notify
from shared.notifications.recipients import to_chat, to_user
from shared.notifications.telegram_link import LinkRefused, read_link
from shared.observability import count_outcome, logger

_MAX_USERS: Final = 50
"""Users of one chat that one `/stop` unlinks: a transaction's size is limited."""

Writes = Callable[[TransactWrite], None]


@dataclass(frozen=True, slots=True)
class CommandResult:
    """The result of a command; saved as JSON, so its fields are never renamed."""

    reply: Reply | None
    """The bot's answer in the chat; None when the user gets a notice instead (TelegramLinked)."""
    linked: str | None = None
    unlinked: tuple[str, ...] = ()

    def to_json(self) -> str:
        """Return the result as JSON text."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> CommandResult:
        """Return the result that `to_json` wrote."""
        saved = json.loads(text)
        reply = Reply(saved["reply"]) if saved["reply"] is not None else None
        return cls(reply=reply, linked=saved["linked"], unlinked=tuple(saved["unlinked"]))


def handle_command(command: Command) -> None:
    """Apply the command, unless this update was applied before, and queue the answer."""
    at = utc_now()
    key = f"telegram-update#{command.update_id}"
    known = IdempotencyKey.find_valid(key, at=at)
    result = CommandResult.from_json(known.response) if known is not None else _apply_once(command, key, at=at)
    _queue_notices(command, result, at=at)


def _apply_once(command: Command, key: str, *, at: datetime) -> CommandResult:
    result, writes = _prepare(command, at=at)
    try:
        return _save(command, key, result, writes, at=at)
    except RecordChanged:
        # Another request changed the same record first: for this update, the link or the user.
        known = IdempotencyKey.find_valid(key, at=at)
        if known is not None:
            return CommandResult.from_json(known.response)
    result, writes = _prepare(command, at=at)
    return _save(command, key, result, writes, at=at)


def _save(command: Command, key: str, result: CommandResult, writes: Writes, *, at: datetime) -> CommandResult:
    content = hashlib.sha256(f"{command.chat_id}\n{command.name}\n{command.argument}".encode()).hexdigest()
    claim = IdempotencyKey.claim(key, content=content, response=result.to_json(), at=at)

    def write(transaction: TransactWrite) -> None:
        claim(transaction)
        writes(transaction)

    transact(write)
    logger.info("telegram_command_done", command=command.name.value, reply=result.reply, user_id=result.linked)
    count_outcome(f"telegram_{command.name.value}")
    return result


def _prepare(command: Command, *, at: datetime) -> tuple[CommandResult, Writes]:
    """Return the command's result for the records as they are now, and the writes that apply it."""
    match command.name:
        case CommandName.START if command.argument:
            return _prepare_link(command, at=at)
        case CommandName.START:
            return CommandResult(Reply.WELCOME), _no_writes
        case CommandName.STOP:
            return _prepare_stop(command.chat_id, at=at)
        case CommandName.STATUS:
            return CommandResult(_status(command.chat_id)), _no_writes
        case CommandName.HELP:
            return CommandResult(Reply.HELP), _no_writes
        case _:
            assert_never(command.name)


def _prepare_link(command: Command, *, at: datetime) -> tuple[CommandResult, Writes]:
    try:
        link = read_link(command.argument)
    except LinkRefused as refused:
        logger.warning("telegram_link_refused", why=str(refused))
        count_outcome("telegram_link_refused")
        return CommandResult(Reply.LINK_REFUSED), _no_writes
    user = User.find(link.user_id)
    if user is None or user.closed_at is not None:
        return CommandResult(Reply.LINK_REFUSED), _no_writes

    def writes(transaction: TransactWrite) -> None:
        link.use(transaction, at=at)
        transaction.update(
            User(link.user_id),
            actions=[User.telegram_chat_id.set(command.chat_id), User.updated_at.set(at)],
            condition=User.id.exists() & User.closed_at.does_not_exist(),
        )

    return CommandResult(None, linked=link.user_id), writes


def _prepare_stop(chat_id: str, *, at: datetime) -> tuple[CommandResult, Writes]:
    users = User.of_chat(chat_id)[:_MAX_USERS]
    if not users:
        return CommandResult(Reply.NOT_LINKED), _no_writes

    def writes(transaction: TransactWrite) -> None:
        for user in users:
            transaction.update(
                User(user.id),
                actions=[User.telegram_chat_id.remove(), User.updated_at.set(at)],
                condition=User.telegram_chat_id == chat_id,
            )

    return CommandResult(Reply.STOPPED, unlinked=tuple(user.id for user in users)), writes


def _status(chat_id: str) -> Reply:
    users = User.of_chat(chat_id)
    if not users:
        return Reply.NOT_LINKED
    trading = all(user.active and not user.plan_lapsed for user in users)
    return Reply.STATUS_LINKED if trading else Reply.STATUS_PAUSED


def _no_writes(_: TransactWrite) -> None:
    """Write nothing beside the record that every update writes."""


def _queue_notices(command: Command, result: CommandResult, *, at: datetime) -> None:
    cause = f"telegram update {command.update_id}"
    if result.linked is not None:
        notify(TelegramLinked(at=at), to=to_user(result.linked), cause=cause, at=at)
    for user_id in result.unlinked:
        notify(TelegramUnlinked(why=UnlinkCause.STOPPED), to=to_user(user_id), cause=cause, at=at)
    if result.reply is not None:
        notify(TelegramReply(reply=result.reply), to=to_chat(command.chat_id), cause=cause, at=at)
