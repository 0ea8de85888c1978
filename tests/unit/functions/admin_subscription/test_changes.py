from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest

from functions.admin_subscription.app import lambda_handler
from shared.billing import prices
from shared.errors import ServiceUnavailable
from shared.models.plan import Plan
from shared.models.unique_name import NameKind, UniqueName
from tests.unit.admin_requests import Answer, fault, sample, send, with_body
from tests.unit.in_process_aws import Queues
from tests.unit.records import a_plan, id_of

PLAN_ID = "7528e753-baec-43f0-8dd2-16cd1381e6f4"
KNOWN, UNKNOWN = "price_1L4SsSJfOKOw6aMrXZO4ZA96", "price_1L4StTJfOKOw6aMrej5IgRJCx"
CREATE, UPDATE = "admin_subscription/create_subscription", "admin_subscription/update_subscription"
DOCUMENTED = {"name": "ENTERPRISE 500", "monthlyPriceUSD": 500, "maxBalanceUSD": 500000, "maxApiKey": 50}
DEFAULT = {"name": "DEFAULT", "maxBalanceUSD": 1000, "maxApiKey": 3, "default": True}
NAME_TEXT = "must be text of 1 to 100 characters"


@dataclass
class Stripe:
    """Stripe as this function sees it: a new price for each new plan, name and amount."""

    down: bool = False
    made: list[dict[str, Any]] = field(default_factory=list)
    requested: list[str] = field(default_factory=list)

    def price_exists(self, price_id: str) -> bool:
        self._check()
        self.requested.append(price_id)
        return price_id == KNOWN

    def create_monthly_price(self, **wanted: Any) -> str:
        self._check()
        if wanted not in self.made:
            self.made.append(wanted)
        return f"price_{self.made.index(wanted)}"

    def _check(self) -> None:
        if self.down:
            raise ServiceUnavailable("Stripe cannot be reached")


@pytest.fixture(autouse=True)
def stripe(admin_api: Queues, monkeypatch: pytest.MonkeyPatch) -> Stripe:
    """Stand in for Stripe."""
    stripe = Stripe()
    monkeypatch.setattr(prices, "price_exists", stripe.price_exists)
    monkeypatch.setattr(prices, "create_monthly_price", stripe.create_monthly_price)
    return stripe


def create(body: Any) -> Answer:
    return send(lambda_handler, with_body(sample(CREATE), body))


def update(body: Any, plan_id: str = PLAN_ID) -> Answer:
    return send(lambda_handler, with_body(sample(UPDATE, path=(PLAN_ID, plan_id)), body))


def listed() -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = send(lambda_handler, sample("admin_subscription/list_subscriptions")).body["items"]
    return items


def a_custom_plan(**values: Any) -> Plan:
    usual: dict[str, Any] = {
        "name": "CUSTOM 123",
        "stripe_price_id": KNOWN,
        "monthly_price_usd": Decimal(123),
        "private": True,
    }
    plan = a_plan(PLAN_ID, **(usual | values))
    UniqueName(UniqueName.claim_key(NameKind.PLAN, plan.name), owner_id=plan.id).save()
    return plan


def test_plan_is_created_with_a_price_of_its_own(stripe: Stripe) -> None:
    answer = send(lambda_handler, sample(CREATE))
    assert answer.status == 200
    body = answer.body
    assert body == {
        "id": body["id"],
        "name": "ENTERPRISE 500",
        "stripePriceId": "price_0",
        "monthlyPriceUSD": 500,
        "maxBalanceUSD": 500000,
        "maxApiKey": 50,
        "private": True,
        "default": False,
        "strategyAutomated": True,
        "createdAt": body["createdAt"],
        "updatedAt": body["createdAt"],
    }
    assert stripe.made == [{"plan_id": body["id"], "name": "ENTERPRISE 500", "monthly_price_usd": 500}]
    assert listed() == [body]


def test_default_plan_needs_no_price_and_no_stripe(stripe: Stripe) -> None:
    stripe.down = True
    answer = send(lambda_handler, sample("admin_subscription/create_subscription_default"))
    assert answer.status == 200
    body = answer.body
    assert (body["stripePriceId"], body["monthlyPriceUSD"], body["default"]) == (None, None, True)
    assert (body["maxApiKey"], body["private"], body["strategyAutomated"]) == (3, False, False)


