"""A user's own histories: the same pages as an admin's, and rows for the tax adviser."""

from __future__ import annotations

import csv
import io
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from functions.admin_user.app import lambda_handler as admin_user
from functions.strategy_follower.app import lambda_handler
from shared.clock import from_iso
from shared.config import settings
from shared.models.execution import Execution
from shared.models.manual_income import ManualIncome
from shared.models.manual_trade import ManualTrade, manual_trade_id
from shared.models.position_history import HistoryKind, PositionHistory
from shared.trading.execution import ExecutionState
from shared.trading.funding import Income
from shared.trading.ids import Leg, client_order_id
from shared.trading.position_accounting import Fill
from shared.trading.sides import Side
from tests.unit.admin_requests import Answer, fault, sample, send
from tests.unit.in_process_aws import Queues
from tests.unit.records import KEY_ID, USER_ID, a_follower, a_trigger, a_user, an_exchange_key, an_execution, id_of

STRATEGY = "strategy_follower/list_strategy_history"
MANUAL = "strategy_follower/list_manual_history"

ENTERED = from_iso("2021-12-31T22:30:00.000Z")
"""Still 2021 in London, 2021 in Berlin too (23:30)."""
MIDNIGHT = from_iso("2021-12-31T23:30:00.000Z")
"""2021 by UTC, and half past midnight of 2022 in Berlin."""
CLOSED = from_iso("2022-03-01T12:00:00.000Z")


@pytest.fixture(autouse=True)
def _user(account_api: Queues) -> None:
    a_user()
    an_exchange_key(name="Main")


def executed(name: str, *, at: datetime, user_id: str = USER_ID, **values: Any) -> Execution:
    trigger, follower = a_trigger(name, at=at, seq=1), a_follower(name, user_id=user_id, api_key_id=KEY_ID)
    return an_execution(trigger, follower, **({"state": ExecutionState.DENIED} | values))


def fill(execution: Execution, number: int, leg: Leg | None, *, at: datetime, price: str, side: Side, pnl: str) -> None:
    """Store a fill of half a bitcoin with a fee of 4 USDT; without a leg it is the owner's."""
    order = "" if leg is None else client_order_id(settings().broker_prefix, execution.id, leg, 0)
    entry = Fill(
        order_id="8389765507282219800",
        client_order_id=order,
        side=side,
        price=Decimal(price),
        amount=Decimal("0.5"),
        fee=Decimal(4),
        fee_asset="USDT",
        fee_price=Decimal(1),
        realized_pnl=Decimal(pnl),
        at=at,
    )
    PositionHistory.of_fill(execution.id, number, entry).save()


def funding(execution: Execution, transaction: str, amount: str, *, at: datetime) -> None:
    PositionHistory.of_income(execution.id, HistoryKind.FUNDING, transaction, Income(Decimal(amount), at)).save()


@pytest.fixture
def over_new_year() -> Execution:
    """Return a position that was held over New Year: 100 won, 8 paid in fees and 1 in funding."""
    execution = executed(
        "over new year",
        at=ENTERED - timedelta(minutes=1),
        state=ExecutionState.CLOSED,
        filled_amount=Decimal("0.5"),
        entry_price=Decimal(20000),
        exit_price=Decimal(20200),
        fee=Decimal(8),
        funding=Decimal(-1),
        profit=Decimal(91),
        closed_at=CLOSED,
        strategy_name="DEMO",
        key_name="Main",
        symbol="BTC/USDT",
    )
    fill(execution, 1, Leg.ENTRY, at=ENTERED, price="20000", side=Side.BUY, pnl="0")
    funding(execution, "77", "-1", at=MIDNIGHT)
    fill(execution, 2, Leg.CLOSE, at=CLOSED, price="20200", side=Side.SELL, pnl="100")
    return execution


def rows(answer: Answer) -> list[dict[str, str]]:
    assert answer.status == 200, answer.text
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(io.StringIO(answer.text)))


