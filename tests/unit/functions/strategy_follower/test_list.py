"""What a user follows."""

from __future__ import annotations

import pytest

from functions.strategy_follower.app import lambda_handler
from tests.unit.admin_requests import pages, sample, send
from tests.unit.records import (
    PROFILE_ID,
    STRATEGY_ID,
    a_follower,
    a_risk_profile,
    a_strategy,
    a_user,
    after,
    an_exchange_key,
    id_of,
)

EVENT = "strategy_follower/list_followers"

pytestmark = pytest.mark.usefixtures("account_api")


def test_own_follower_is_shown_with_its_strategy_key_and_profile() -> None:
    a_user()
    a_strategy(name="BTC")
    a_risk_profile(name="MODERATE")
    an_exchange_key(id_of("key of mine"), name="Main")
    follower = a_follower("mine")
    answer = send(lambda_handler, sample(EVENT))
    assert answer.body == {
        "items": [
            {
                "id": follower.id,
                "active": True,
                "mode": "ACTIVE",
                "sizing": {"type": "RISK"},
                "maxNotional": None,
                "maxLeverage": None,
                "belowMinimum": "SKIP",
                "lossLimit": None,
                "StrategyAutomated": {"id": STRATEGY_ID, "name": "BTC", "symbol": follower.symbol},
                "ExchangeKey": {"id": id_of("key of mine"), "name": "Main"},
                "StrategyRiskProfile": {"id": PROFILE_ID, "name": "MODERATE"},
                "createdAt": "2022-09-09T01:57:36.304Z",
                "updatedAt": "2022-09-09T01:57:36.304Z",
            }
        ]
    }


def test_followers_of_several_strategies_are_listed_newest_first_and_nobody_elses() -> None:
    a_user()
    mine = [
        a_follower(f"mine {number}", strategy_id=id_of(f"strategy {number % 2}"), at=after(number)).id
        for number in range(5)
    ]
    a_follower("another's", user_id=id_of("another"), at=after(2))
    found = pages(lambda_handler, sample(EVENT), limit=2)
    assert [item["id"] for page in found for item in page] == mine[::-1]


def test_follower_whose_strategy_and_key_are_gone_is_still_shown() -> None:
    a_user()
    a_follower("mine")
    (item,) = send(lambda_handler, sample(EVENT)).body["items"]
    assert (item["StrategyAutomated"]["name"], item["ExchangeKey"]["name"]) == ("", "")
