"""The webhook and the recorder on the embedded AWS, and the stand-in for Stripe, which sends its events to them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from functions.stripe_webhook import app as webhook
from local.stripe import API_KEY, WEBHOOK_SECRET
from tests.environment import environment
from tests.integration.embedded_aws import EmbeddedAws
from tests.integration.services import running_stand_in
from tests.integration.stripe.billing import Billing
from tests.lambda_context import FakeContext

ACCOUNT_PAGE = "http://127.0.0.1:9/account"


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
def billing(stripe_stand_in: str, aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch) -> Iterator[Billing]:
    """Return Stripe, with the queues of the test's AWS, and our client of it."""
    monkeypatch.setattr("shared.billing.client.read_parameter", lambda _: API_KEY)
    monkeypatch.setattr("functions.stripe_webhook.service.read_parameter", lambda _: WEBHOOK_SECRET)
    # A failed message is let go here: what it would do next is the worker's own business.
    monkeypatch.setattr("shared.worker.schedule_retries", lambda *_: None)
    with environment(
        STRIPE_API_BASE=stripe_stand_in, STRIPE_KEY_PARAMETER="/test/stripe-api-key", ACCOUNT_PAGE_URL=ACCOUNT_PAGE
    ):
        yield Billing(stripe_stand_in, aws)
