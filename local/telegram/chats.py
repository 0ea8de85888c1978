"""Checks and stores the bot's messages by Telegram's rules: blocked chats, limits, lengths. Knows no HTTP."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import count
from typing import Any, Final

from local.telegram.markup import MarkupRefused, read_html

LONGEST: Final = 4096
PER_SECOND: Final = 30
CHAT_PAUSE_S: Final = 0.9
"""Just below Telegram's one message a second for a chat, to allow for the time of a request."""

_MAX_STORED: Final = 1000


class Refused(Exception):
    """An error answer of Telegram's."""

    def __init__(self, status: int, description: str, *, retry_after_s: int | None = None) -> None:
        super().__init__(description)
        self.status = status
        self.description = description
        self.retry_after_s = retry_after_s


@dataclass
class Chats:
    """The bot's chats."""

    messages: list[dict[str, Any]] = field(default_factory=list)
    blocked: set[str] = field(default_factory=set)
    _numbers: count[int] = field(default_factory=lambda: count(1))
    _sent_in_last_second: deque[float] = field(default_factory=deque)
    _last_sent: dict[str, float] = field(default_factory=dict)

    def send(self, form: dict[str, Any]) -> dict[str, Any]:
        """Store a message and return it as Telegram does; raise Refused."""
        chat_id, text = str(form.get("chat_id") or ""), str(form.get("text") or "")
        if not chat_id.lstrip("-").isdigit():
            raise Refused(HTTPStatus.BAD_REQUEST, "Bad Request: chat not found")
        if chat_id in self.blocked:
            raise Refused(HTTPStatus.FORBIDDEN, "Forbidden: bot was blocked by the user")
        shown = _shown(text, form.get("parse_mode"))
        self._check_limits(chat_id)
        message = {
            "message_id": next(self._numbers),
            "date": int(time.time()),
            "chat": {"id": int(chat_id), "type": "private"},
            "text": shown,
        }
        stored = {**message, "chatId": chat_id, "sent": text, "atMs": int(time.time() * 1000)}
        self.messages = [*self.messages[1 - _MAX_STORED :], stored]
        return message

    def _check_limits(self, chat_id: str) -> None:
        now = time.monotonic()
        while self._sent_in_last_second and self._sent_in_last_second[0] <= now - 1:
            self._sent_in_last_second.popleft()
        too_soon = now - self._last_sent.get(chat_id, now - 1) < CHAT_PAUSE_S
        if too_soon or len(self._sent_in_last_second) >= PER_SECOND:
            raise Refused(HTTPStatus.TOO_MANY_REQUESTS, "Too Many Requests: retry after 1", retry_after_s=1)
        self._sent_in_last_second.append(now)
        self._last_sent[chat_id] = now


def _shown(text: str, parse_mode: object) -> str:
    try:
        shown = read_html(text) if parse_mode == "HTML" else text
    except MarkupRefused as refused:
        raise Refused(HTTPStatus.BAD_REQUEST, f"Bad Request: {refused}") from refused
    if not shown.strip():
        raise Refused(HTTPStatus.BAD_REQUEST, "Bad Request: message text is empty")
    if len(shown) > LONGEST:
        raise Refused(HTTPStatus.BAD_REQUEST, "Bad Request: message is too long")
    return shown