def summary(answer: Answer) -> list[tuple[str, str, str]]:
    return [(row["time"], row["kind"], row["value"]) for row in rows(answer)]


def of_year(name: str, year: str, **query: str) -> Answer:
    return send(lambda_handler, sample(name, query={"year": year, "format": "csv"} | query))


def test_own_history_is_what_an_admin_sees_of_the_user(over_new_year: Execution) -> None:
    executed("another's", at=ENTERED, user_id=id_of("another"))
    query = {"start": "2021-12-01", "limit": "60"}
    own = send(lambda_handler, sample(STRATEGY, query=query))
    admins = send(admin_user, sample("admin_user/list_strategy_history", query=query))
    assert own.status == 200
    assert own.text == admins.text
    assert [item["id"] for item in own.body["items"]] == [over_new_year.id]


def test_own_performance_is_what_an_admin_sees_of_the_user() -> None:
    for ledger in ("strategy", "manual"):
        own = send(lambda_handler, sample(f"strategy_follower/get_{ledger}_performance"))
        admins = send(admin_user, sample(f"admin_user/get_{ledger}_performance"))
        assert (own.status, own.text) == (200, admins.text)


@pytest.mark.usefixtures("over_new_year")
def test_each_fill_fee_funding_and_profit_is_a_row_of_its_year() -> None:
    assert summary(of_year(STRATEGY, "2021")) == [
        ("2021-12-31T22:30:00.000Z", "FILL", "10000"),
        ("2021-12-31T22:30:00.000Z", "FEE", "-4"),
        ("2021-12-31T23:30:00.000Z", "FUNDING", "-1"),
    ]
    assert summary(of_year(STRATEGY, "2022")) == [
        ("2022-03-01T12:00:00.000Z", "FILL", "10100"),
        ("2022-03-01T12:00:00.000Z", "FEE", "-4"),
        ("2022-03-01T12:00:00.000Z", "REALIZED_PROFIT", "100"),
    ]
    assert summary(of_year(STRATEGY, "2020")) == summary(of_year(STRATEGY, "2023")) == []


@pytest.mark.usefixtures("over_new_year")
def test_a_year_begins_when_it_does_in_the_zone() -> None:
    assert summary(of_year(STRATEGY, "2021", zone="Europe/Berlin")) == [
        ("2021-12-31T23:30:00.000+01:00", "FILL", "10000"),
        ("2021-12-31T23:30:00.000+01:00", "FEE", "-4"),
    ]
    first, *_ = summary(of_year(STRATEGY, "2022", zone="Europe/Berlin"))
    assert first == ("2022-01-01T00:30:00.000+01:00", "FUNDING", "-1")


def test_rows_besides_fills_add_up_to_the_booked_profit(over_new_year: Execution) -> None:
    found = rows(of_year(STRATEGY, "2021")) + rows(of_year(STRATEGY, "2022"))
    assert sum(Decimal(row["value"]) for row in found if row["kind"] != "FILL") == over_new_year.profit
    assert {(row["executionId"], row["strategyName"], row["exchangeKeyName"], row["asset"]) for row in found} == {
        (over_new_year.id, "DEMO", "Main", "USDT")
    }
    assert found[0]["exchangeOrderId"] == "8389765507282219800"
    assert (found[0]["exchangeTradeId"], found[2]["exchangeTradeId"]) == ("1", "77")


def test_fill_that_two_executions_have_stored_is_one_row(over_new_year: Execution) -> None:
    later = executed(
        "later", at=CLOSED - timedelta(seconds=1), state=ExecutionState.PROTECTED, filled_amount=Decimal("0.5")
    )
    order = client_order_id(settings().broker_prefix, over_new_year.id, Leg.CLOSE, 0)
    stored = next(one for one in PositionHistory.query(over_new_year.id) if one.client_order_id == order)
    stored.execution_id = later.id
    stored.save()
    fills = [row for row in rows(of_year(STRATEGY, "2022")) if row["kind"] == "FILL"]
    assert [row["executionId"] for row in fills] == [over_new_year.id]


