"""What is on record of an exchange key: balance history and follower."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from functions.admin_exchange.app import lambda_handler
from shared.api import days
from shared.clock import from_iso, utc_now
from shared.models.balance_day import BalanceDay
from shared.models.follower import Follower
from tests.unit.admin_requests import fault, sample, send
from tests.unit.records import KEY_ID, STARTED_AT, STRATEGY_ID, a_follower, after, an_exchange_key, id_of

pytestmark = pytest.mark.usefixtures("admin_api")

HISTORY = "admin_exchange/list_balance_history"
FOLLOWER = "admin_exchange/get_follower"


def recorded(first_day: str, *, days_on: int, key_id: str = KEY_ID) -> None:
    """Record a balance on each of so many days."""
    first = from_iso(first_day)
    with BalanceDay.batch_write() as batch:
        for number in range(days_on):
            day = (first + timedelta(days=number)).date().isoformat()
            batch.save(BalanceDay(key_id, day, total_usd=Decimal(12340 + number), updated_at=first))


def dates(query: dict[str, str]) -> list[str]:
    answer = send(lambda_handler, sample(HISTORY, query=query))
    assert answer.status == 200, answer.text
    return [item["date"] for item in answer.body["items"]]


@pytest.fixture
def today(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(days, "utc_now", lambda: from_iso("2022-09-13T23:59:59.999Z"))


@pytest.mark.usefixtures("today")
def test_balance_history_reads_as_documented() -> None:
    an_exchange_key()
    for day, total in (("2022-09-11", 12340), ("2022-09-12", 12345), ("2022-09-13", 12345)):
        BalanceDay(KEY_ID, day, total_usd=Decimal(total), updated_at=STARTED_AT).save()
    answer = send(lambda_handler, sample(HISTORY))
    assert answer.status == 200
    assert answer.text == (
        '{"items":[{"date":"2022-09-13","totalUSD":12345},{"date":"2022-09-12","totalUSD":12345},'
        '{"date":"2022-09-11","totalUSD":12340}],"nextToken":null}'
    )


def test_balance_history_of_nothing_has_a_token_too() -> None:
    an_exchange_key()
    assert send(lambda_handler, sample(HISTORY)).text == '{"items":[],"nextToken":null}'


@pytest.mark.usefixtures("today")
def test_without_start_the_last_days_count_today_in() -> None:
    an_exchange_key()
    recorded("2022-05-01", days_on=136)  # to 2022-09-13
    assert dates({"limit": "1"}) == ["2022-09-13"]
    assert dates({"limit": "3"}) == ["2022-09-13", "2022-09-12", "2022-09-11"]
    assert dates({})[-1] == "2022-06-06"  # 100 days


@pytest.mark.parametrize("start", ["2022-06-01", "2022-06-01T00:00:00Z", "2022-06-01T18:30:00.000Z"])
def test_start_is_inclusive_and_limit_counts_days(start: str) -> None:
    an_exchange_key()
    recorded("2022-05-01", days_on=100)
    assert dates({"start": start, "limit": "2"}) == ["2022-06-02", "2022-06-01"]


def test_long_span_comes_in_pages_of_a_hundred() -> None:
    an_exchange_key()
    recorded("2022-01-01", days_on=250)
    query = {"start": "2022-01-01", "limit": "1000"}
    sizes: list[int] = []
    seen: list[str] = []
    while True:
        answer = send(lambda_handler, sample(HISTORY, query=query))
        sizes.append(len(answer.body["items"]))
        seen += [item["date"] for item in answer.body["items"]]
        if answer.body["nextToken"] is None:
            break
        query["nextToken"] = answer.body["nextToken"]
    assert sizes == [100, 100, 50]
    assert seen == sorted(seen, reverse=True)
    assert len(set(seen)) == 250


def test_token_keeps_the_span_over_midnight(monkeypatch: pytest.MonkeyPatch) -> None:
    an_exchange_key()
    recorded("2022-01-01", days_on=256)  # to 2022-09-13
    monkeypatch.setattr(days, "utc_now", lambda: from_iso("2022-09-13T23:59:59.999Z"))
    first = send(lambda_handler, sample(HISTORY, query={"limit": "150"})).body
    monkeypatch.setattr(days, "utc_now", lambda: from_iso("2022-09-14T00:00:01.000Z"))
    second = send(lambda_handler, sample(HISTORY, query={"limit": "150", "nextToken": first["nextToken"]})).body
    assert (len(first["items"]), len(second["items"])) == (100, 50)


def test_token_of_another_span_is_a_fault() -> None:
    an_exchange_key()
    recorded((utc_now() - timedelta(days=150)).isoformat(), days_on=150)
    token = send(lambda_handler, sample(HISTORY, query={"limit": "200"})).body["nextToken"]
    for changed in ({"limit": "201"}, {"limit": "200", "start": "2022-01-01"}):
        answer = send(lambda_handler, sample(HISTORY, query={**changed, "nextToken": token}))
        assert answer.status == 422
        assert answer.body["errors"] == [fault("must be nextToken of this list", "nextToken", "query", value=token)]


def test_every_fault_of_the_span_is_reported_at_once() -> None:
    an_exchange_key()
    answer = send(lambda_handler, sample(HISTORY, query={"nextToken": "x", "limit": "1001", "start": "yesterday"}))
    assert answer.status == 422
    assert answer.body["errors"] == [
        fault("must be date or datetime", "start", "query", value="yesterday"),
        fault("must be integer from 1 to 1000", "limit", "query", value="1001"),
        fault("must be nextToken of this list", "nextToken", "query", value="x"),
    ]


@pytest.mark.parametrize(
    "start", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "2022-02-30", "", "1663027200", "2022-13-01"]
)
def test_impossible_start_is_a_fault(start: str) -> None:
    an_exchange_key()
    assert send(lambda_handler, sample(HISTORY, query={"start": start})).status == 422


@pytest.mark.parametrize("start", ["0001-01-01", "9999-12-31", "9999-12-31T23:59:59.999Z"])
def test_start_at_the_ends_of_time_is_an_empty_list(start: str) -> None:
    an_exchange_key()
    assert dates({"start": start}) == []


def following(name: str, **values: Any) -> None:
    a_follower(name, **({"api_key_id": KEY_ID} | values))


def test_follower_reads_as_documented() -> None:
    an_exchange_key()
    following("one", at=from_iso("2022-11-10T18:37:26.322Z"))
    (one,) = Follower.query(STRATEGY_ID)
    one.update(actions=[Follower.updated_at.set(from_iso("2022-11-10T18:53:06.897Z"))])
    following("other symbol", symbol="ETH/USDT", at=after(1))
    answer = send(lambda_handler, sample(FOLLOWER))
    assert answer.status == 200
    assert answer.text == (
        f'{{"id":"{id_of("one")}","active":true,"createdAt":"2022-11-10T18:37:26.322Z",'
        '"updatedAt":"2022-11-10T18:53:06.897Z"}'
    )


def test_active_follower_comes_before_a_newer_one_that_is_not() -> None:
    an_exchange_key()
    following("first", at=after(1))
    following("second", at=after(2), strategy_id=id_of("another strategy"), active=False)
    assert send(lambda_handler, sample(FOLLOWER)).body["id"] == id_of("first")


def test_key_that_follows_nothing_on_the_symbol_is_not_found() -> None:
    an_exchange_key()
    following("other symbol", symbol="ETH/USDT")
    answer = send(lambda_handler, sample(FOLLOWER))
    assert (answer.status, answer.body) == (404, {"message": "route not found"})


@pytest.mark.parametrize("symbol", [None, "BTCUSDT", "btc/usdt", "BTC/USDT:USDT", "", "BTC/"])
def test_follower_needs_a_symbol(symbol: str | None) -> None:
    an_exchange_key()
    query = {} if symbol is None else {"symbol": symbol}
    answer = send(lambda_handler, sample("admin_exchange/get_follower_without_symbol", query=query))
    given = {} if symbol is None else {"value": symbol}
    assert answer.status == 422
    assert answer.body == {"errors": [fault("must be format BASE/QUOTE", "symbol", "query", **given)]}


@pytest.mark.parametrize("event", [HISTORY, FOLLOWER, f"{FOLLOWER}_without_symbol"])
def test_unknown_key_is_not_found(event: str) -> None:
    answer = send(lambda_handler, sample(event))
    assert (answer.status, answer.body) == (404, {"message": "route not found"})
