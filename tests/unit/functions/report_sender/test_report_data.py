"""The data of a report: the API's own figures, over the days of the period alone."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from functions.report_sender.periods import Period
from functions.report_sender.report_data import LATEST_TRADES, ReportData, collect_report_data
from shared.clock import from_iso
from shared.messages import Report
from shared.models.performance_day import PerformanceDay, TradeLedger
from shared.trading.execution import ExecutionState
from shared.trading.performance import performance_of
from tests.unit.functions.report_sender.days import a_trade
from tests.unit.records import USER_ID, a_follower, a_trigger, an_execution, id_of

WEEK = Period(Report.WEEKLY, date(2022, 9, 5), date(2022, 9, 11))
MANUAL_KEY = "11111111-adc8-47cb-a9f5-be90ae259827"

pytestmark = pytest.mark.usefixtures("tables")


def found(period: Period = WEEK) -> ReportData:
    reported = collect_report_data(USER_ID, period)
    assert reported is not None
    return reported


def list_of(*values: object) -> list[object]:
    """Return numbers of any kind, to be compared by value."""
    return list(values)


def numbers(*texts: str) -> tuple[Decimal, ...]:
    return tuple(map(Decimal, texts))


def test_without_a_closed_trade_there_is_no_report() -> None:
    a_trade("2022-09-04", "5")
    a_trade("2022-09-12", "5")
    assert collect_report_data(USER_ID, WEEK) is None


def test_trades_of_the_first_and_the_last_day_count_and_others_do_not() -> None:
    a_trade("2022-09-04", "1000", balance="11000")
    a_trade("2022-09-05", "10", balance="1010")
    a_trade("2022-09-11", "-4", balance="1006")
    a_trade("2022-09-12", "1000", balance="2006")
    figures = found().figures
    assert list_of(figures.profit, figures.trades, figures.fee) == list_of(6, 2, 2)
    assert list_of(figures.winning_trades, figures.losing_trades, figures.win_rate_pct) == list_of(1, 1, 50)
    assert figures.balance == 1006
    assert figures.profit_pct == pytest.approx(Decimal("0.6"), abs=Decimal("1e-9"))


def test_figures_are_the_apis_over_strategies_and_manual_trades() -> None:
    for day, profit, balance in (("2022-09-05", "50", "1050"), ("2022-09-07", "-80", "970")):
        a_trade(day, profit, balance=balance)
    a_trade("2022-09-08", "25", ledger=TradeLedger.MANUAL, api_key_id=MANUAL_KEY, balance="525")
    days = [day for ledger in TradeLedger for day in PerformanceDay.since(ledger, USER_ID, "2022-09-05")]
    expected, figures = performance_of(days), found().figures
    assert figures.profit == expected.total_profit == -5
    assert figures.max_drawdown == expected.max_drawdown == 80
    assert figures.max_drawdown_pct == expected.max_drawdown_pct
    assert figures.profit_pct == expected.return_pct
    assert figures.balance == expected.closed_balance == 970 + 525
    assert list_of(figures.strategies.profit, figures.strategies.trades) == list_of(-30, 2)
    assert list_of(figures.manual.profit, figures.manual.trades, figures.manual.winning_trades) == list_of(25, 1, 1)


def test_curve_begins_at_zero_and_is_flat_on_days_without_trades() -> None:
    a_trade("2022-09-06", "10")
    a_trade("2022-09-08", "-30")
    a_trade("2022-09-09", "5")
    reported = found()
    assert reported.levels == numbers("0", "0", "10", "10", "-20", "-15", "-15", "-15")
    assert list_of(reported.figures.highest, reported.figures.lowest) == list_of(10, -20)


def test_best_and_worst_day_are_days_with_trades() -> None:
    a_trade("2022-09-06", "10")
    a_trade("2022-09-08", "3")
    figures = found().figures
    assert list_of(figures.best_day.day, figures.best_day.profit) == list_of(date(2022, 9, 6), 10)
    assert list_of(figures.worst_day.day, figures.worst_day.profit) == list_of(date(2022, 9, 8), 3)


def closed(name: str, *, received: str, closed_at: str | None, **values: Any) -> None:
    trigger = a_trigger(name, seq=1, at=from_iso(received))
    follower = a_follower(name)
    state = ExecutionState.CLOSED if closed_at else ExecutionState.DENIED
    done = {"profit": Decimal(1), "closed_at": from_iso(closed_at)} if closed_at else {}
    an_execution(trigger, follower, state=state, strategy_name=name, **(done | values))


def test_latest_trades_were_closed_in_the_period_newest_first() -> None:
    a_trade("2022-09-06", "10")
    closed("before", received="2022-09-04T10:00:00.000Z", closed_at="2022-09-04T23:59:59.999Z")
    closed("opened before", received="2022-09-04T11:00:00.000Z", closed_at="2022-09-05T00:00:00.000Z")
    closed("denied", received="2022-09-07T11:00:00.000Z", closed_at=None)
    closed("last", received="2022-09-08T11:00:00.000Z", closed_at="2022-09-11T23:59:59.999Z")
    closed("first to close", received="2022-09-09T11:00:00.000Z", closed_at="2022-09-09T12:00:00.000Z")
    closed("closed after", received="2022-09-10T11:00:00.000Z", closed_at="2022-09-12T00:00:00.000Z")
    closed("another's", received="2022-09-10T11:00:00.000Z", closed_at="2022-09-10T12:00:00.000Z", user_id=id_of("x"))
    assert [trade.strategy_name for trade in found().figures.latest] == ["last", "first to close", "opened before"]


def test_only_a_few_of_the_latest_trades_are_shown() -> None:
    a_trade("2022-09-06", "10")
    for number in range(LATEST_TRADES + 2):
        moment = f"2022-09-06T10:0{number}:00.000Z"
        closed(str(number), received=moment, closed_at=moment)
    assert [trade.strategy_name for trade in found().figures.latest] == ["6", "5", "4", "3", "2"]