def test_given_price_is_looked_up_and_stored(stripe: Stripe) -> None:
    assert create(DOCUMENTED | {"stripePriceId": KNOWN}).body["stripePriceId"] == KNOWN
    assert (stripe.requested, stripe.made) == ([KNOWN], [])


def test_unknown_price_is_the_documented_fault() -> None:
    answer = send(lambda_handler, sample("admin_subscription/create_subscription_unknown_price"))
    assert answer.status == 422
    assert answer.body == {"errors": [fault("price id does not exist", "stripePriceId", "body", value=UNKNOWN)]}
    assert listed() == []


def test_second_default_is_the_documented_fault() -> None:
    assert create(DEFAULT).status == 200
    answer = create(DEFAULT | {"name": "ANOTHER"})
    assert answer.status == 422
    assert answer.body == {"errors": [fault("default already exist", "default", "body", value=True)]}
    assert len(listed()) == 1


def test_every_fault_of_a_plan_is_reported_in_order() -> None:
    create(DEFAULT)
    answer = create(DEFAULT | {"name": "default", "stripePriceId": UNKNOWN})
    assert [(one["param"], one["msg"]) for one in answer.body["errors"]] == [
        ("name", "name already exist"),
        ("stripePriceId", "price id does not exist"),
        ("default", "default already exist"),
    ]


def test_empty_body_names_every_required_field_in_order() -> None:
    assert create({}).body == {
        "errors": [
            fault(NAME_TEXT, "name", "body"),
            fault("must be greater than 0", "monthlyPriceUSD", "body"),
            fault("must be integer from 1 to 1000000000000", "maxBalanceUSD", "body"),
            fault("must be integer from 1 to 1000000", "maxApiKey", "body"),
        ]
    }


def test_unknown_field_is_named_without_its_value() -> None:
    answer = create(DOCUMENTED | {"trial": 1})
    assert (answer.status, answer.body) == (422, {"errors": [fault("unknown field", "trial", "body")]})


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("monthlyPriceUSD", None, "must be greater than 0"),
        ("monthlyPriceUSD", 0, "must be greater than 0"),
        ("monthlyPriceUSD", "500", "must be greater than 0"),
        ("monthlyPriceUSD", 1.005, "must be at most 999999.99, in whole cents"),
        ("monthlyPriceUSD", 1_000_000, "must be at most 999999.99, in whole cents"),
        ("maxBalanceUSD", 1.5, "must be integer from 1 to 1000000000000"),
        ("maxBalanceUSD", "5", "must be integer from 1 to 1000000000000"),
        ("maxApiKey", "five", "must be integer from 1 to 1000000"),
        ("maxApiKey", "-5", "must be integer from 1 to 1000000"),
        ("maxApiKey", 0, "must be integer from 1 to 1000000"),
        ("maxApiKey", True, "must be integer from 1 to 1000000"),
        ("stripePriceId", "price id", "price id does not exist"),
        ("stripePriceId", 7, "price id does not exist"),
        ("private", "no", "must be boolean"),
        ("default", 1, "must be boolean"),
    ],
)
def test_wrong_field_is_named(stripe: Stripe, name: str, value: Any, message: str) -> None:
    answer = create(DOCUMENTED | {name: value})
    assert answer.status == 422
    shown = Decimal(str(value)) if isinstance(value, float) else value
    assert answer.body == {"errors": [fault(message, name, "body", value=shown)]}
    assert (stripe.made, listed()) == ([], [])


@pytest.mark.parametrize("field_name", ["monthlyPriceUSD", "maxBalanceUSD", "maxApiKey"])
@pytest.mark.parametrize("number", ["1E+999999999", "1E-999999999", "-1E+999999999"])
def test_enormous_exponent_is_a_fault_at_once(field_name: str, number: str) -> None:
    fields = {name: str(value) for name, value in DOCUMENTED.items() if name != "name"} | {field_name: number}
    body = ", ".join(f'"{name}": {value}' for name, value in fields.items())
    answer = create(f'{{"name": "ENTERPRISE 500", {body}}}')
    assert [one["param"] for one in answer.body["errors"]] == [field_name]


