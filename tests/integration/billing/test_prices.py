"""The client of Stripe: its requests, and its errors as ours."""

from __future__ import annotations

import io
import subprocess
import sys
from decimal import Decimal
from uuid import uuid4

import pytest
from botocore.exceptions import EndpointConnectionError

from shared.billing import client, prices
from shared.errors import ServiceUnavailable
from shared.observability import logger
from tests.environment import environment
from tests.integration.billing.stand_in import StandIn


def make(plan_id: str, *, name: str = "GOLD", usd: str = "19.99") -> str:
    return prices.create_monthly_price(plan_id=plan_id, name=name, monthly_price_usd=Decimal(usd))


def test_price_and_product_are_made_in_one_request_in_exact_cents(stand_in: StandIn) -> None:
    plan_id = str(uuid4())
    price_id = make(plan_id)
    (request,) = stand_in.requests()
    assert (request["method"], request["path"], request["status"]) == ("POST", "/v1/prices", 200)
    assert request["form"] == {
        "currency": "usd",
        "unit_amount": "1999",
        "recurring": {"interval": "month"},
        "product_data": {"name": "GOLD", "metadata": {"subscription_id": plan_id}},
        "metadata": {"subscription_id": plan_id},
    }
    assert prices.price_exists(price_id)


def test_repeat_for_the_same_plan_gets_the_same_price(stand_in: StandIn) -> None:
    plan_id = str(uuid4())
    assert make(plan_id) == make(plan_id, usd="19.990")
    assert len({make(plan_id, usd="20"), make(plan_id, name="Gold"), make(str(uuid4())), make(plan_id)}) == 4


def test_request_is_repeated_after_a_lost_answer_and_creates_nothing_twice(stand_in: StandIn) -> None:
    stand_in.fail_next(times=1, after=True)
    make(str(uuid4()))
    assert [request["replayed"] for request in stand_in.requests()] == [False, True]


@pytest.mark.parametrize("price_id", ["price_1L4StTJfOKOw6aMrej5IgRJCx", "x?y#z"])
def test_unknown_price_does_not_exist(stand_in: StandIn, price_id: str) -> None:
    assert not prices.price_exists(price_id)


def test_known_price_exists(stand_in: StandIn) -> None:
    assert prices.price_exists("price_1LmHQlEaYDRKzLl0XIs6QIbc")


@pytest.mark.parametrize("status", [400, 401, 403, 409, 429, 500, 503])
def test_error_of_stripe_is_service_unavailable(stand_in: StandIn, status: int) -> None:
    stand_in.fail_next(times=2, status=status)
    with pytest.raises(ServiceUnavailable, match="Stripe cannot be reached"):
        make(str(uuid4()))


def test_unreachable_server_is_service_unavailable(stand_in: StandIn) -> None:
    with environment(STRIPE_API_BASE="http://127.0.0.1:9"), pytest.raises(ServiceUnavailable):
        prices.price_exists("price_1LmHQlEaYDRKzLl0XIs6QIbc")


def test_wrong_key_is_service_unavailable_and_never_logged(stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(logger.registered_handler, "stream", stream)
    monkeypatch.setattr(client, "read_parameter", lambda _: "sk_of_somebody_else")
    with pytest.raises(ServiceUnavailable):
        prices.price_exists("price_1LmHQlEaYDRKzLl0XIs6QIbc")
    assert "AuthenticationError" in stream.getvalue()
    assert "sk_of" not in stream.getvalue()


def test_key_that_cannot_be_read_is_service_unavailable(stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreadable(name: str) -> str:
        raise EndpointConnectionError(endpoint_url="https://ssm")

    monkeypatch.setattr(client, "read_parameter", unreadable)
    with pytest.raises(ServiceUnavailable):
        make(str(uuid4()))


def test_price_with_a_fraction_of_a_cent_is_refused(stand_in: StandIn) -> None:
    with pytest.raises(ValueError, match="whole cents"):
        make(str(uuid4()), usd="1.005")


def test_lists_of_plans_do_not_load_the_library() -> None:
    code = "import sys, functions.admin_subscription.app; sys.exit('stripe' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
