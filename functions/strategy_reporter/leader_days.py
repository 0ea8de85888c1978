"""Makes days of a leader's fills and incomes. Pure: no I/O, no clock.

A trade is an order that closed a position or a part of one, whatever number of fills it took: followers' exits are
counted as one too.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from shared.exchange.account_fills import AccountFill, AccountIncome
from shared.exchange.account_results import Result, result_of_fill, result_of_income
from shared.trading.arithmetic import exact
from shared.trading.performance import AccountDay

ACCOUNT: Final = "report"
"""The name of the leader's account in the days: a strategy has one."""

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class LeaderDay:
    """One UTC day of the leader's account, in dollars."""

    day: AccountDay
    funding: Decimal


@dataclass(frozen=True, slots=True)
class _Change:
    at: datetime
    order_id: str
    """Empty for an income."""
    result: Result


def leader_days(
    fills: Sequence[AccountFill],
    incomes: Sequence[AccountIncome],
    *,
    prices: Mapping[str, Decimal],
    balance_now: Decimal | None,
    before: date,
) -> list[LeaderDay]:
    """Return the days before a day on which something changed the wallet, oldest first.

    Balances are calculated backwards from `balance_now`, the wallet after the last of the fills and incomes; they are
    None if it is.
    """
    changes = [
        *(
            _Change(fill.at, fill.order_id, result)
            for fill in fills
            if (result := result_of_fill(fill, prices)) is not None
        ),
        *(_Change(income.at, "", result_of_income(income, prices)) for income in incomes),
    ]
    by_date: dict[date, list[_Change]] = defaultdict(list)
    for change in changes:
        by_date[change.at.date()].append(change)
    days: list[LeaderDay] = []
    closed = balance_now
    with exact():
        for day in sorted(by_date, reverse=True):
            profit = sum((change.result.profit for change in by_date[day]), _ZERO)
            opening = None if closed is None else closed - profit
            if day < before:
                days.append(_day(day, by_date[day], profit=profit, opening=opening, closed=closed))
            closed = opening
    return days[::-1]


def _day(
    day: date, changes: Sequence[_Change], *, profit: Decimal, opening: Decimal | None, closed: Decimal | None
) -> LeaderDay:
    trades: dict[str, Decimal] = defaultdict(Decimal)
    for change in changes:
        if change.result.closes:
            trades[change.order_id] += change.result.profit
    won = [one for one in trades.values() if one > 0]
    lost = [one for one in trades.values() if one < 0]
    account_day = AccountDay(
        date=day,
        account=ACCOUNT,
        profit=profit,
        fee=sum((change.result.fee for change in changes), _ZERO),
        trades=len(trades),
        winning_trades=len(won),
        losing_trades=len(lost),
        won=sum(won, _ZERO),
        lost=-sum(lost, _ZERO),
        opening_balance=opening,
        closed_balance=closed,
    )
    return LeaderDay(account_day, funding=sum((change.result.funding for change in changes), _ZERO))
