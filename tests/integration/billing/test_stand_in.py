"""The stand-in, driven by Stripe's own library call by call."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
import stripe

from local.stripe import API_KEY
from local.stripe.account import SEEDED_PRICES
from tests.integration.billing.stand_in import StandIn


def client(stand_in: StandIn, key: str = API_KEY) -> stripe.StripeClient:
    return stripe.StripeClient(key, base_addresses={"api": stand_in.url}, max_network_retries=0)


PRICE: dict[str, Any] = {"currency": "usd", "unit_amount": 50000, "recurring": {"interval": "month"}}


def test_product_and_price_are_made_and_found_again(stand_in: StandIn) -> None:
    api = client(stand_in).v1
    product = api.products.create({"name": "ENTERPRISE 500", "metadata": {"plan": "7"}})
    assert api.products.retrieve(product.id).name == "ENTERPRISE 500"
    assert product.metadata is not None
    assert product.metadata["plan"] == "7"
    price = api.prices.create({**PRICE, "product": product.id})  # type: ignore[typeddict-item]
    found = api.prices.retrieve(price.id)
    assert (found.unit_amount, found.currency, found.product, found.type) == (50000, "usd", product.id, "recurring")
    assert found.recurring is not None
    assert found.recurring.interval == "month"


def test_price_makes_its_product_in_the_same_request_and_shows_it_expanded(stand_in: StandIn) -> None:
    api = client(stand_in).v1
    price = api.prices.create({**PRICE, "product_data": {"name": "GOLD"}, "expand": ["product"]})  # type: ignore[typeddict-item]
    assert isinstance(price.product, stripe.Product)
    assert price.product.name == "GOLD"
    again = api.prices.retrieve(price.id, {"expand": ["product"]})
    assert isinstance(again.product, stripe.Product)
    assert again.product.id == price.product.id


@pytest.mark.parametrize("price_id", SEEDED_PRICES)
def test_documented_prices_are_there(stand_in: StandIn, price_id: str) -> None:
    assert client(stand_in).v1.prices.retrieve(price_id).unit_amount == SEEDED_PRICES[price_id][1]


def test_missing_resource_is_answered_as_stripe_does(stand_in: StandIn) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="No such price: 'price_none'") as caught:
        client(stand_in).v1.prices.retrieve("price_none")
    assert (caught.value.http_status, caught.value.code, caught.value.param) == (404, "resource_missing", "price")
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client(stand_in).v1.prices.create({**PRICE, "product": "prod_none"})  # type: ignore[typeddict-item]
    assert (caught.value.http_status, caught.value.code) == (404, "resource_missing")


@pytest.mark.parametrize("key", ["sk_wrong", "sk_local_stand_i"])
def test_wrong_key_is_refused(stand_in: StandIn, key: str) -> None:
    with pytest.raises(stripe.AuthenticationError) as caught:
        client(stand_in, key).v1.prices.retrieve("price_1LmHQlEaYDRKzLl0XIs6QIbc")
    assert caught.value.http_status == 401
    assert key not in str(stand_in.requests())


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ({"unit_amount": 1, "product_data": {"name": "X"}}, "currency"),
        ({"currency": "usd", "product_data": {"name": "X"}}, "unit_amount"),
        ({"currency": "usd", "unit_amount": 1}, "product"),
        ({"currency": "usd", "unit_amount": "1.5", "product_data": {"name": "X"}}, "unit_amount"),
        ({"currency": "usd", "unit_amount": 1, "product_data": {"name": ""}}, "product_data[name]"),
        ({"currency": "usd", "unit_amount": 1, "product_data": {"name": "X"}, "colour": "red"}, "colour"),
        (
            {"currency": "usd", "unit_amount": 1, "product_data": {"name": "X"}, "recurring": {"interval": "eon"}},
            "recurring[interval]",
        ),
    ],
)
def test_wrong_form_is_refused_with_its_parameter(stand_in: StandIn, params: Any, param: str) -> None:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client(stand_in).v1.prices.create(params)
    assert (caught.value.http_status, caught.value.param) == (400, param)


def test_same_key_and_parameters_replay_the_answer(stand_in: StandIn) -> None:
    api, key = client(stand_in).v1, str(uuid4())
    made = [api.products.create({"name": "SILVER"}, {"idempotency_key": key}).id for _ in range(3)]
    assert len(set(made)) == 1
    assert [request["replayed"] for request in stand_in.requests()] == [False, True, True]
    assert {request["idempotencyKey"] for request in stand_in.requests()} == {key}


def test_same_key_with_other_parameters_is_a_conflict(stand_in: StandIn) -> None:
    api, key = client(stand_in).v1, str(uuid4())
    api.products.create({"name": "SILVER"}, {"idempotency_key": key})
    with pytest.raises(stripe.IdempotencyError) as caught:
        api.products.create({"name": "BRONZE"}, {"idempotency_key": key})
    assert caught.value.http_status == 400


def test_refused_request_leaves_its_key_free(stand_in: StandIn) -> None:
    api, key = client(stand_in).v1, str(uuid4())
    with pytest.raises(stripe.InvalidRequestError):
        api.products.create({"name": ""}, {"idempotency_key": key})
    assert api.products.create({"name": "SILVER"}, {"idempotency_key": key}).name == "SILVER"


def test_failure_on_demand_comes_before_or_after_the_work(stand_in: StandIn) -> None:
    api, key = client(stand_in).v1, str(uuid4())
    stand_in.fail_next(times=1, after=True)
    with pytest.raises(stripe.APIError):
        api.products.create({"name": "SILVER"}, {"idempotency_key": key})
    api.products.create({"name": "SILVER"}, {"idempotency_key": key})
    assert [(one["status"], one["replayed"]) for one in stand_in.requests()] == [(500, False), (200, True)]


def test_unknown_route_is_not_found(stand_in: StandIn) -> None:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client(stand_in).v1.customers.retrieve("cus_1")
    assert caught.value.http_status == 404
