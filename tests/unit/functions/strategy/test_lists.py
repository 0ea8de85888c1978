"""The strategies and risk profiles that users choose from."""

from __future__ import annotations

import pytest

from functions.strategy.app import lambda_handler
from tests.unit.admin_requests import pages, sample, send
from tests.unit.in_process_aws import Queues
from tests.unit.records import a_risk_profile, a_strategy, a_user, after, id_of


@pytest.fixture(autouse=True)
def _user(account_api: Queues) -> None:
    a_user()


def test_active_strategies_are_listed_without_any_key() -> None:
    strategy = a_strategy(name="BTC")
    answer = send(lambda_handler, sample("strategy/list_strategies"))
    assert [item["id"] for item in answer.body["items"]] == [strategy.id]
    assert set(answer.body["items"][0]) == {
        *("id", "name", "description", "exchangeId", "symbol", "createdAt", "updatedAt"),
    }


def test_inactive_strategies_are_left_out_and_cost_no_more_than_a_page() -> None:
    for number in range(7):
        a_strategy(id_of(f"strategy {number}"), at=after(number), active=number in {0, 5})
    found = pages(lambda_handler, sample("strategy/list_strategies"), limit=2)
    assert [[item["id"] for item in page] for page in found] == [
        [id_of("strategy 0")],
        [],
        [id_of("strategy 5")],
        [],
    ]


def test_risk_profiles_are_listed_oldest_first() -> None:
    ids = [a_risk_profile(id_of(f"profile {number}"), at=after(number)).id for number in range(3)]
    answer = send(lambda_handler, sample("strategy/list_risk_profiles"))
    assert [item["id"] for item in answer.body["items"]] == ids
