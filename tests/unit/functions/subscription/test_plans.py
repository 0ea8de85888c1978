"""The plans that users choose from, and their own."""

from __future__ import annotations

import pytest

from functions.subscription.app import lambda_handler
from tests.unit.admin_requests import pages, sample, send
from tests.unit.records import PLAN_ID, a_plan, a_user, after, an_exchange_key, id_of

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
    assert body["use"] == {"apiKeys": 2}


def test_user_without_a_plan_is_shown_none() -> None:
    a_user(plan_id=None)
    assert send(lambda_handler, sample("subscription/get_plan")).body["SubscriptionType"] is None
