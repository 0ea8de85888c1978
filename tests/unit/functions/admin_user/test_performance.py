"""Performance of strategies' and users' own trades, from the days on record."""

from __future__ import annotations

from decimal import Decimal

import pytest

from functions.admin_user.app import lambda_handler
from shared.clock import from_iso
from shared.models.base import transact
from shared.models.performance_day import PerformanceDay, TradeLedger
from tests.unit.admin_requests import fault, sample, send
from tests.unit.records import KEY_ID, USER_ID, a_user, id_of

LEDGERS = {
    TradeLedger.STRATEGY: "admin_user/get_strategy_performance",
    TradeLedger.MANUAL: "admin_user/get_manual_performance",
}


@pytest.fixture(autouse=True)
def user(admin_api: object) -> None:
    a_user()


def closed(day: str, profit: str, *, balance: str, ledger: TradeLedger = TradeLedger.STRATEGY) -> None:
    transact(
        lambda transaction: PerformanceDay.add(
            transaction,
            ledger=ledger,
            user_id=USER_ID,
            api_key_id=KEY_ID,
            closed_at=from_iso(f"{day}T12:00:00Z"),
            profit=Decimal(profit),
            fee=Decimal("0.5"),
            balance=Decimal(balance),
        )
    )


@pytest.mark.parametrize("event", LEDGERS.values())
def test_performance_without_a_trade(event: str) -> None:
    answer = send(lambda_handler, sample(event))
    assert answer.status == 200
    assert answer.text == (
        '{"totalProfit":0,"totalFee":0,"trades":0,"winningTrades":0,"losingTrades":0,"winRate":null,'
        '"profitFactor":null,"expectancy":null,"maxDrawdown":0,"maxDrawdownPercentage":null,"sharpe":null,'
        '"sortino":null,"calmar":null,"closedBalance":null,"items":[]}'
    )


@pytest.mark.parametrize(("ledger", "event"), LEDGERS.items())
def test_totals_and_days_of_one_ledger(ledger: TradeLedger, event: str) -> None:
    other = next(one for one in TradeLedger if one is not ledger)
    closed("2022-09-10", "777", balance="9999", ledger=other)
    closed("2022-09-11", "100", balance="1100", ledger=ledger)
    closed("2022-09-11", "-40", balance="1060", ledger=ledger)
    closed("2022-09-13", "-30", balance="2030", ledger=ledger)  # 1000 were paid in before

    found = send(lambda_handler, sample(event)).body

    ratios = {name: found.pop(name) for name in ("sharpe", "sortino", "calmar")}
    assert found == {
        "totalProfit": 30,
        "totalFee": Decimal("1.5"),
        "trades": 3,
        "winningTrades": 1,
        "losingTrades": 2,
        "winRate": Decimal("33.33333333"),
        "profitFactor": Decimal("1.42857143"),
        "expectancy": 10,
        "maxDrawdown": 30,
        "maxDrawdownPercentage": Decimal("1.45631068"),
        "closedBalance": 2030,
        "items": [
            {"date": "2022-09-11", "profit": 60, "cumulativeProfit": 60, "trades": 2, "closedBalance": 1060},
            {"date": "2022-09-12", "profit": 0, "cumulativeProfit": 60, "trades": 0, "closedBalance": 1060},
            {"date": "2022-09-13", "profit": -30, "cumulativeProfit": 30, "trades": 1, "closedBalance": 2030},
        ],
    }
    assert all(ratio is not None and ratio > 0 for ratio in ratios.values())


@pytest.mark.parametrize("start", ["2022-09-12", "2022-09-12T18:00:00Z", "2022-09-13T01:00:00+02:00"])
def test_start_counts_from_its_day(start: str) -> None:
    closed("2022-09-11", "100", balance="1100")
    closed("2022-09-12", "10", balance="1110")
    closed("2022-09-13", "1", balance="1111")
    found = send(lambda_handler, sample(LEDGERS[TradeLedger.STRATEGY], query={"start": start})).body
    assert (found["totalProfit"], [item["cumulativeProfit"] for item in found["items"]]) == (11, [10, 11])
    assert found["profitFactor"] is None


@pytest.mark.parametrize("event", LEDGERS.values())
def test_wrong_start_is_a_fault(event: str) -> None:
    answer = send(lambda_handler, sample(event, query={"start": "last week"}))
    assert answer.status == 422
    assert answer.body == {"errors": [fault("must be date or datetime", "start", "query", value="last week")]}


@pytest.mark.parametrize("event", [*LEDGERS.values(), "admin_user/get_strategy_performance_from_start"])
def test_unknown_user_is_not_found(event: str) -> None:
    answer = send(lambda_handler, sample(event, path=(USER_ID, id_of("nobody")), query={"start": "?"}))
    assert (answer.status, answer.body) == (404, {"message": "route not found"})
