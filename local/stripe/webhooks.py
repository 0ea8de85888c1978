"""Sends the stand-in's events as Stripe does: signed, as JSON, over HTTP. Creates no event, and tries once.

A test may ask for another secret, an old signature, repeated deliveries, or a signature of its own.
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
_MAX_STORED: Final = 1000

Event = dict[str, Any]


def sign(body: bytes, *, secret: str = WEBHOOK_SECRET, at: int | None = None) -> str:
    """Return the header `Stripe-Signature` for a body, as of Unix time `at` or now."""
    moment = int(time.time()) if at is None else at
    mac = hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256)
    return f"t={moment},v1={mac.hexdigest()},v0={'0' * 64}"


@dataclass(slots=True)
class Webhooks:
    """The endpoint that events are sent to, and the deliveries."""

    url: str
    events: dict[str, Event] = field(default_factory=dict)
    deliveries: list[dict[str, Any]] = field(default_factory=list)

    def store(self, event: Event) -> Event:
        """Store an event, so that it can be sent again."""
        self.events[event["id"]] = event
        return event

    async def send(self, event: Event, options: dict[str, Any]) -> list[dict[str, Any]]:
        """Deliver an event, and return each delivery with its answer.

        `options`: the `secret` to sign with, `ageSeconds` of the signature, `times`, or a given `signature` (null for
        none).
        """
        body = json.dumps(event, indent=2).encode()
        signature = (
            options["signature"]
            if "signature" in options
            else sign(
                body,
                secret=options.get("secret", WEBHOOK_SECRET),
                at=int(time.time()) - int(options.get("ageSeconds", 0)),
            )
        )
        made = []
        async with ClientSession(timeout=_TIMEOUT) as session:
            for _ in range(int(options.get("times", 1))):
                status, answer = await self._post(session, body, signature)
                made.append({"event": event["id"], "type": event["type"], "status": status, "answer": answer})
        self.deliveries = [*self.deliveries, *made][-_MAX_STORED:]
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
