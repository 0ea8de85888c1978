"""What an operator and a person do with the bot: set its webhook, link a chat. Talks to the stand-in only."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

from local.telegram import BOT_NAME, BOT_TOKEN, WEBHOOK_SECRET

_TIMEOUT_S = 120


def set_webhook(base: str, url: str) -> None:
    """Tell the stand-in where updates go, as an operator tells Telegram."""
    post(f"{base}/bot{BOT_TOKEN}/setWebhook", {"url": url, "secret_token": WEBHOOK_SECRET})


def write(base: str, chat_id: str, text: str) -> int:
    """Write to the bot as a person does, and return how its webhook answered."""
    status: int = post(f"{base}/stand-in/updates", {"chatId": chat_id, "text": text})["status"]
    return status


def open_link(base: str, chat_id: str, link: str) -> int:
    """Open a link to the bot in a chat, and return how its webhook answered."""
    name, _, token = link.rpartition("/")[2].partition("?start=")
    if name != BOT_NAME:
        raise ValueError(f"a link to {name}, not to {BOT_NAME}")
    return write(base, chat_id, f"/start {token}")


def messages(base: str, chat_id: str) -> list[dict[str, Any]]:
    """Return what the bot wrote in a chat, oldest first."""
    with urllib.request.urlopen(f"{base}/stand-in/messages?chatId={chat_id}", timeout=_TIMEOUT_S) as answer:  # noqa: S310 - our own server
        found: list[dict[str, Any]] = json.load(answer)
    return found


def post(url: str, body: Any) -> Any:
    """Send JSON to the stand-in and return what it answered."""
    request = urllib.request.Request(url, data=json.dumps(body).encode(), headers={"Content-Type": "application/json"})  # noqa: S310 - our own server
    with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310
        text = answer.read()
    return json.loads(text) if text else None
