"""A strategy's leader beside its followers, for admins; the leader alone, for users."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from functions.admin_strategy.app import lambda_handler
from functions.strategy.app import lambda_handler as users_handler
from shared.models.strategy_report import StrategyReport
from tests.unit.admin_requests import sample, send
from tests.unit.functions.strategy_reporter.days import MONDAY, a_follower_day, a_leader_day
from tests.unit.records import STARTED_AT, STRATEGY_ID, a_strategy, a_user, id_of

pytestmark = pytest.mark.usefixtures("account_api")

TUESDAY = MONDAY + timedelta(days=1)


def shown(query: dict[str, str] | None = None) -> Any:
    answer = send(lambda_handler, sample("admin_strategy/show_performance", query=query))
    assert answer.status == 200
    return answer.body


def test_leader_and_followers_are_shown_side_by_side() -> None:
    a_strategy()
    a_leader_day(STRATEGY_ID, "20")
    a_leader_day(STRATEGY_ID, "5", day=TUESDAY)
    a_follower_day(STRATEGY_ID, MONDAY, returns="1 2 3 4", slippage="0.01 0.02 0.06", profit="12.5")
    a_follower_day(STRATEGY_ID, TUESDAY, returns="-2", slippage="0.04", profit="-2")
    a_follower_day(id_of("another"), MONDAY, returns="99")
    body = shown()
    assert (body["leader"]["totalProfit"], body["leader"]["trades"]) == (25, 2)
    followers = body["followers"]
    assert {name: followers[name] for name in ("alerts", "asked", "reached", "reachedPercentage", "profit")} == {
        "alerts": 2,
        "asked": 20,
        "reached": 18,
        "reachedPercentage": 90,
        "profit": Decimal("10.5"),
    }
    # 1.0175 x 0.98, 1.025 x 0.98 and 1.0325 x 0.98; the middle of 0.02 and 0.04.
    assert followers["returnPercentage"] == {
        "lowerQuartile": Decimal("-0.285"),
        "median": Decimal("0.45"),
        "upperQuartile": Decimal("1.185"),
    }
    assert followers["slippagePercentage"] == Decimal("0.03")
    monday, tuesday = followers["items"]
    assert (monday["date"], tuesday["date"]) == ("2022-09-05", "2022-09-06")
    assert monday["returnPercentage"] == {
        "count": 4,
        "least": 1,
        "lowerQuartile": Decimal("1.75"),
        "median": Decimal("2.5"),
        "upperQuartile": Decimal("3.25"),
        "greatest": 4,
    }
    assert monday["followers"] == 4


def test_start_leaves_out_what_was_before() -> None:
    a_strategy()
    for day in (MONDAY, TUESDAY):
        a_leader_day(STRATEGY_ID, "5", day=day)
        a_follower_day(STRATEGY_ID, day, returns="1")
    body = shown({"start": "2022-09-06"})
    assert [item["date"] for item in body["leader"]["items"]] == ["2022-09-06"]
    assert [item["date"] for item in body["followers"]["items"]] == ["2022-09-06"]
    answer = send(lambda_handler, sample("admin_strategy/show_performance", query={"start": "yesterday"}))
    assert answer.status == 422


def test_strategy_without_a_report_has_zeros_and_nulls() -> None:
    a_strategy()
    body = shown()
    assert (body["leader"]["items"], body["followers"]["items"]) == ([], [])
    assert (body["followers"]["reachedPercentage"], body["followers"]["returnPercentage"]) == (None, None)
    assert (body["leaderReportedBefore"], body["reportKeyRefusedSince"]) == (None, None)


def test_progress_and_a_refused_report_key_are_shown() -> None:
    a_strategy()
    report = StrategyReport.of(STRATEGY_ID)
    report.advance_leader("2022-09-07")
    report.advance_followers("2022-09-09", first_seq=4)
    report.record_refusal(STARTED_AT)
    body = shown()
    assert (body["leaderReportedBefore"], body["followersReportedBefore"]) == ("2022-09-07", "2022-09-09")
    assert body["reportKeyRefusedSince"] == "2022-09-09T01:57:36.304Z"


def test_day_without_trades_of_followers_has_no_spread() -> None:
    a_strategy()
    a_follower_day(STRATEGY_ID, MONDAY)
    (item,) = shown()["followers"]["items"]
    assert (item["returnPercentage"], item["slippagePercentage"], item["reachedPercentage"]) == (None, None, 90)


def test_users_are_shown_the_leader_and_nothing_of_other_followers() -> None:
    a_user()
    a_strategy(active=False)
    a_leader_day(STRATEGY_ID, "20")
    a_follower_day(STRATEGY_ID, MONDAY, returns="7", profit="77")
    answer = send(users_handler, sample("strategy/show_performance"))
    assert answer.status == 200
    assert answer.body == shown()["leader"]
    assert (answer.body["totalProfit"], answer.body["closedBalance"]) == (20, 1020)


def test_unknown_strategy_is_not_found() -> None:
    a_user()
    for handler, event in ((lambda_handler, "admin_strategy"), (users_handler, "strategy")):
        assert send(handler, sample(f"{event}/show_performance")).status == 404
