"""The webhook and the recorder on the embedded AWS, and the stand-in for Stripe, which sends its events to them."""

from __future__ import annotations

import json
import threading
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import uuid4

import pytest

from functions.stripe_webhook import app as webhook
from functions.subscription_recorder import app as recorder
from local.stripe import WEBHOOK_SECRET
from shared.models.plan import Plan
from shared.models.user import User
from tests.integration.conftest import EmbeddedAws, sqs_client
from tests.integration.services import running_stand_in
from tests.lambda_context import FakeContext
from tests.unit import records


class _Handler(BaseHTTPRequestHandler):
    """Turns HTTP requests into Function URL events."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        headers = {name.lower(): value for name, value in self.headers.items()}
        http = {"method": "POST", "path": self.path}
        event = {"rawPath": self.path, "headers": headers, "requestContext": {"http": http}, "body": body}
        answer = webhook.lambda_handler(event, FakeContext())  # type: ignore[arg-type]
        self.send_response(answer["statusCode"])
        self.end_headers()
        self.wfile.write(answer["body"].encode())

    def log_message(self, *_: Any) -> None:
        pass


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
            found: dict[str, Any] = json.load(answer)
        return found

    def subscribe(self, user_id: str, price_id: str, **wanted: Any) -> dict[str, Any]:
        """Subscribe a user's new customer, and return the event and what was answered to it."""
        body = {"price": price_id, "metadata": {"user_id": user_id}, **wanted}
        return self.stripe("POST", "subscriptions", body)

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


@pytest.fixture(scope="session")
def stripe_stand_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start the stand-in, and the webhook that its events go to; return the stand-in's address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    webhook_url = f"http://127.0.0.1:{server.server_port}/v1/webhook/stripe"
    directory = tmp_path_factory.mktemp("stripe")
    try:
        with running_stand_in(
            "local.stripe", "--webhook", webhook_url, probe="/stand-in/requests", directory=directory
        ) as url:
            yield url
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def billing(stripe_stand_in: str, aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch) -> Billing:
    """Return Stripe, with the queues of the test's AWS."""
    monkeypatch.setattr("functions.stripe_webhook.service.read_parameter", lambda _: WEBHOOK_SECRET)
    # A failed message is let go here: what it would do next is the worker's own business.
    monkeypatch.setattr("shared.worker.schedule_retries", lambda *_: None)
    return Billing(stripe_stand_in, aws)
