"""Stripe's stand-in, the webhook that its events go to, and the recorder."""

from __future__ import annotations

import json
import urllib.request
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from stripe import StripeClient

from functions.subscription_recorder import app as recorder
from local.stripe import API_KEY
from shared.models.plan import Plan
from shared.models.user import User
from tests.integration.embedded_aws import EmbeddedAws, sqs_client
from tests.lambda_context import FakeContext
from tests.unit import records


@dataclass(frozen=True, slots=True)
class Billing:
    """Stripe, and the effect of its events here."""

    stand_in_url: str
    aws: EmbeddedAws

    def stripe(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        """Use the stand-in's control interface."""
        request = urllib.request.Request(  # noqa: S310 - our own server
            f"{self.stand_in_url}/stand-in/{path}", data=json.dumps(body or {}).encode(), method=method
        )
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            found: dict[str, Any] = json.loads(answer.read() or "{}")
        return found

    def subscribe(self, user_id: str, price_id: str, **wanted: Any) -> dict[str, Any]:
        """Subscribe a user's new customer, and return the event and what was answered to it."""
        body = {"price": price_id, "metadata": {"user_id": user_id}, **wanted}
        return self.stripe("POST", "subscriptions", body)

    def fail_next(self, *, times: int) -> None:
        """Make Stripe's next answers fail."""
        self.stripe("POST", "failures", {"status": 500, "times": times})

    def delete_customer(self, customer_id: str) -> None:
        """Delete a customer, as an admin may on Stripe's dashboard."""
        StripeClient(API_KEY, base_addresses={"api": self.stand_in_url}).v1.customers.delete(customer_id)

    def queued(self) -> list[dict[str, Any]]:
        """Take what waits in the queue, as Lambda would hand it over."""
        sqs = sqs_client(self.aws.url)
        taken = []
        url = self.aws.stripe_events
        while found := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, AttributeNames=["All"]).get(
            "Messages"
        ):
            for message in found:
                taken.append(
                    {"messageId": message["MessageId"], "body": message["Body"], "attributes": message["Attributes"]}
                )
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return taken

    def record(self) -> list[dict[str, str]]:
        """Let the recorder work off the queue, and return what failed."""
        return record(self.queued())


def record(records: list[dict[str, Any]]) -> list[dict[str, str]]:
    """Hand a batch to the recorder, and return what failed."""
    answer = recorder.lambda_handler({"Records": records}, FakeContext())
    failures: list[dict[str, str]] = answer["batchItemFailures"]
    return failures


def a_plan(name: str, price_id: str) -> Plan:
    return records.a_plan(str(uuid4()), name=name, stripe_price_id=price_id)


def a_user(plan: Plan) -> str:
    return records.a_user(str(uuid4()), plan_id=plan.id).id


def plan_state(user_id: str) -> tuple[str | None, bool]:
    """Return a user's plan, and whether it has lapsed."""
    user = User.find(user_id)
    assert user is not None
    return user.plan_id, user.plan_lapsed
