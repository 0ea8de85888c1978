"""The actions of an operator and of a person: set the bot's webhook, write to it. Uses the stand-in only."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

from local.telegram import BOT_NAME, BOT_TOKEN, WEBHOOK_SECRET

_TIMEOUT_S = 120


def set_webhook(base: str, url: str) -> None:
    """Set the webhook that receives updates, as an operator does at Telegram."""
    wanted = {"url": url, "secret_token": WEBHOOK_SECRET, "allowed_updates": ["message"]}
    post(f"{base}/bot{BOT_TOKEN}/setWebhook", wanted)


def write(base: str, chat_id: str, text: str, **more: Any) -> int | None:
    """Write to the bot as a person, and return the status of its webhook; None for an update that it does not get.

    `more` are the options of the stand-in: `content`, `kind`, `bot`.
    """
    status: int | None = post(f"{base}/stand-in/updates", {"chatId": chat_id, "text": text, **more})["status"]
    return status


def open_link(base: str, chat_id: str, link: str) -> int | None:
    """Open a link to the bot in a chat, and return the status of its webhook."""
    name, _, token = link.rpartition("/")[2].partition("?start=")
    if name != BOT_NAME:
        raise ValueError(f"a link to {name}, not to {BOT_NAME}")
    return write(base, chat_id, f"/start {token}")


def messages(base: str, chat_id: str) -> list[dict[str, Any]]:
    """Return the bot's messages in a chat, oldest first."""
    with urllib.request.urlopen(f"{base}/stand-in/messages?chatId={chat_id}", timeout=_TIMEOUT_S) as answer:  # noqa: S310 - our own server
        found: list[dict[str, Any]] = json.load(answer)
    return found


def post(url: str, body: Any) -> Any:
    """Send JSON to the stand-in and return its answer."""
    request = urllib.request.Request(url, data=json.dumps(body).encode(), headers={"Content-Type": "application/json"})  # noqa: S310 - our own server
    with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310
        text = answer.read()
    return json.loads(text) if text else None
