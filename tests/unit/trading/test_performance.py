"""Performance figures: sums calculated by hand, and ratios compared with another library."""

from __future__ import annotations

import math
from datetime import date, timedelta
from decimal import Decimal

import empyrical
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.trading.arithmetic import exact
from shared.trading.performance import (
    DAYS_A_YEAR,
    AccountDay,
    calmar,
    max_drawdown,
    performance_of,
    sharpe,
    sortino,
)

MONDAY = date(2022, 9, 5)

RETURNS = st.lists(
    st.integers(min_value=-9000, max_value=9000).map(lambda points: Decimal(points) / 10_000), min_size=1, max_size=60
)
"""Daily returns between -90 % and +90 %, in steps of 0.01 %."""


def a_day(
    number: int, *profits: str, opening: str | None, moved: str = "0", account: str = "A", fee: str = "0"
) -> AccountDay:
    """Return a day of an account with these trades; `moved` is the owner's transfer before the day's end."""
    results = [Decimal(profit) for profit in profits]
    total = sum(results, Decimal(0))
    return AccountDay(
        date=MONDAY + timedelta(days=number),
        account=account,
        profit=total,
        fee=Decimal(fee),
        trades=len(results),
        winning_trades=sum(one > 0 for one in results),
        losing_trades=sum(one < 0 for one in results),
        won=sum((one for one in results if one > 0), Decimal(0)),
        lost=-sum((one for one in results if one < 0), Decimal(0)),
        opening_balance=None if opening is None else Decimal(opening),
        closed_balance=None if opening is None else Decimal(opening) + total + Decimal(moved),
    )


def series(returns: list[Decimal]) -> pd.Series:
    return pd.Series([float(one) for one in returns], index=pd.date_range("2022-01-01", periods=len(returns)))


def figures(*values: object) -> list[object]:
    """Return numbers of any kind, to be compared by value."""
    return list(values)


def agree(ours: Decimal | None, theirs: float) -> None:
    assert ours is not None
    assert math.isclose(float(ours), theirs, rel_tol=1e-9, abs_tol=1e-9), (ours, theirs)


@settings(deadline=None, max_examples=150)
@given(returns=RETURNS)
def test_ratios_are_those_of_empyrical(returns: list[Decimal]) -> None:
    theirs = series(returns)
    agree(max_drawdown(returns), -empyrical.max_drawdown(theirs))
    days = [a_day(number, str(1000 * one), opening="1000") for number, one in enumerate(returns)]
    agree(performance_of(days).return_pct, empyrical.cum_returns_final(theirs) * 100)
    found = sharpe(returns)
    if len(set(returns)) > 1:
        agree(found, empyrical.sharpe_ratio(theirs, annualization=DAYS_A_YEAR))
    else:
        assert found is None
    found = sortino(returns)
    if len(returns) > 1 and min(returns) < 0:
        agree(found, empyrical.sortino_ratio(theirs, annualization=DAYS_A_YEAR))
    else:
        assert found is None
    found = calmar(returns)
    if min(returns) < 0:
        agree(found, empyrical.calmar_ratio(theirs, annualization=DAYS_A_YEAR))
    else:
        assert found is None


@settings(deadline=None, max_examples=50)
@given(
    returns=st.lists(st.integers(min_value=-500, max_value=500), min_size=2, max_size=12),
    moves=st.lists(st.integers(min_value=-3000, max_value=9000), min_size=12, max_size=12),
)
def test_money_moved_between_trades_changes_no_figure(returns: list[int], moves: list[int]) -> None:
    def reported(flows: list[int]) -> tuple[Decimal | None, ...]:
        balance, days = Decimal(10_000), []
        with exact():
            for number, (points, moved) in enumerate(zip(returns, flows, strict=False)):
                balance = max(balance + moved, Decimal(1000))
                day = a_day(number, str(balance * points / 10_000), opening=str(balance))
                days.append(day)
                balance += day.profit
        found = performance_of(days)
        return found.sharpe, found.sortino, found.calmar, found.max_drawdown_pct, found.return_pct

    assert reported(moves) == reported([0] * 12)


def test_performance_without_a_trade() -> None:
    found = performance_of([])
    assert (
        figures(found.total_profit, found.total_fee, found.trades, found.winning_trades, found.losing_trades) == [0] * 5
    )
    assert found.max_drawdown == 0
    ratios = (found.win_rate_pct, found.profit_factor, found.expectancy, found.max_drawdown_pct)
    assert (*ratios, found.sharpe, found.sortino, found.calmar, found.closed_balance) == (None,) * 8
    assert found.days == ()