def test_what_the_owner_closed_by_hand_is_a_row_while_the_position_was_held() -> None:
    execution = executed(
        "by hand", at=ENTERED, state=ExecutionState.CLOSED, filled_amount=Decimal("0.5"), closed_at=CLOSED
    )
    fill(execution, 1, Leg.ENTRY, at=ENTERED, price="20000", side=Side.BUY, pnl="0")
    fill(execution, 2, None, at=CLOSED - timedelta(seconds=1), price="20100", side=Side.SELL, pnl="50")
    fill(execution, 3, None, at=CLOSED + timedelta(days=1), price="20100", side=Side.SELL, pnl="50")
    fills = [row for row in rows(of_year(STRATEGY, "2022")) if row["kind"] == "FILL"]
    assert [row["exchangeTradeId"] for row in fills] == ["2"]


@pytest.mark.usefixtures("over_new_year")
def test_a_year_lists_what_was_held_in_it_oldest_first() -> None:
    second = executed("second", at=CLOSED, state=ExecutionState.DENIED)
    executed("next year", at=CLOSED + timedelta(days=400), state=ExecutionState.DENIED)
    listed = {year: send(lambda_handler, sample(STRATEGY, query={"year": year})).body for year in ("2021", "2022")}
    assert [item["createdAt"] for item in listed["2021"]["items"]] == ["2021-12-31T22:29:00.000Z"]
    assert [item["id"] for item in listed["2022"]["items"]][1:] == [second.id]
    assert listed["2022"]["nextToken"] is None


def test_pages_of_a_year_hold_everything_once() -> None:
    made = [executed(f"number {number}", at=ENTERED + timedelta(minutes=number)).id for number in range(230)]
    found: list[str] = []
    query = {"year": "2021"}
    while True:
        body = send(lambda_handler, sample(STRATEGY, query=query)).body
        found += [item["id"] for item in body["items"]]
        if body["nextToken"] is None:
            break
        query["nextToken"] = body["nextToken"]
    # The last minutes are of the next year.
    assert found == made[:90]


def by_hand(exchange_trade_id: str, *, at: datetime, symbol: str = "BTC/USDT", **values: Any) -> ManualTrade:
    trade_id = manual_trade_id(api_key_id=KEY_ID, symbol=symbol, exchange_trade_id=exchange_trade_id)
    usual: dict[str, Any] = {
        "side": Side.SELL,
        "amount": Decimal("0.5"),
        "price": Decimal(20000),
        "cost": Decimal(10000),
        "fee": Decimal("0.01"),
        "fee_currency": "BNB",
        "realized_pnl": Decimal("-25"),
    }
    trade = ManualTrade(
        KEY_ID,
        ManualTrade.key_of(at, trade_id),
        id=trade_id,
        user_id=USER_ID,
        exchange_trade_id=exchange_trade_id,
        exchange_order_id="12",
        symbol=symbol,
        created_at=at,
        **(usual | values),
    )
    trade.save()
    return trade


def income_by_hand(
    transaction_id: str, amount: str, *, at: datetime, kind: HistoryKind = HistoryKind.FUNDING, symbol: str = "BTCUSDT"
) -> None:
    income_key = f"{'FUNDING_FEE' if kind is HistoryKind.FUNDING else 'INSURANCE_CLEAR'}#{transaction_id}"
    ManualIncome(
        KEY_ID,
        income_key,
        user_id=USER_ID,
        time_key=ManualIncome.time_key_of(at, income_key=income_key, api_key_id=KEY_ID),
        kind=kind,
        symbol=symbol,
        amount=Decimal(amount),
        asset="USDT",
        created_at=at,
    ).save()


