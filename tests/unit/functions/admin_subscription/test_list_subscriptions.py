from __future__ import annotations

from decimal import Decimal

import pytest

from functions.admin_subscription.app import lambda_handler
from shared.clock import from_iso
from tests.unit.admin_requests import pages, sample, send
from tests.unit.records import a_plan, after, id_of

EVENT = "admin_subscription/list_subscriptions"

pytestmark = pytest.mark.usefixtures("admin_api")


def test_plans_are_listed_as_documented_newest_first() -> None:
    a_plan(
        "ee5063ba-5a4f-4159-a860-cd6390086044",
        at=from_iso("2022-10-01T15:25:41.607Z"),
        name="DEFAULT",
        max_balance_usd=2000,
        max_api_key=3,
        default=True,
        strategy_automated=False,
    )
    a_plan(
        "22fb4056-8893-40f6-81e2-b9264a669d51",
        at=from_iso("2022-10-01T15:28:33.251Z"),
        name="BASIC",
        stripe_price_id="price_1LmHQlEaYDRKzLl0XIs6QIbc",
        monthly_price_usd=Decimal("20.00"),
        max_balance_usd=2500,
        max_api_key=5,
    )
    answer = send(lambda_handler, sample(EVENT))
    assert answer.status == 200
    assert answer.text == (
        '{"items":[{"id":"22fb4056-8893-40f6-81e2-b9264a669d51","name":"BASIC",'
        '"stripePriceId":"price_1LmHQlEaYDRKzLl0XIs6QIbc","monthlyPriceUSD":20,"maxBalanceUSD":2500,"maxApiKey":5,'
        '"private":false,"default":false,"strategyAutomated":true,'
        '"createdAt":"2022-10-01T15:28:33.251Z","updatedAt":"2022-10-01T15:28:33.251Z"},'
        '{"id":"ee5063ba-5a4f-4159-a860-cd6390086044","name":"DEFAULT",'
        '"stripePriceId":null,"monthlyPriceUSD":null,"maxBalanceUSD":2000,"maxApiKey":3,'
        '"private":false,"default":true,"strategyAutomated":false,'
        '"createdAt":"2022-10-01T15:25:41.607Z","updatedAt":"2022-10-01T15:25:41.607Z"}]}'
    )


def test_pages_hold_each_plan_once() -> None:
    for number in range(5):
        a_plan(id_of(f"plan {number}"), at=after(number))
    found = pages(lambda_handler, sample(EVENT), limit=2)
    assert [item["id"] for page in found for item in page] == [id_of(f"plan {number}") for number in range(4, -1, -1)]


def test_unknown_routes_are_not_found() -> None:
    event = sample(EVENT) | {"httpMethod": "POST", "path": "/v1/admin/subscription/list"}
    assert send(lambda_handler, event).status == 404
