"""The webhook of one test, its queue and its table, and Stripe's signature."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from functions.stripe_webhook.app import lambda_handler
from local.stripe.webhooks import sign
from shared.models.stripe_event import StripeEvent
from tests.lambda_context import FakeContext
from tests.unit.in_process_aws import Queues

SECRET = "whsec_of_this_test"
CUSTOMER = "cus_MmYKZgS50gQgsm"
"""The customer in the sample events."""
PARAMETER = "/unit/stripe-webhook-secret"


def sample(name: str) -> dict[str, Any]:
    """Return a sample request, signed with an unknown secret."""
    event: dict[str, Any] = json.loads((Path("events/stripe_webhook") / f"{name}.json").read_text())
    return event


def event_of(name: str) -> dict[str, Any]:
    """Return the event inside a sample request."""
    event: dict[str, Any] = json.loads(sample(name)["body"])
    return event


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Webhook:
    queues: Queues

    def invoke(self, request: dict[str, Any]) -> Answer:
        """Call the handler with a request as it is."""
        answer = lambda_handler(request, FakeContext())  # type: ignore[arg-type]
        return Answer(answer["statusCode"], json.loads(answer["body"]))

    def send(self, body: str | dict[str, Any], *, secret: str = SECRET, at: int | None = None) -> Answer:
        """Send a body, signed."""
        text = body if isinstance(body, str) else json.dumps(body)
        request = sample("subscription_created")
        raw = text.encode(errors="surrogatepass")
        request["headers"]["stripe-signature"] = sign(raw, secret=secret, at=at)
        return self.invoke(request | {"body": text})

    def queued(self) -> list[tuple[str, str, str]]:
        """Take what was queued: event, group, de-duplication id."""
        return [
            (
                json.loads(message["Body"])["event_id"],
                message["Attributes"]["MessageGroupId"],
                message["Attributes"]["MessageDeduplicationId"],
            )
            for message in self.queues.taken_from(self.queues.stripe_events)
        ]

    def stored(self) -> list[StripeEvent]:
        return list(StripeEvent.scan())

    def changed_nothing(self) -> bool:
        return not self.stored() and not self.queued()