def test_own_fills_of_manual_keys_are_rows_too() -> None:
    trade = by_hand("9007199254740993", at=ENTERED)
    found = rows(of_year(MANUAL, "2021"))
    assert [(row["kind"], row["value"], row["asset"]) for row in found] == [
        ("FILL", "10000", "USDT"),
        ("FEE", "-0.01", "BNB"),
        ("REALIZED_PROFIT", "-25", "USDT"),
    ]
    assert {(row["exchangeTradeId"], row["exchangeKeyName"]) for row in found} == {("9007199254740993", "Main")}
    assert [item["id"] for item in send(lambda_handler, sample(MANUAL, query={"year": "2021"})).body["items"]] == [
        trade.id
    ]
    assert rows(of_year(MANUAL, "2022")) == []


def test_funding_and_liquidation_fees_of_manual_keys_are_rows_of_their_year() -> None:
    by_hand("1", at=ENTERED, symbol="BTC/USDT-261225", fee=Decimal(0), realized_pnl=None)
    income_by_hand("77", "-1.5", at=MIDNIGHT)
    income_by_hand("78", "0.25", at=CLOSED, symbol="BTCUSDT_261225")
    income_by_hand("79", "-30", at=CLOSED, kind=HistoryKind.LIQUIDATION_FEE)
    columns = ("kind", "symbol", "value", "asset", "exchangeTradeId", "exchangeKeyName")
    assert [tuple(row[name] for name in columns) for row in rows(of_year(MANUAL, "2021"))] == [
        ("FILL", "BTC/USDT-261225", "10000", "USDT", "1", "Main"),
        ("FUNDING", "BTC/USDT", "-1.5", "USDT", "77", "Main"),
    ]
    assert [tuple(row[name] for name in columns) for row in rows(of_year(MANUAL, "2022"))] == [
        ("FUNDING", "BTC/USDT-261225", "0.25", "USDT", "78", "Main"),
        ("LIQUIDATION_FEE", "BTC/USDT", "-30", "USDT", "79", "Main"),
    ]
    # By the year in Berlin, where the payment of half past eleven is one of the next year.
    assert [row["kind"] for row in rows(of_year(MANUAL, "2021", zone="Europe/Berlin"))] == ["FILL"]


@pytest.mark.parametrize("query", [{"year": "2021"}, {"start": "2021-12-31", "limit": "2"}])
def test_pages_of_fills_and_funding_hold_everything_once_in_order(query: dict[str, str]) -> None:
    for number in range(130):
        by_hand(str(number), at=ENTERED + timedelta(seconds=20 * number), fee=Decimal(0), realized_pnl=None)
        # At the same moment, and between.
        income_by_hand(f"{number}", "-1", at=ENTERED + timedelta(seconds=20 * number))
    income_by_hand("last", "-1", at=ENTERED + timedelta(seconds=5000))
    pages: list[list[dict[str, str]]] = []
    token: str | None = None
    while True:
        more = {"format": "csv"} | query | ({"nextToken": token} if token else {})
        answer = send(lambda_handler, sample(MANUAL, query=more))
        pages.append(rows(answer))
        token = answer.headers.get("x-next-token")
        if token is None:
            break
        # The list in JSON, fills only, goes on from the same place.
        assert send(lambda_handler, sample(MANUAL, query=query | {"nextToken": token})).status == 200
    assert [len(page) for page in pages] == [100, 100, 61]
    found = [row for page in pages for row in page]
    assert len({(row["kind"], row["exchangeTradeId"]) for row in found}) == 261
    times = [row["time"] for row in found]
    assert times == sorted(times, reverse="year" not in query)


@pytest.mark.parametrize(
    ("name", "value", "msg"),
    [
        ("year", "99", "must be year from 2000 to 2100"),
        ("year", "2101", "must be year from 2000 to 2100"),
        ("zone", "Mars/Olympus", "must be IANA time zone"),
        ("zone", "../UTC", "must be IANA time zone"),
        ("zone", "Europe", "must be IANA time zone"),
        ("format", "pdf", "must be json or csv"),
    ],
)
def test_wrong_parameter_is_named(name: str, value: str, msg: str) -> None:
    answer = send(lambda_handler, sample(STRATEGY, query={name: value}))
    assert answer.status == 422
    assert answer.body == {"errors": [fault(msg, name, "query", value=value)]}
