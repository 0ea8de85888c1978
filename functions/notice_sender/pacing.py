"""Limits how fast all workers together send to Telegram: per chat, and over all chats."""

from __future__ import annotations

import time
from typing import Final

from shared.clock import to_ms, utc_now
from shared.models.send_pace import SendPace

BOT: Final = "bot"

BOT_EVERY_MS: Final = 40
"""25 a second, where Telegram takes about 30."""

BOT_AHEAD_MS: Final = 500
"""The longest wait for the bot's turn, after the chat's turn."""

CHAT_EVERY_MS: Final = 1000 + BOT_AHEAD_MS
"""A chat's messages stay a second apart, however long each waits for the bot's turn."""

CHAT_AHEAD_MS: Final = 3000
"""The longest wait for a chat's turn in a worker; longer waits happen in the queue."""


def wait_for_turn(chat_id: str) -> float | None:
    """Wait for this message's turn and return None; return after how many seconds to try again if that is too long."""
    paused_s = SendPace.wait_s(BOT, now_ms=_now_ms())
    if paused_s * 1000 > BOT_AHEAD_MS:
        return paused_s
    return _wait(f"chat#{chat_id}", every_ms=CHAT_EVERY_MS, ahead_ms=CHAT_AHEAD_MS) or _wait(
        BOT, every_ms=BOT_EVERY_MS, ahead_ms=BOT_AHEAD_MS
    )


def pause_all(seconds: float) -> None:
    """Send no message for so long: Telegram does not say whether it limits the chat or the bot."""
    now_ms = _now_ms()
    SendPace.pause_until(BOT, until_ms=now_ms + int(seconds * 1000), now_ms=now_ms)


def _wait(key: str, *, every_ms: int, ahead_ms: int) -> float | None:
    turn_ms = SendPace.reserve(key, now_ms=_now_ms(), every_ms=every_ms, ahead_ms=ahead_ms)
    if turn_ms is None:
        return max(SendPace.wait_s(key, now_ms=_now_ms()), every_ms / 1000)
    time.sleep(max(turn_ms - _now_ms(), 0) / 1000)
    return None


def _now_ms() -> int:
    return to_ms(utc_now())
