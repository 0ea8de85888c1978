"""The stand-in for Telegram, and the letters that the embedded AWS has taken."""

from __future__ import annotations

import json
import urllib.request
from dataclasses import dataclass
from typing import Any

from local.telegram.bot import messages, post


@dataclass(frozen=True, slots=True)
class StandIn:
    """The running stand-in, and a chat that no other test writes to."""

    url: str
    chat_id: str

    def received(self) -> list[dict[str, Any]]:
        """Return what came to the chat."""
        return messages(self.url, self.chat_id)

    def fail_next(self, **failure: Any) -> None:
        """Make the chat's next messages fail."""
        post(f"{self.url}/stand-in/failures", {"chatId": self.chat_id, **failure})

    def block(self) -> None:
        """Block the bot."""
        post(f"{self.url}/stand-in/blocked", {"chatId": self.chat_id})


@dataclass(frozen=True, slots=True)
class Letters:
    """What SES has sent."""

    url: str

    def to(self, address: str) -> list[dict[str, Any]]:
        """Return the letters to an address."""
        with urllib.request.urlopen(f"{self.url}/_ministack/ses/messages", timeout=10) as answer:  # noqa: S310
            found = json.load(answer)
        return [one for account in found["messages"].values() for one in account if address in one["To"]]
