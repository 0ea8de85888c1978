"""The requests that lead to Stripe's pages: who may send them, repeats, and where to go instead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from functions.subscription.app import lambda_handler
from shared.billing.checkout import CheckoutSession, CustomerMissing
from shared.errors import ServiceUnavailable
from shared.models.user import User
from tests.unit.admin_requests import Answer, sample, send, with_body
from tests.unit.functions.subscription.test_plans import a_subscription
from tests.unit.records import PLAN_ID, USER_ID, a_plan, a_user, id_of


class Stripe:
    """What Stripe was asked for."""

    def __init__(self) -> None:
        self.sessions: list[dict[str, Any]] = []
        self.customers: list[str] = []
        self.down = False

    def create_customer(self, *, user_id: str, **_: Any) -> str:
        self._answer()
        self.customers.append(user_id)
        return f"cus_{len(self.customers)}"

    def has_subscription(self, customer_id: str) -> bool:
        self._answer()
        return False

    def open_session(self, **values: Any) -> CheckoutSession:
        self._answer()
        self.sessions.append(values)
        return CheckoutSession(f"cs_{len(self.sessions)}", f"https://stripe.test/{len(self.sessions)}")

    def open_portal(self, customer_id: str, *, page_url: str) -> str:
        self._answer()
        if customer_id == "cus_deleted":
            raise CustomerMissing("deleted")
        return f"https://stripe.test/portal/{customer_id}?back={page_url}"

    def _answer(self) -> None:
        if self.down:
            raise ServiceUnavailable("Stripe cannot be reached")


@pytest.fixture
def stripe(account_api: Any, monkeypatch: pytest.MonkeyPatch, settings_from: Callable[..., None]) -> Stripe:
    stripe = Stripe()
    for name in ("create_customer", "has_subscription", "open_session", "open_portal"):
        monkeypatch.setattr(f"functions.subscription.checkout.checkout.{name}", getattr(stripe, name))
    settings_from(ACCOUNT_PAGE_URL="https://example.com/account")
    a_plan(private=False, stripe_price_id="price_1")
    return stripe


def check_out(plan_id: object = PLAN_ID, *, key: str | None = None) -> Answer:
    event = with_body(sample("subscription/open_checkout"), {"subscriptionId": plan_id})
    return send(lambda_handler, _with_key(event, key))


def portal(*, key: str | None = None) -> Answer:
    return send(lambda_handler, _with_key(sample("subscription/open_portal"), key))


def _with_key(event: dict[str, Any], key: str | None) -> dict[str, Any]:
    return event if key is None else event | {"headers": event["headers"] | {"Idempotency-Key": key}}


def test_checkout_answers_with_stripes_page_and_changes_no_plan(stripe: Stripe) -> None:
    a_user(plan_id=id_of("default"))
    answer = check_out()
    assert (answer.status, answer.body) == (200, {"url": "https://stripe.test/1"})
    (session,) = stripe.sessions
    assert (session["user_id"], session["price_id"], session["customer_id"]) == (USER_ID, "price_1", "cus_1")
    user = User.get(USER_ID)
    assert (user.plan_id, user.stripe_customer_id) == (id_of("default"), "cus_1")


def test_repeat_with_a_key_opens_one_page_and_another_body_is_refused(stripe: Stripe) -> None:
    a_user()
    a_plan(id_of("other"), private=False, stripe_price_id="price_2")
    answers = [check_out(key="once").body for _ in range(3)]
    assert answers == [{"url": "https://stripe.test/1"}] * 3
    assert len(stripe.sessions) == 1
    refused = check_out(id_of("other"), key="once")
    assert (refused.status, refused.body["errors"][0]["param"]) == (422, "Idempotency-Key")
    assert check_out(key="twice").body == {"url": "https://stripe.test/2"}


def test_failed_request_leaves_its_key_free(stripe: Stripe) -> None:
    a_user()
    stripe.down = True
    assert check_out(key="once").status == 503
    stripe.down = False
    assert check_out(key="once").status == 200


def test_living_subscription_points_to_the_portal(stripe: Stripe) -> None:
    a_user(stripe_customer_id="cus_1")
    a_subscription("past_due")
    answer = check_out()
    assert (answer.status, answer.body["code"], answer.body["path"]) == (
        409,
        "SUBSCRIPTION_EXISTS",
        "/v1/subscription/portal",
    )
    assert stripe.sessions == []


@pytest.mark.parametrize(
    "plan", [{"private": True, "stripe_price_id": "price_2"}, {"private": False, "stripe_price_id": None}, None]
)
def test_plan_that_nobody_can_buy_is_refused(stripe: Stripe, plan: dict[str, Any] | None) -> None:
    a_user()
    if plan is not None:
        a_plan(id_of("hidden"), **plan)
    answer = check_out(id_of("hidden"))
    assert (answer.status, answer.body["errors"][0]["msg"]) == (422, "must be public subscription with a price")
    assert stripe.customers == []


@pytest.mark.parametrize("plan_id", [None, 7, "x", ""])
def test_faults_of_key_and_body_are_told_together(stripe: Stripe, plan_id: object) -> None:
    a_user()
    answer = check_out(plan_id, key="a key with blanks")
    assert answer.status == 422
    assert [one["param"] for one in answer.body["errors"]] == ["Idempotency-Key", "subscriptionId"]


def test_disabled_user_buys_nothing_and_may_end_a_subscription(stripe: Stripe) -> None:
    a_user(active=False, stripe_customer_id="cus_1")
    answer = check_out()
    assert (answer.status, answer.body) == (403, {"message": "account disabled"})
    assert portal().status == 200


def test_portal_is_stripes_page_of_the_users_own_customer(stripe: Stripe) -> None:
    a_user(stripe_customer_id="cus_7")
    answers = [portal(key="once").body for _ in range(2)]
    assert answers == [{"url": "https://stripe.test/portal/cus_7?back=https://example.com/account"}] * 2
    assert portal(key="with a blank").status == 422


@pytest.mark.parametrize("customer_id", [None, "cus_deleted"])
def test_portal_of_a_user_without_a_customer_points_to_the_checkout(stripe: Stripe, customer_id: str | None) -> None:
    a_user(stripe_customer_id=customer_id)
    answer = portal()
    assert (answer.status, answer.body["code"], answer.body["path"]) == (
        409,
        "NO_SUBSCRIPTION",
        "/v1/subscription/checkout",
    )


def test_nobody_can_subscribe_while_the_page_to_come_back_to_is_not_set(
    stripe: Stripe, settings_from: Callable[..., None]
) -> None:
    a_user(stripe_customer_id="cus_1")
    settings_from(ACCOUNT_PAGE_URL="")
    assert (check_out().status, portal().status) == (503, 503)
    assert stripe.sessions == []