@pytest.mark.parametrize("value", ["50", 50])
def test_number_of_keys_is_taken_as_text_and_returned_as_number(value: Any) -> None:
    assert '"maxApiKey":50,' in create(DOCUMENTED | {"maxApiKey": value}).text


def test_stripe_out_of_reach_is_503_and_the_repeat_goes_on_where_it_stopped(
    stripe: Stripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    stripe.down = True
    answer = create(DOCUMENTED)
    assert (answer.status, answer.body) == (503, {"message": "Stripe cannot be reached"})
    assert listed() == []
    stripe.down = False
    # The price is made, and then the plan cannot be stored.
    with monkeypatch.context() as broken:
        broken.setattr("functions.admin_subscription.service.create_named", lambda *_, **__: 1 / 0)
        assert create(DOCUMENTED).status == 500
    answer = create(DOCUMENTED)
    assert answer.status == 200
    assert [one["plan_id"] for one in stripe.made] == [answer.body["id"]]
    assert create(DOCUMENTED).body == {"errors": [fault("name already exist", "name", "body", value="ENTERPRISE 500")]}


def test_name_reserved_for_a_plan_that_was_never_stored_is_free(stripe: Stripe) -> None:
    stripe.down = True
    create(DOCUMENTED)
    a_custom_plan()
    assert update({"name": "ENTERPRISE 500"}).status == 200
    stripe.down = False
    assert create(DOCUMENTED).body == {"errors": [fault("name already exist", "name", "body", value="ENTERPRISE 500")]}


def test_plan_is_updated_as_documented_and_answers_like_the_list() -> None:
    a_custom_plan()
    answer = send(lambda_handler, sample(UPDATE))
    assert answer.status == 200
    assert answer.body == {
        "id": PLAN_ID,
        "name": "CUSTOM 123",
        "stripePriceId": KNOWN,
        "monthlyPriceUSD": 123,
        "maxBalanceUSD": 12345,
        "maxApiKey": 10,
        "private": True,
        "default": False,
        "strategyAutomated": True,
        "createdAt": "2022-09-09T01:57:36.304Z",
        "updatedAt": answer.body["updatedAt"],
    }
    assert listed() == [answer.body]


def test_what_was_read_can_be_edited_and_sent_back_without_stripe(stripe: Stripe) -> None:
    stripe.down = True
    for values in ({}, {"stripe_price_id": None, "monthly_price_usd": None, "default": True}):
        a_custom_plan(**values)
        read = update({}).body
        answer = update(read | {"maxApiKey": "7", "default": not read["default"], "monthlyPriceUSD": 1})
        assert answer.status == 200
        assert answer.body == read | {"maxApiKey": 7, "updatedAt": answer.body["updatedAt"]}


@pytest.mark.parametrize("price_id", [UNKNOWN, None, "no id"])
def test_unknown_price_is_a_fault_of_an_update_too(price_id: str | None) -> None:
    a_custom_plan()
    answer = update({"stripePriceId": price_id, "maxApiKey": 1})
    assert answer.status == 422
    expected = fault("price id does not exist", "stripePriceId", "body", value=price_id)
    assert answer.body == {"errors": [expected]}
    assert Plan.get(PLAN_ID).max_api_key == 10


def test_another_known_price_is_stored() -> None:
    a_custom_plan(stripe_price_id="price_old")
    assert update({"stripePriceId": KNOWN}).body["stripePriceId"] == KNOWN


def test_update_names_taken_name_and_unknown_price_together() -> None:
    a_custom_plan()
    create(DEFAULT)
    answer = update({"name": "Default", "stripePriceId": UNKNOWN})
    assert [one["param"] for one in answer.body["errors"]] == ["name", "stripePriceId"]


def test_update_answers_503_while_stripe_is_out_of_reach(stripe: Stripe) -> None:
    a_custom_plan()
    stripe.down = True
    assert update({"stripePriceId": "price_other"}).status == 503


@pytest.mark.parametrize("plan_id", [id_of("nothing"), "7"])
def test_unknown_plan_is_not_found_before_the_body_is_read(plan_id: str) -> None:
    answer = update("{", plan_id)
    assert (answer.status, answer.body) == (404, {"message": "route not found"})
