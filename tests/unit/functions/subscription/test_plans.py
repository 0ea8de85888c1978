"""The plans that users choose from, and their own."""

from __future__ import annotations

import pytest

from functions.subscription.app import lambda_handler
from shared.models.stripe_event import EventType
from shared.models.stripe_subscription import StripeSubscription
from tests.unit.admin_requests import pages, sample, send
from tests.unit.records import PLAN_ID, USER_ID, a_balance, a_plan, a_user, after, an_exchange_key, id_of

pytestmark = pytest.mark.usefixtures("account_api")


def test_public_plans_are_listed_newest_first_and_private_ones_are_not() -> None:
    a_user()
    for number in range(4):
        a_plan(id_of(f"plan {number}"), at=after(number), private=number == 2)
    found = pages(lambda_handler, sample("subscription/list_plans"), limit=2)
    assert [[item["id"] for item in page] for page in found] == [
        [id_of("plan 3")],
        [id_of("plan 1"), id_of("plan 0")],
    ]


def test_own_plan_is_shown_with_its_standing_and_use() -> None:
    a_plan(name="STANDARD", private=True)
    a_user(plan_lapsed=True, plan_changed_at=after(5))
    for name in ("one", "two"):
        an_exchange_key(id_of(name))
    an_exchange_key(id_of("another's"), user_id=id_of("another"))
    body = send(lambda_handler, sample("subscription/get_plan")).body
    assert (body["SubscriptionType"]["id"], body["SubscriptionType"]["name"]) == (PLAN_ID, "STANDARD")
    assert (body["lapsed"], body["updatedAt"]) == (True, "2022-09-09T02:02:36.304Z")
    assert body["use"] == {"apiKeys": 2, "largestBalanceUSD": None}
    assert (body["standing"], [stop["code"] for stop in body["stops"]]) == ("LAPSED", ["PLAN_LAPSED"])


@pytest.mark.parametrize(
    ("status", "standing"), [(None, "INCLUDED"), ("active", "PAID"), ("past_due", "GRACE"), ("incomplete", "INCLUDED")]
)
def test_standing_follows_the_subscription(status: str | None, standing: str) -> None:
    a_plan()
    a_user()
    if status is not None:
        a_subscription(status)
    assert send(lambda_handler, sample("subscription/get_plan")).body["standing"] == standing


def test_plans_say_what_would_stop_under_them() -> None:
    a_user()
    a_plan(id_of("large"), at=after(2), private=False, max_api_key=3, max_balance_usd=5000)
    a_plan(id_of("small"), at=after(1), private=False, max_api_key=2, max_balance_usd=1000)
    a_plan(id_of("manual"), private=False, max_api_key=9, strategy_automated=False)
    for name, total in (("one", "1000"), ("two", "1000.01"), ("three", "5000")):
        a_balance(an_exchange_key(id_of(name)).id, total, at=after(0))
    items = send(lambda_handler, sample("subscription/list_plans")).body["items"]
    assert [[stop["code"] for stop in item["stops"]] for item in items] == [
        [],
        ["BALANCE_OVER_PLAN_MAXIMUM", "PLAN_MAX_API_KEY"],
        ["PLAN_WITHOUT_AUTOMATION"],
    ]
    assert "2 account(s) above 1000 USD" in items[1]["stops"][0]["msg"]


def a_subscription(status: str, user_id: str = USER_ID) -> None:
    StripeSubscription(
        user_id,
        "sub_1",
        customer_id="cus_1",
        started_at=after(0),
        status=status,
        event_id="evt_1",
        event_type=EventType.SUBSCRIPTION_CREATED,
        as_of=after(0),
    ).save()


def test_user_without_a_plan_is_shown_none() -> None:
    a_user(plan_id=None)
    assert send(lambda_handler, sample("subscription/get_plan")).body["SubscriptionType"] is None
