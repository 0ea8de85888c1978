"""Sends the stand-in's events as Stripe sends them: signed, as JSON, over HTTP. Makes no event, and tries once.

A test says what else may happen on the way: another secret, an old signature, the same event again, a changed body.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import ClientError, ClientSession, ClientTimeout

from local.stripe import WEBHOOK_SECRET

_TIMEOUT: Final = ClientTimeout(total=20)
_MOST_KEPT: Final = 1000

Event = dict[str, Any]


def sign(body: bytes, *, secret: str = WEBHOOK_SECRET, at: int | None = None) -> str:
    """Return the header `Stripe-Signature` for a body, as of a Unix time or of now."""
    moment = int(time.time()) if at is None else at
    mac = hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256)
    return f"t={moment},v1={mac.hexdigest()},v0={'0' * 64}"


@dataclass(slots=True)
class Webhooks:
    """The one endpoint that events go to, and what was delivered there."""

    url: str
    events: dict[str, Event] = field(default_factory=dict)
    deliveries: list[dict[str, Any]] = field(default_factory=list)

    def keep(self, event: Event) -> Event:
        """Keep an event, so that it can be sent, once or several times."""
        self.events[event["id"]] = event
        return event

    async def send(self, event: Event, how: dict[str, Any]) -> list[dict[str, Any]]:
        """Deliver an event, and return what was answered each time.

        `how`: `secret` to sign with, `ageSeconds` of the signature, `times`, or a `signature` of the caller's own
        (null for none).
        """
        body = json.dumps(event, indent=2).encode()
        signature = (
            how["signature"]
            if "signature" in how
            else sign(
                body, secret=how.get("secret", WEBHOOK_SECRET), at=int(time.time()) - int(how.get("ageSeconds", 0))
            )
        )
        made = []
        async with ClientSession(timeout=_TIMEOUT) as session:
            for _ in range(int(how.get("times", 1))):
                status, answer = await self._post(session, body, signature)
                made.append({"event": event["id"], "type": event["type"], "status": status, "answer": answer})
        self.deliveries = [*self.deliveries, *made][-_MOST_KEPT:]
        return made

    async def _post(self, session: ClientSession, body: bytes, signature: str | None) -> tuple[int, str]:
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
        }
        if signature is not None:
            headers["Stripe-Signature"] = signature
        try:
            async with session.post(self.url, data=body, headers=headers, allow_redirects=False) as answer:
                return answer.status, await answer.text()
        except (ClientError, TimeoutError) as error:
            return 0, type(error).__name__
