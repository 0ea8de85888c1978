from __future__ import annotations

from decimal import Decimal

import pytest

from functions.admin_setting_strategy.app import lambda_handler
from tests.unit.admin_requests import fault, pages, sample, send
from tests.unit.records import a_risk_profile, a_strategy, after, id_of

STRATEGIES = "admin_setting_strategy/list_strategies"
PROFILES = "admin_setting_strategy/list_risk_profiles"

pytestmark = pytest.mark.usefixtures("admin_api")


def test_strategies_are_listed_as_documented_oldest_first() -> None:
    a_strategy(id_of("second"), at=after(3), name="STRATEGY #2", description="text", active=False)
    a_strategy(id_of("first"), webhook_secret_hash="0" * 64)
    answer = send(lambda_handler, sample(STRATEGIES))
    assert answer.status == 200
    assert answer.body == {
        "items": [
            {
                "id": id_of("first"),
                "active": True,
                "name": "STRATEGY #1",
                "description": None,
                "exchangeId": "BINANCE",
                "symbol": "BTC/USDT",
                "reportExchangeApiKey": "report-key",
                "createdAt": "2022-09-09T01:57:36.304Z",
                "updatedAt": "2022-09-09T01:57:36.304Z",
            },
            {
                "id": id_of("second"),
                "active": False,
                "name": "STRATEGY #2",
                "description": "text",
                "exchangeId": "BINANCE",
                "symbol": "BTC/USDT",
                "reportExchangeApiKey": "report-key",
                "createdAt": "2022-09-09T02:00:36.304Z",
                "updatedAt": "2022-09-09T02:00:36.304Z",
            },
        ]
    }


def test_risk_profiles_are_listed_as_documented_oldest_first() -> None:
    for minute, (name, percentage) in enumerate([("CONSERVATIVE", "1.5"), ("MODERATE", "2"), ("AGGRESSIVE", "3.00")]):
        a_risk_profile(id_of(name), at=after(minute), name=name, percentage=Decimal(percentage))
    answer = send(lambda_handler, sample(PROFILES))
    assert answer.status == 200
    assert answer.text == (
        '{"items":['
        f'{{"id":"{id_of("CONSERVATIVE")}","name":"CONSERVATIVE","percentage":1.5,'
        '"createdAt":"2022-09-09T01:57:36.304Z","updatedAt":"2022-09-09T01:57:36.304Z"},'
        f'{{"id":"{id_of("MODERATE")}","name":"MODERATE","percentage":2,'
        '"createdAt":"2022-09-09T01:58:36.304Z","updatedAt":"2022-09-09T01:58:36.304Z"},'
        f'{{"id":"{id_of("AGGRESSIVE")}","name":"AGGRESSIVE","percentage":3,'
        '"createdAt":"2022-09-09T01:59:36.304Z","updatedAt":"2022-09-09T01:59:36.304Z"}]}'
    )


@pytest.mark.parametrize("event", [STRATEGIES, PROFILES])
def test_nothing_yet_is_an_empty_list(event: str) -> None:
    assert send(lambda_handler, sample(event)).body == {"items": []}


def test_pages_hold_each_record_once_oldest_first() -> None:
    expected = [id_of(f"record {number}") for number in range(5)]
    for number, record_id in enumerate(expected):
        a_strategy(record_id, at=after(number))
        a_risk_profile(record_id, at=after(number))
    for event in (STRATEGIES, PROFILES):
        found = pages(lambda_handler, sample(event), limit=2)
        assert [len(page) for page in found] == [2, 2, 1]
        assert [item["id"] for page in found for item in page] == expected


def test_token_of_one_list_is_no_token_of_another() -> None:
    for number in range(2):
        a_strategy(id_of(f"record {number}"), at=after(number))
    token = send(lambda_handler, sample(STRATEGIES, query={"limit": "1"})).body["nextToken"]
    answer = send(lambda_handler, sample(PROFILES, query={"nextToken": token, "limit": "0"}))
    assert answer.status == 422
    assert answer.body["errors"] == [
        fault("must be integer from 1 to 1000", "limit", "query", value="0"),
        fault("must be nextToken of this list", "nextToken", "query", value=token),
    ]


def test_unknown_routes_are_not_found() -> None:
    event = sample("admin_setting_strategy/create_strategy") | {"path": "/v1/admin/setting/strategy/profiles"}
    assert send(lambda_handler, event).status == 404
