from __future__ import annotations

from decimal import Decimal

import pytest

from functions.admin_strategy_follower.app import lambda_handler
from shared.clock import from_iso
from shared.models.exchange_key import ExchangeKey
from shared.models.user import User
from tests.unit.admin_requests import pages, sample, send
from tests.unit.records import (
    PLAN_ID,
    PROFILE_ID,
    USER_ID,
    a_balance,
    a_follower,
    a_performance,
    a_plan,
    a_risk_profile,
    a_strategy,
    a_user,
    after,
    an_exchange_key,
    id_of,
)

EVENT = "admin_strategy_follower/list_followers"

pytestmark = pytest.mark.usefixtures("admin_api")


def test_followers_are_listed_as_documented() -> None:
    a_strategy()
    a_user()
    a_plan()
    a_risk_profile()
    follower = a_follower("follower", api_key_id=an_exchange_key().id)
    a_balance(follower.api_key_id, "13371.62664883", at=from_iso("2022-10-22T00:03:17.820Z"))
    a_performance(
        follower,
        id="34ff3bc1-09bb-4514-8f95-1fc23a6b99b8",
        total_profit=Decimal("-78.7057"),
        closed_balance=Decimal("13235.62718128"),
        at=from_iso("2022-10-23T05:30:16.339Z"),
    )
    answer = send(lambda_handler, sample(EVENT))
    assert answer.status == 200
    assert answer.body == {
        "items": [
            {
                "id": follower.id,
                "ExchangeKey": {
                    "id": "df30b2fa-adc8-47cb-a9f5-be90ae259827",
                    "active": True,
                    "User": {
                        "id": USER_ID,
                        "UserProfile": {"firstName": "John", "lastName": "Doetwo"},
                        "UserSubscription": {"SubscriptionType": {"id": PLAN_ID, "name": "STANDARD", "private": False}},
                    },
                    "ExchangeKeyBalance": {
                        "totalUSD": Decimal("13371.62664883"),
                        "updatedAt": "2022-10-22T00:03:17.820Z",
                    },
                },
                "StrategyRiskProfile": {"id": PROFILE_ID, "name": "CONSERVATIVE"},
                "StrategyAutomatedFollowPerformance": {
                    "id": "34ff3bc1-09bb-4514-8f95-1fc23a6b99b8",
                    "totalProfit": Decimal("-78.7057"),
                    "closedBalance": Decimal("13235.62718128"),
                    "updatedAt": "2022-10-23T05:30:16.339Z",
                },
            }
        ]
    }


def test_new_follower_has_null_where_there_is_nothing_yet() -> None:
    a_strategy()
    User(id=USER_ID, created_key="x", created_at=after(0), updated_at=after(0)).save()
    a_risk_profile()
    follower = a_follower("follower", api_key_id=an_exchange_key(active=False).id)
    (item,) = send(lambda_handler, sample(EVENT)).body["items"]
    assert item["ExchangeKey"] == {
        "id": follower.api_key_id,
        "active": False,
        "User": {"id": USER_ID, "UserProfile": {"firstName": "", "lastName": ""}, "UserSubscription": None},
        "ExchangeKeyBalance": None,
    }
    assert item["StrategyAutomatedFollowPerformance"] is None


def test_balance_that_leaves_assets_out_names_them() -> None:
    a_strategy()
    follower = a_follower("follower", api_key_id=an_exchange_key().id)
    a_balance(follower.api_key_id, "100", at=after(0), unpriced=["XYZ"])
    (item,) = send(lambda_handler, sample(EVENT)).body["items"]
    assert item["ExchangeKey"]["ExchangeKeyBalance"]["unpriced"] == ["XYZ"]


def test_follower_whose_key_is_gone_is_still_listed() -> None:
    a_strategy()
    follower = a_follower("follower")
    assert ExchangeKey.find(follower.api_key_id) is None
    (item,) = send(lambda_handler, sample(EVENT)).body["items"]
    assert (item["ExchangeKey"]["id"], item["ExchangeKey"]["active"]) == (follower.api_key_id, False)
    assert item["StrategyRiskProfile"] is None


def test_strategy_without_followers_has_an_empty_list() -> None:
    a_strategy()
    a_follower("of another", strategy_id=id_of("another"))
    assert send(lambda_handler, sample(EVENT)).body == {"items": []}


def test_pages_hold_each_follower_once_newest_first() -> None:
    a_strategy()
    for number in range(5):
        a_follower(f"follower {number}", at=after(number))
    found = pages(lambda_handler, sample(EVENT), limit=2)
    assert [len(page) for page in found] == [2, 2, 1]
    expected = [id_of(f"follower {number}") for number in reversed(range(5))]
    assert [item["id"] for page in found for item in page] == expected


def test_unknown_strategy_is_not_found() -> None:
    answer = send(lambda_handler, sample(EVENT))
    assert (answer.status, answer.body) == (404, {"message": "route not found"})