def test_figures_of_three_days() -> None:
    found = performance_of(
        [
            a_day(0, "100", "-40", opening="1000", fee="1.5"),
            a_day(1, "-60", "0", opening="1060", fee="0.5"),
            a_day(2, "20", opening="1000", fee="0.25"),
        ]
    )
    assert found.total_profit == 20
    assert found.total_fee == Decimal("2.25")
    assert (found.trades, found.winning_trades, found.losing_trades) == (5, 2, 2)
    assert found.win_rate_pct == 40
    assert found.profit_factor == Decimal("1.2")
    assert found.expectancy == 4
    assert found.max_drawdown == 60
    assert found.max_drawdown_pct is not None
    assert round(found.max_drawdown_pct, 6) == Decimal("5.660377")
    assert found.closed_balance == 1020
    assert [figures(day.profit, day.cumulative_profit, day.trades, day.closed_balance) for day in found.days] == [
        [60, 60, 2, 1060],
        [-60, 0, 2, 1000],
        [20, 20, 1, 1020],
    ]
    agree(
        found.sharpe,
        empyrical.sharpe_ratio(pd.Series([0.06, -60 / 1060, 0.02]), annualization=DAYS_A_YEAR),
    )


def test_days_without_a_trade_belong_to_the_series_and_earn_nothing() -> None:
    found = performance_of([a_day(0, "10", opening="100"), a_day(3, "-11", opening="110")])
    assert [figures(day.date.day, day.profit, day.trades, day.closed_balance) for day in found.days] == [
        [5, 10, 1, 110],
        [6, 0, 0, 110],
        [7, 0, 0, 110],
        [8, -11, 1, 99],
    ]
    agree(found.sharpe, empyrical.sharpe_ratio(pd.Series([0.1, 0, 0, -0.1]), annualization=DAYS_A_YEAR))


def test_order_of_the_records_does_not_matter() -> None:
    days = [a_day(number, str(number - 2), opening="100") for number in range(5)]
    assert performance_of(reversed(days)) == performance_of(days)


def test_deposit_is_no_profit() -> None:
    found = performance_of([a_day(0, "10", opening="100"), a_day(1, "0.5", opening="1110", moved="5000")])
    assert found.total_profit == Decimal("10.5")
    assert found.closed_balance == Decimal("6110.5")
    assert found.max_drawdown_pct == 0


def test_withdrawal_is_no_loss() -> None:
    found = performance_of([a_day(0, "10", opening="100"), a_day(1, "1", opening="10")])
    assert figures(found.max_drawdown, found.max_drawdown_pct) == [0, 0]
    assert found.sortino is None


def test_accounts_count_together() -> None:
    found = performance_of(
        [
            a_day(0, "10", opening="100", account="A"),
            a_day(0, "-30", opening="900", account="B"),
            a_day(1, "5", opening="870", account="B"),
        ]
    )
    assert [figures(day.profit, day.closed_balance) for day in found.days] == [[-20, 980], [5, 985]]
    agree(found.sharpe, empyrical.sharpe_ratio(pd.Series([-0.02, 5 / 980]), annualization=DAYS_A_YEAR))


def test_unknown_balances_leave_the_sums_and_no_ratio_of_returns() -> None:
    found = performance_of([a_day(0, "10", "-4", opening=None), a_day(1, "3", opening=None)])
    assert figures(found.total_profit, found.max_drawdown, found.profit_factor) == [9, 0, Decimal("3.25")]
    assert (found.sharpe, found.sortino, found.calmar, found.max_drawdown_pct, found.closed_balance) == (None,) * 5


def test_loss_of_everything_is_a_drawdown_of_all() -> None:
    found = performance_of([a_day(0, "-150", opening="100", moved="50")])
    assert found.max_drawdown_pct == 100
    assert found.max_drawdown == 150


@pytest.mark.parametrize("profit", ["10", "3.3333"])
def test_the_same_return_every_day_has_no_sharpe_ratio(profit: str) -> None:
    assert performance_of([a_day(number, profit, opening="700") for number in range(7)]).sharpe is None


def test_annual_return_that_overflows_gives_no_ratio() -> None:
    assert calmar([Decimal(-1) / 2, Decimal(1000)]) is None
