from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import pytest

from shared.clock import from_iso
from shared.models.base import transact
from shared.models.performance_day import PerformanceDay, TradeLedger
from shared.trading.performance import AccountDay
from tests.unit.records import KEY_ID, USER_ID, id_of

pytestmark = pytest.mark.usefixtures("tables")

EVENING = from_iso("2022-09-13T23:59:59.999Z")
MIDNIGHT = from_iso("2022-09-14T00:00:00.000Z")


def add(
    at: datetime,
    profit: str,
    *,
    balance: str | None = None,
    ledger: TradeLedger = TradeLedger.STRATEGY,
    user_id: str = USER_ID,
    api_key_id: str = KEY_ID,
    is_trade: bool = True,
) -> None:
    transact(
        lambda transaction: PerformanceDay.add(
            transaction,
            ledger=ledger,
            user_id=user_id,
            api_key_id=api_key_id,
            closed_at=at,
            profit=Decimal(profit),
            fee=Decimal("0.5"),
            balance=None if balance is None else Decimal(balance),
            is_trade=is_trade,
        )
    )


def days(ledger: TradeLedger = TradeLedger.STRATEGY, *, first_day: str | None = None) -> list[AccountDay]:
    return list(PerformanceDay.since(ledger, USER_ID, first_day))


def test_trades_of_a_day_add_up() -> None:
    add(EVENING, "10", balance="1010")
    add(EVENING, "-4", balance="1506")  # 500 were paid in between
    add(EVENING, "0", balance="1506")
    assert days() == [
        AccountDay(
            date=EVENING.date(),
            account=KEY_ID,
            profit=Decimal(6),
            fee=Decimal("1.5"),
            trades=3,
            winning_trades=1,
            losing_trades=1,
            won=Decimal(10),
            lost=Decimal(4),
            opening_balance=Decimal(1000),
            closed_balance=Decimal(1506),
        )
    ]


def test_day_ends_at_midnight_utc() -> None:
    add(EVENING, "1")
    add(from_iso("2022-09-14T01:59:59+02:00"), "1")
    add(MIDNIGHT, "1")
    assert [(day.date.isoformat(), day.trades) for day in days()] == [("2022-09-13", 2), ("2022-09-14", 1)]


def test_days_begin_with_the_first_requested_one() -> None:
    for day in ("2022-09-12", "2022-09-13", "2022-09-14"):
        add(from_iso(day), "1")
    assert [day.date.day for day in days(first_day="2022-09-13")] == [13, 14]
    assert [day.date.day for day in days()] == [12, 13, 14]


def test_days_end_with_the_last_requested_one_with_all_its_accounts() -> None:
    for day in ("2022-09-12", "2022-09-13", "2022-09-14"):
        for name in ("one", "another"):
            add(from_iso(day), "1", api_key_id=id_of(name))
    found = PerformanceDay.since(TradeLedger.STRATEGY, USER_ID, "2022-09-12", last_day="2022-09-13")
    assert [day.date.day for day in found] == [12, 12, 13, 13]
    found = PerformanceDay.since(TradeLedger.STRATEGY, USER_ID, None, last_day="2022-09-12")
    assert [day.date.day for day in found] == [12, 12]


def test_accounts_users_and_ledgers_are_kept_apart() -> None:
    add(EVENING, "1")
    add(EVENING, "2", api_key_id=id_of("another key"))
    add(EVENING, "3", user_id=id_of("another user"))
    add(EVENING, "4", ledger=TradeLedger.MANUAL)
    assert {day.account: day.profit for day in days()} == {KEY_ID: 1, id_of("another key"): 2}
    assert [day.profit for day in days(TradeLedger.MANUAL)] == [4]


def test_fill_that_closes_nothing_costs_its_fee_and_is_no_trade() -> None:
    add(EVENING, "-0.5", ledger=TradeLedger.MANUAL, is_trade=False)
    (day,) = days(TradeLedger.MANUAL)
    assert (day.profit, day.trades, day.losing_trades, day.lost) == (Decimal("-0.5"), 0, 0, Decimal(0))
    assert (day.opening_balance, day.closed_balance) == (None, None)
