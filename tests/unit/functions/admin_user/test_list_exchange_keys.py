from __future__ import annotations

import pytest

from functions.admin_user.app import lambda_handler
from shared.models.exchange_key import ApiKeyStatus, StrategyType, TradeType
from tests.unit.admin_requests import fault, pages, sample, send
from tests.unit.records import USER_ID, a_user, after, an_exchange_key, id_of

EVENT = "admin_user/list_exchange_keys"
FIRST = "46a19fb1-4e90-4736-b820-257c947fd694"
SECOND = "c8a716b6-b6e6-4e16-b364-1b3647198d64"

pytestmark = pytest.mark.usefixtures("admin_api")


def two_keys() -> None:
    a_user()
    an_exchange_key(FIRST, api_key="t32hMggmL26nkyFPoPkqWe5U7vMRpu3y2wdWCz4CWFHd3dq7W9xyxHoZ73CsqHZhZ")
    an_exchange_key(
        SECOND,
        at=after(1),
        trade_type=TradeType.SPOT,
        strategy_type=StrategyType.MANUAL,
        name="My strategy test account",
        active=False,
        api_key_status=ApiKeyStatus.UNAUTHORIZED,
        api_key="91QNhDuErgHajrzLnfWaJ9phe7UevjtD9JGGGG06VtfB7dRu13j0KrtLBKVJgsM5D",
    )


def test_keys_are_listed_as_documented_newest_first() -> None:
    two_keys()
    an_exchange_key(id_of("another user's"), user_id=id_of("another user"))
    answer = send(lambda_handler, sample(EVENT))
    assert answer.status == 200
    assert answer.body == {
        "items": [
            {
                "id": SECOND,
                "exchangeId": "BINANCE",
                "tradeType": "SPOT",
                "strategyType": "MANUAL",
                "active": False,
                "name": "My strategy test account",
                "apiKeyStatus": "UNAUTHORIZED",
                "apiKey": "91QNhDuErgHajrzLnfWaJ9phe7UevjtD9JGGGG06VtfB7dRu13j0KrtLBKVJgsM5D",
                "createdAt": "2022-09-09T01:58:36.304Z",
                "updatedAt": "2022-09-09T01:58:36.304Z",
            },
            {
                "id": FIRST,
                "exchangeId": "BINANCE",
                "tradeType": "FUTURES",
                "strategyType": "AUTOMATED",
                "active": True,
                "name": "Default",
                "apiKeyStatus": "AUTHORIZED",
                "apiKey": "t32hMggmL26nkyFPoPkqWe5U7vMRpu3y2wdWCz4CWFHd3dq7W9xyxHoZ73CsqHZhZ",
                "createdAt": "2022-09-09T01:57:36.304Z",
                "updatedAt": "2022-09-09T01:57:36.304Z",
            },
        ]
    }


def test_no_secret_is_in_the_answer() -> None:
    two_keys()
    text = send(lambda_handler, sample(EVENT)).text
    assert "ciphertext" not in text
    assert "secret" not in text.lower()


def test_trade_type_filters() -> None:
    two_keys()
    answer = send(lambda_handler, sample("admin_user/list_exchange_keys_futures"))
    assert [item["id"] for item in answer.body["items"]] == [FIRST]
    answer = send(lambda_handler, sample(EVENT, query={"tradeType": "SPOT"}))
    assert [item["id"] for item in answer.body["items"]] == [SECOND]


@pytest.mark.parametrize("value", ["MARGIN", "spot", ""])
def test_unknown_trade_type_is_a_fault(value: str) -> None:
    a_user()
    answer = send(
        lambda_handler, sample("admin_user/list_exchange_keys_unknown_trade_type", query={"tradeType": value})
    )
    assert answer.status == 422
    assert answer.body == {"errors": [fault("must be supported trade type", "tradeType", "query", value=value)]}


def test_user_without_keys_has_an_empty_list() -> None:
    a_user()
    assert send(lambda_handler, sample(EVENT)).body == {"items": []}


def test_unknown_user_is_not_found_even_with_a_faulty_query() -> None:
    answer = send(lambda_handler, sample("admin_user/list_exchange_keys_unknown_trade_type"))
    assert (answer.status, answer.body) == (404, {"message": "route not found"})


def test_pages_hold_each_key_once() -> None:
    a_user()
    expected = [id_of(f"key {number}") for number in range(7)]
    for number, key_id in enumerate(expected):
        an_exchange_key(key_id, at=after(-number), trade_type=TradeType.SPOT if number % 2 else TradeType.FUTURES)
    found = pages(lambda_handler, sample(EVENT), limit=3)
    assert [len(page) for page in found] == [3, 3, 1]
    assert [item["id"] for page in found for item in page] == expected
    found = pages(lambda_handler, sample("admin_user/list_exchange_keys_futures"), limit=2)
    assert [[item["id"] for item in page] for page in found] == [expected[0:3:2], expected[4:7:2]]


def test_token_of_one_user_is_no_token_of_another() -> None:
    a_user()
    other = id_of("another user")
    a_user(other)
    for number in range(2):
        an_exchange_key(id_of(f"key {number}"), at=after(number))
    token = send(lambda_handler, sample(EVENT, query={"limit": "1"})).body["nextToken"]
    answer = send(lambda_handler, sample(EVENT, path=(USER_ID, other), query={"nextToken": token}))
    assert answer.status == 422
    assert answer.body == {"errors": [fault("must be nextToken of this list", "nextToken", "query", value=token)]}
