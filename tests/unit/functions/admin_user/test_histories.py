"""The histories of strategies' and users' own trades: spans of days, in pages."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zlib import crc32

import pytest

from functions.admin_user.app import lambda_handler
from shared.api import days
from shared.clock import from_iso
from shared.models.execution import Execution
from shared.models.manual_trade import ManualTrade, manual_trade_id
from shared.trading.execution import ExecutionState
from shared.trading.sides import Side
from tests.unit.admin_requests import fault, sample, send
from tests.unit.records import (
    KEY_ID,
    STARTED_AT,
    STRATEGY_ID,
    USER_ID,
    a_follower,
    a_trigger,
    a_user,
    after,
    an_exchange_key,
    an_execution,
    id_of,
)

STRATEGY = "admin_user/list_strategy_history"
MANUAL = "admin_user/list_manual_history"

CLOSED: dict[str, Any] = {
    "strategy_name": "STRATEGY #1",
    "key_name": "Default",
    "amount": Decimal("0.7"),
    "filled_amount": Decimal("0.673"),
    "entry_price": Decimal("19299.9"),
    "exit_price": Decimal("19149.16657"),
    "fee": Decimal("10.35"),
    "funding": Decimal("-1.25"),
    "profit": Decimal("-111.79359839"),
    "profit_pct": Decimal("-0.86"),
    "closed_at": after(30),
}


@pytest.fixture(autouse=True)
def user(admin_api: object, monkeypatch: pytest.MonkeyPatch) -> None:
    a_user()
    monkeypatch.setattr(days, "utc_now", lambda: from_iso("2022-09-09T12:00:00.000Z"))


def executed(
    name: str, *, at: datetime = STARTED_AT, state: ExecutionState = ExecutionState.CLOSED, **values: Any
) -> Execution:
    trigger = a_trigger(f"trigger of {name}", seq=1, at=at)
    return an_execution(trigger, a_follower(f"follower of {name}"), state=state, **values)


def filled(number: int, *, at: datetime = STARTED_AT, **values: Any) -> ManualTrade:
    key_id = values.get("api_key_id", KEY_ID)
    trade_id = manual_trade_id(api_key_id=key_id, symbol="BTC/USDT", exchange_trade_id=str(number))
    usual: dict[str, Any] = {
        "api_key_id": key_id,
        "trade_key": ManualTrade.key_of(at, trade_id),
        "id": trade_id,
        "user_id": USER_ID,
        "exchange_trade_id": str(number),
        "exchange_order_id": "3240579942",
        "symbol": "BTC/USDT",
        "side": Side.BUY,
        "amount": Decimal("0.673"),
        "price": Decimal("19299.9"),
        "cost": Decimal("12988.8327"),
        "fee": Decimal("5.19553307"),
        "fee_currency": "USDT",
        "realized_pnl": Decimal(0),
        "created_at": at,
    }
    trade = ManualTrade(**(usual | values))
    trade.save()
    return trade


def ids(event: str, query: dict[str, str]) -> list[str]:
    answer = send(lambda_handler, sample(event, query=query))
    assert answer.status == 200, answer.text
    return [item["id"] for item in answer.body["items"]]


def test_closed_execution_shows_what_was_done() -> None:
    execution = executed("one", **CLOSED)
    answer = send(lambda_handler, sample(STRATEGY))
    assert answer.status == 200
    assert answer.body == {
        "items": [
            {
                "id": execution.id,
                "active": False,
                "status": "CLOSED",
                "reason": None,
                "StrategyAutomated": {"id": STRATEGY_ID, "name": "STRATEGY #1", "symbol": "BTC/USDT"},
                "ExchangeKey": {"id": execution.api_key_id, "name": "Default"},
                "action": "OPEN",
                "tradeSide": "BUY",
                "amount": Decimal("0.673"),
                "entryPrice": Decimal("19299.9"),
                "exitPrice": Decimal("19149.16657"),
                "stop": 21300,
                "stopType": "MARKET",
                "takeProfit": [22300, 22310],
                "fee": Decimal("10.35"),
                "funding": Decimal("-1.25"),
                "profit": Decimal("-111.79359839"),
                "profitPercentage": Decimal("-0.86"),
                "createdAt": "2022-09-09T01:57:36.304Z",
                "updatedAt": "2022-09-09T01:57:36.304Z",
                "closedAt": "2022-09-09T02:27:36.304Z",
            }
        ],
        "nextToken": None,
    }


def test_execution_without_a_position_shows_why() -> None:
    executed("one", state=ExecutionState.DENIED, reason="STALE")
    (item,) = send(lambda_handler, sample(STRATEGY)).body["items"]
    assert (item["status"], item["reason"], item["active"]) == ("DENIED", "STALE", False)
    assert [item[name] for name in ("amount", "entryPrice", "exitPrice", "fee", "funding", "profit", "closedAt")] == [
        None
    ] * 7


def test_open_execution_shows_the_planned_amount_until_it_is_filled() -> None:
    executed("one", state=ExecutionState.ENTERING, amount=Decimal("0.7"))
    (item,) = send(lambda_handler, sample(STRATEGY)).body["items"]
    assert (item["active"], item["amount"]) == (True, Decimal("0.7"))


def test_fill_shows_what_was_imported() -> None:
    an_exchange_key(name="My strategy test account")
    trade = filled(1)
    answer = send(lambda_handler, sample(MANUAL))
    assert answer.status == 200
    assert answer.text == (
        f'{{"items":[{{"id":"{trade.id}","ExchangeKey":{{"id":"{KEY_ID}","name":"My strategy test account"}},'
        '"symbol":"BTC/USDT","side":"BUY","amount":0.673,"price":19299.9,"cost":12988.8327,"fee":5.19553307,'
        '"feeCurrency":"USDT","realizedPnl":0,"createdAt":"2022-09-09T01:57:36.304Z"}],"nextToken":null}'
    )


def test_fill_of_a_key_that_is_gone_has_no_name() -> None:
    filled(1, realized_pnl=None)
    (item,) = send(lambda_handler, sample(MANUAL)).body["items"]
    assert item["ExchangeKey"] == {"id": KEY_ID, "name": ""}
    assert item["realizedPnl"] is None


def test_fills_of_all_keys_come_newest_first() -> None:
    first, second = filled(1, at=after(1)), filled(2, at=after(2), api_key_id=id_of("another key"))
    filled(3, at=after(3), user_id=id_of("somebody else"))
    assert ids(MANUAL, {}) == [second.id, first.id]


Write = Callable[[str, datetime], str]


def _execution_at(name: str, at: datetime) -> str:
    return executed(name, at=at).id


def _fill_at(name: str, at: datetime) -> str:
    return filled(crc32(name.encode()), at=at).id


BOTH = pytest.mark.parametrize(("event", "write"), [(STRATEGY, _execution_at), (MANUAL, _fill_at)])


@BOTH
def test_without_start_the_last_thirty_days_are_shown(event: str, write: Write) -> None:
    write("too old", from_iso("2022-08-10T23:59:59.999Z"))
    oldest = write("oldest", from_iso("2022-08-11T00:00:00.000Z"))
    newest = write("newest", from_iso("2022-09-09T11:59:59.999Z"))
    assert ids(event, {}) == [newest, oldest]
    assert ids(event, {"limit": "1"}) == [newest]


@BOTH
def test_start_and_limit_bound_the_span_to_the_millisecond(event: str, write: Write) -> None:
    write("before", from_iso("2022-08-31T23:59:59.999Z"))
    first = write("first", from_iso("2022-09-01T00:00:00.000Z"))
    last = write("last", from_iso("2022-09-02T23:59:59.999Z"))
    write("behind", from_iso("2022-09-03T00:00:00.000Z"))
    assert ids(event, {"start": "2022-09-01", "limit": "2"}) == [last, first]
    assert ids(event, {"start": "2022-09-01T00:00:00.001Z", "limit": "2"}) == [last]
    assert ids(event, {"start": "2022-09-01T02:00:00+02:00", "limit": "1"}) == [first]


@BOTH
def test_span_of_many_comes_in_pages_of_a_hundred(event: str, write: Write) -> None:
    written = [write(f"number {n}", STARTED_AT - timedelta(hours=n)) for n in range(105)]
    query: dict[str, str] = {}
    seen: list[list[str]] = []
    while True:
        answer = send(lambda_handler, sample(event, query=query))
        seen.append([item["id"] for item in answer.body["items"]])
        if answer.body["nextToken"] is None:
            break
        query["nextToken"] = answer.body["nextToken"]
    assert [len(page) for page in seen] == [100, 5]
    assert [one for page in seen for one in page] == written


@BOTH
def test_last_full_page_has_no_token(event: str, write: Write) -> None:
    for number in range(100):
        write(f"number {number}", after(number))
    answer = send(lambda_handler, sample(event))
    assert (len(answer.body["items"]), answer.body["nextToken"]) == (100, None)


@pytest.mark.parametrize("event", [STRATEGY, MANUAL])
def test_every_fault_is_reported_at_once(event: str) -> None:
    query = {"limit": "0", "start": "2022-06-31", "nextToken": "x"}
    answer = send(lambda_handler, sample(event, query=query))
    assert answer.status == 422
    assert answer.body["errors"] == [
        fault("must be date or datetime", "start", "query", value="2022-06-31"),
        fault("must be integer from 1 to 1000", "limit", "query", value="0"),
        fault("must be nextToken of this list", "nextToken", "query", value="x"),
    ]


@pytest.mark.parametrize("event", [STRATEGY, MANUAL])
def test_unknown_user_is_not_found(event: str) -> None:
    answer = send(lambda_handler, sample(event, path=(USER_ID, id_of("nobody")), query={"limit": "0"}))
    assert (answer.status, answer.body) == (404, {"message": "route not found"})
