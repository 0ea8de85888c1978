"""A user buys, changes and ends a plan on Stripe's pages, and a strategy is reported: on the deployed stack."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import pytest

from local.stack.deploy import client
from local.stack.places import STACK_NAME
from shared.clock import to_iso, utc_now
from tests.system.stack_client import Answer, Stack, wait_for

PASSWORD = "Correct-Horse-7-Battery"


@dataclass(frozen=True, slots=True)
class Buyer:
    """A new user of the users' pool, signed in."""

    stack: Stack
    token: str

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.stack.api(method, path, token=self.token, body=body, headers=named)

    def plan_id(self, name: str) -> str:
        items = self.call("GET", "/v1/subscription/list").json()["items"]
        return str(next(item["id"] for item in items if item["name"] == name))

    def check_out(self, plan: str) -> Answer:
        return self.call("POST", "/v1/subscription/checkout", {"subscriptionId": self.plan_id(plan)})

    def own_plan(self) -> tuple[str, str]:
        """Return the plan's name and standing."""
        found = self.call("GET", "/v1/subscription").json()
        return found["SubscriptionType"]["name"], found["standing"]

    def wait_until(self, plan: str, standing: str) -> None:
        wait_for(f"plan {plan} {standing}", lambda: self.own_plan() == (plan, standing))

    def submit(self, page: str, **form: str) -> Any:
        """Send the form of one of Stripe's pages."""
        headers = {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"}
        answer = self.stack.request("POST", page, headers, urlencode(form))
        assert answer.status == 200, answer.text
        return json.loads(answer.text)


@pytest.fixture
def buyer(stack: Stack) -> Buyer:
    pool = client("cognito-idp", stack.running.places)
    outputs, email = stack.running.deployed.outputs, f"{uuid4().hex[:12]}@example.com"
    pool_id, client_id = outputs["UserPoolId"], outputs["UserPoolClientId"]
    pool.admin_create_user(
        UserPoolId=pool_id,
        Username=email,
        UserAttributes=[{"Name": "email", "Value": email}, {"Name": "email_verified", "Value": "true"}],
        MessageAction="SUPPRESS",
    )
    pool.admin_set_user_password(UserPoolId=pool_id, Username=email, Password=PASSWORD, Permanent=True)
    signed_in = pool.admin_initiate_auth(
        UserPoolId=pool_id,
        ClientId=client_id,
        AuthFlow="ADMIN_USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": email, "PASSWORD": PASSWORD},
    )
    return Buyer(stack, signed_in["AuthenticationResult"]["IdToken"])


def test_user_buys_changes_and_ends_a_plan_on_stripes_pages(buyer: Buyer) -> None:
    assert buyer.own_plan() == ("DEFAULT", "INCLUDED")
    no_portal = buyer.call("POST", "/v1/subscription/portal")
    assert (no_portal.status, no_portal.json()["code"]) == (409, "NO_SUBSCRIPTION")
    tabs = [buyer.check_out(plan).json()["url"] for plan in ("STANDARD", "PRO")]

    paid = buyer.submit(tabs[0])["session"]
    buyer.wait_until("STANDARD", "PAID")
    wait_for("the other tab's end", lambda: "expired" in buyer.stack.request("GET", tabs[1], {}).text)
    again = buyer.check_out("PRO")
    assert (again.status, again.json()["path"]) == (409, "/v1/subscription/portal")

    portal = buyer.call("POST", "/v1/subscription/portal", Idempotency_Key="once").json()["url"]
    assert buyer.call("POST", "/v1/subscription/portal", Idempotency_Key="once").json()["url"] == portal
    price = buyer.call("GET", "/v1/subscription/list").json()["items"]
    pro = next(item["stripePriceId"] for item in price if item["name"] == "PRO")
    buyer.submit(portal, subscription=paid["subscription"], action="change", price=pro)
    buyer.wait_until("PRO", "PAID")
    buyer.submit(portal, subscription=paid["subscription"], action="cancel")
    buyer.wait_until("PRO", "LAPSED")
    assert buyer.check_out("STANDARD").status == 200


def test_strategy_is_reported_for_its_leader_and_its_followers(stack: Stack, buyer: Buyer) -> None:
    strategy_id = stack.add_strategy("REPORTED", followers=1).strategy_id
    # Only days that are over are reported.
    three_days_ago = to_iso(utc_now() - timedelta(days=3))
    client("dynamodb", stack.running.places).update_item(
        TableName=f"{STACK_NAME}-strategies",
        Key={"id": {"S": strategy_id}},
        UpdateExpression="SET created_at = :at",
        ExpressionAttributeValues={":at": {"S": three_days_ago}},
    )
    stack.wait_for_weight()
    stack.invoke("StrategyReporter", {"strategy_id": strategy_id})
    path = f"/v1/admin/strategy/{strategy_id}/performance"

    def reported() -> Any:
        found = stack.get(path).json()
        return found if found["followersReportedBefore"] and found["leaderReportedBefore"] else None

    shown = wait_for("the strategy's report", reported)
    assert shown["reportKeyRefusedSince"] is None
    assert shown["leader"] == buyer.call("GET", f"/v1/strategy/{strategy_id}/performance").json()
    assert stack.invoke("StrategyReporter", {"letter": "WEEKLY"})["firstDay"] < three_days_ago
