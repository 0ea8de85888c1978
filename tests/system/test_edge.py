"""The deployed webhooks behind what stands for CloudFront: direct calls are refused, whatever they claim."""

from __future__ import annotations

from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest

from local.stack.deploy import STRIPE_WEBHOOK_PATH, TELEGRAM_WEBHOOK_PATH, UNSUBSCRIBE_PATH, client, parameter_name
from local.stack.edge import EDGE_SECRET
from tests.system.stack_client import Stack, wait_for

ALERTS = "/v1/webhook/strategy"
KNOWN = ("CloudFront-Viewer-Address", "127.0.0.1:40000")
SECRET = ("X-Edge-Secret", EDGE_SECRET)
FORGED = [("CloudFront-Viewer-Address", "203.0.113.9:40000"), ("X-Edge-Secret", "x" * 43)]


def post(address: str, *headers: tuple[str, str]) -> int:
    """Return the status of a body that is no alert, update or event; headers are sent as often as they are named."""
    parts = urlsplit(address)
    connection = HTTPConnection(parts.netloc, timeout=30)
    try:
        connection.putrequest("POST", parts.path)
        connection.putheader("Content-Length", "2")
        for name, value in headers:
            connection.putheader(name, value)
        connection.endheaders(b"{}")
        return connection.getresponse().status
    finally:
        connection.close()


def direct(stack: Stack, path: str = ALERTS) -> str:
    """Return a Function URL's own address."""
    deployed = stack.running.deployed
    base = {ALERTS: deployed.webhook_base, **deployed.bases_beside_webhook}[path]
    return f"{stack.running.places.aws_url}{base}{path}"


@pytest.mark.parametrize("path", [ALERTS, STRIPE_WEBHOOK_PATH, TELEGRAM_WEBHOOK_PATH, UNSUBSCRIBE_PATH])
def test_direct_call_is_refused_and_the_way_through_the_edge_is_open(stack: Stack, path: str) -> None:
    assert post(direct(stack, path), KNOWN) == 403
    assert post(direct(stack, path), KNOWN, ("X-Edge-Secret", "x" * 43)) == 403
    assert post(direct(stack, path), KNOWN, SECRET) in {400, 401, 422}
    assert post(stack.session["webhook"] + path) in {400, 401, 422}


def test_header_that_is_sent_twice_is_refused(stack: Stack) -> None:
    assert post(direct(stack), KNOWN, SECRET, SECRET) == 403
    assert post(direct(stack), KNOWN, KNOWN, SECRET) == 403


def test_alert_from_an_unknown_address_is_refused(stack: Stack) -> None:
    for address in ("203.0.113.9:40000", "2001:db8::1:40000", ""):
        assert post(direct(stack), SECRET, ("CloudFront-Viewer-Address", address)) == 403
    assert post(direct(stack), SECRET) == 403


def test_what_a_sender_claims_is_overwritten_on_the_way(stack: Stack) -> None:
    assert post(stack.session["webhook"] + ALERTS, *FORGED) == 422


def test_new_secret_is_accepted_beside_the_one_before(stack: Stack) -> None:
    ssm, name = client("ssm", stack.running.places), parameter_name("edge-secret")
    new = "n" * 43
    ssm.put_parameter(Name=name, Type="SecureString", Value=f"{new} {EDGE_SECRET}", Overwrite=True)
    try:
        # The parameter is read again for a secret that is not known, after five seconds at the latest.
        address, header = direct(stack), ("X-Edge-Secret", new)
        wait_for("the new secret is known", lambda: post(address, KNOWN, header) == 422, timeout_s=30)
        assert post(address, KNOWN, SECRET) == 422
    finally:
        ssm.put_parameter(Name=name, Type="SecureString", Value=EDGE_SECRET, Overwrite=True)
