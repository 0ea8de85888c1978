"""Stripe's events on the deployed stack: from the stand-in, signed, to the plan that the admin API shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest

from local.stack.deploy import client
from local.stack.places import STACK_NAME
from local.stripe import PRO_PRICE, STANDARD_PRICE
from tests.system.stack_client import Stack, wait_for


@dataclass(frozen=True, slots=True)
class Subscriber:
    """A user with a record of ours, and their customer at Stripe."""

    stack: Stack
    id: str
    customer: str

    def stripe(self, method: str, path: str, **body: Any) -> dict[str, Any]:
        """Use the stand-in's control interface."""
        answer = self.stack.request(method, f"{self.stack.session['stripe']}/stand-in/{path}", {}, body)
        assert answer.status == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def subscribe(self, price_id: str, **wanted: Any) -> dict[str, Any]:
        body = {"price": price_id, "customer": self.customer, "metadata": {"user_id": self.id}, **wanted}
        return self.stripe("POST", "subscriptions", **body)

    def subscription(self) -> dict[str, Any]:
        """Return the subscription as the admin API shows it."""
        found: dict[str, Any] = self.stack.get(f"/v1/admin/account/user/overview/{self.id}").json()["UserSubscription"]
        return found

    def has(self, plan: str) -> bool:
        return bool(self.subscription()["SubscriptionType"]["name"] == plan)

    def has_lapsed(self) -> bool:
        return bool(self.record()["plan_lapsed"]["BOOL"])

    def record(self) -> dict[str, Any]:
        found: dict[str, Any] = client("dynamodb", self.stack.running.places).get_item(
            TableName=f"{STACK_NAME}-users", Key={"id": {"S": self.id}}, ConsistentRead=True
        )["Item"]
        return found


@pytest.fixture
def subscriber(stack: Stack) -> Subscriber:
    email = f"{uuid4().hex[:12]}@example.com"
    made = client("cognito-idp", stack.running.places).admin_create_user(
        UserPoolId=stack.running.deployed.outputs["UserPoolId"],
        Username=email,
        UserAttributes=[{"Name": "email", "Value": email}, {"Name": "email_verified", "Value": "true"}],
        MessageAction="SUPPRESS",
    )
    subscriber = Subscriber(stack, made["User"]["Username"], f"cus_{uuid4().hex}")
    # Reading the user creates the record.
    assert subscriber.has("DEFAULT")
    return subscriber


def test_a_signed_event_changes_the_plan_that_the_admin_api_shows(subscriber: Subscriber) -> None:
    before = subscriber.subscription()
    sent = subscriber.subscribe(STANDARD_PRICE)
    assert [delivery["status"] for delivery in sent["deliveries"]] == [200]
    wait_for("plan STANDARD", lambda: subscriber.has("STANDARD"))
    after = subscriber.subscription()
    assert (before["stripeCustomerId"], after["stripeCustomerId"]) == (None, subscriber.customer)
    assert after["updatedAt"] > before["updatedAt"]
    path = f"subscriptions/{sent['event']['data']['object']['id']}"
    subscriber.stripe("POST", path, price=PRO_PRICE)
    wait_for("plan PRO", lambda: subscriber.has("PRO"))
    subscriber.stripe("DELETE", path)
    wait_for("a lapse", subscriber.has_lapsed)
    assert subscriber.has("PRO")


def test_a_forged_or_old_event_changes_nothing(subscriber: Subscriber) -> None:
    before = subscriber.record()
    for how in ({"secret": "whsec_forged"}, {"ageSeconds": 600}, {"signature": None}):
        sent = subscriber.subscribe(PRO_PRICE, send=how)
        assert [delivery["status"] for delivery in sent["deliveries"]] == [400]
    # What comes after them in the same queue has been applied: they would have been as well.
    sent = subscriber.subscribe(STANDARD_PRICE, send={"times": 2})
    assert [delivery["status"] for delivery in sent["deliveries"]] == [200, 200]
    wait_for("plan STANDARD", lambda: subscriber.has("STANDARD"))
    assert "stripe_customer_id" not in before
    assert subscriber.record()["stripe_revision"] == {"N": "1"}


def test_follower_with_a_lapsed_plan_enters_nothing_until_it_is_paid_again(stack: Stack) -> None:
    stack.move_price("BTCUSDT", "20000")
    strategy = stack.add_strategy("LAPSED", followers=1)
    listed = stack.get(f"/v1/admin/strategy/follower/{strategy.strategy_id}/list").json()["items"]
    subscriber = Subscriber(stack, listed[0]["ExchangeKey"]["User"]["id"], f"cus_{uuid4().hex}")
    made = subscriber.subscribe(STANDARD_PRICE)["event"]["data"]["object"]
    wait_for("the customer", lambda: subscriber.subscription()["stripeCustomerId"])
    protected = strategy.wait_until_all(strategy.fire(), "PROTECTED")
    subscriber.stripe("POST", f"subscriptions/{made['id']}", status="unpaid")
    wait_for("a lapse", subscriber.has_lapsed)
    stops = [len(account["openOrders"]) for account in strategy.accounts()]
    assert stops == [4]
    # The opposite side still closes what is open, and opens nothing.
    opposite = {"type": "sell", "stop": "20300", "takeProfitPrice1": "19700"}
    rest = {"takeProfitPrice2": "NaN", "takeProfitPrice3": "NaN"}
    denied = strategy.wait_until_all(strategy.fire(**opposite, **rest), "DENIED")
    assert [one["reason"] for one in denied] == ["PLAN_LAPSED"]
    assert [one["id"] for one in protected] != [one["id"] for one in denied]
    assert [account["positions"] for account in strategy.accounts()] == [[]]
    subscriber.stripe("POST", f"subscriptions/{made['id']}", status="active")
    wait_for("the plan again", lambda: not subscriber.has_lapsed())
    strategy.wait_until_all(strategy.fire(), "PROTECTED")
