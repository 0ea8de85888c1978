"""Does what somebody asked of the bot, once for each update, and lets the answer be sent. Knows no HTTP.

What an update did is kept in the write that did it. Delivered again, it does nothing and has the same answer, which is
queued again while it has not been sent.
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
from shared.notifications.kinds import Reply, TelegramLinked, TelegramReply, TelegramUnlinked, UnlinkCause
from shared.notifications.notices import notify
from shared.notifications.recipients import to_chat, to_user
from shared.notifications.telegram_link import LinkRefused, read_link
from shared.observability import count_outcome, logger

_MOST_USERS: Final = 50
"""Users of one chat that one `/stop` unlinks: a transaction's size is limited."""

Writes = Callable[[TransactWrite], None]


@dataclass(frozen=True, slots=True)
class Done:
    """What an update came to."""

    reply: Reply | None
    """What the chat is told; None when the user is told more (TelegramLinked)."""
    linked: str | None = None
    unlinked: tuple[str, ...] = ()

    def to_json(self) -> str:
        """Return it as it is kept."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Done:
        """Return what was kept."""
        kept = json.loads(text)
        reply = Reply(kept["reply"]) if kept["reply"] is not None else None
        return cls(reply=reply, linked=kept["linked"], unlinked=tuple(kept["unlinked"]))


def obey(command: Command) -> None:
    """Do what was asked, unless it was done before, and queue the answer."""
    at = utc_now()
    key = f"telegram-update#{command.update_id}"
    known = IdempotencyKey.find_valid(key, at=at)
    done = Done.from_json(known.response) if known is not None else _do_once(command, key, at=at)
    _tell(command, done, at=at)


def _do_once(command: Command, key: str, *, at: datetime) -> Done:
    done, writes = _plan(command, at=at)
    try:
        return _keep(command, key, done, writes, at=at)
    except RecordChanged:
        # Somebody was faster: with this very update, with the link, or with the user's record.
        known = IdempotencyKey.find_valid(key, at=at)
        if known is not None:
            return Done.from_json(known.response)
    done, writes = _plan(command, at=at)
    return _keep(command, key, done, writes, at=at)


def _keep(command: Command, key: str, done: Done, writes: Writes, *, at: datetime) -> Done:
    content = hashlib.sha256(f"{command.chat_id}\n{command.name}\n{command.argument}".encode()).hexdigest()
    claim = IdempotencyKey.claim(key, content=content, response=done.to_json(), at=at)

    def write(transaction: TransactWrite) -> None:
        claim(transaction)
        writes(transaction)

    transact(write)
    logger.info("telegram_command_done", command=command.name.value, reply=done.reply, user_id=done.linked)
    count_outcome(f"telegram_{command.name.value}")
    return done


def _plan(command: Command, *, at: datetime) -> tuple[Done, Writes]:
    """Return what the command comes to as things stand, and the writes that make it so."""
    match command.name:
        case CommandName.START if command.argument:
            return _plan_link(command, at=at)
        case CommandName.START:
            return Done(Reply.WELCOME), _nothing
        case CommandName.STOP:
            return _plan_stop(command.chat_id, at=at)
        case CommandName.STATUS:
            return Done(_status(command.chat_id)), _nothing
        case _:
            assert_never(command.name)


def _plan_link(command: Command, *, at: datetime) -> tuple[Done, Writes]:
    try:
        link = read_link(command.argument)
    except LinkRefused as refused:
        logger.warning("telegram_link_refused", why=str(refused))
        count_outcome("telegram_link_refused")
        return Done(Reply.LINK_REFUSED), _nothing
    if User.find(link.user_id) is None:
        return Done(Reply.LINK_REFUSED), _nothing

    def writes(transaction: TransactWrite) -> None:
        link.use(transaction, at=at)
        transaction.update(
            User(link.user_id),
            actions=[User.telegram_chat_id.set(command.chat_id), User.updated_at.set(at)],
            condition=User.id.exists(),
        )

    return Done(None, linked=link.user_id), writes


def _plan_stop(chat_id: str, *, at: datetime) -> tuple[Done, Writes]:
    users = User.of_chat(chat_id)[:_MOST_USERS]
    if not users:
        return Done(Reply.NOT_LINKED), _nothing

    def writes(transaction: TransactWrite) -> None:
        for user in users:
            transaction.update(
                User(user.id),
                actions=[User.telegram_chat_id.remove(), User.updated_at.set(at)],
                condition=User.telegram_chat_id == chat_id,
            )

    return Done(Reply.STOPPED, unlinked=tuple(user.id for user in users)), writes


def _status(chat_id: str) -> Reply:
    users = User.of_chat(chat_id)
    if not users:
        return Reply.NOT_LINKED
    trading = all(user.active and not user.plan_lapsed for user in users)
    return Reply.STATUS_LINKED if trading else Reply.STATUS_PAUSED


def _nothing(_: TransactWrite) -> None:
    """Write nothing but what every update writes."""


def _tell(command: Command, done: Done, *, at: datetime) -> None:
    cause = f"telegram update {command.update_id}"
    if done.linked is not None:
        notify(TelegramLinked(at=at), to=to_user(done.linked), cause=cause, at=at)
    for user_id in done.unlinked:
        notify(TelegramUnlinked(why=UnlinkCause.STOPPED), to=to_user(user_id), cause=cause, at=at)
    if done.reply is not None:
        notify(TelegramReply(reply=done.reply), to=to_chat(command.chat_id), cause=cause, at=at)
