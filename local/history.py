"""Writes made-up days of a demo account, for its performance, reports and balance history.

The days are booked as the executor books positions, but have no executions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import partial

from pynamodb.transactions import TransactWrite

from shared.models.balance_day import BalanceDay
from shared.models.base import in_chunks, transact
from shared.models.performance_day import PerformanceDay, TradeLedger

DAYS = 63
"""At least two months."""

_WEEKS = (
    ("84.1", "41.6", "-37.9 -62.3", "", "-101.4 58.2", "133.7 12.8", "96.3"),
    ("-48.5", "71.2 -20.6", "118.4", "-66.8", "", "-39.7", "87.1 34.6"),
    ("102.3 -28.4", "", "-74.1 -15.3", "66.9", "91.8", "-52.6 47.5", "-18.2"),
)
"""The profit of each day's trades after fees, Monday to Sunday. The first row is last week, the next the one before."""

_FEE = Decimal("4.2")
_PER_TRANSACTION = 50


@dataclass(frozen=True, slots=True)
class _Trade:
    day: date
    number: int
    """Among the trades of its day, from 0."""
    profit: Decimal


def add_history(user_id: str, api_key_id: str, *, balance: Decimal, today: date) -> None:
    """Book trades on most days up to yesterday; after the last one the account holds `balance`."""
    trades = list(_trades(today))
    before = balance - sum(trade.profit for trade in trades)
    _add_balance_days(api_key_id, trades, before=before, today=today)
    running_balance = before
    balances = {}
    for trade in trades:
        running_balance += trade.profit
        balances[trade] = running_balance

    def book(transaction: TransactWrite, chunk: list[_Trade]) -> None:
        for trade in chunk:
            PerformanceDay.add(
                transaction,
                ledger=TradeLedger.STRATEGY,
                user_id=user_id,
                api_key_id=api_key_id,
                closed_at=datetime.combine(trade.day, time(12 + trade.number), tzinfo=UTC),
                profit=trade.profit,
                fee=_FEE,
                balance=balances[trade],
            )

    # A transaction may write each item only once.
    for number in (0, 1):
        for chunk in in_chunks((trade for trade in trades if trade.number == number), _PER_TRANSACTION):
            transact(partial(book, chunk=chunk))


def _add_balance_days(api_key_id: str, trades: list[_Trade], *, before: Decimal, today: date) -> None:
    with BalanceDay.batch_write() as batch:
        for number in range(DAYS, 0, -1):
            day = today - timedelta(days=number)
            total = before + sum(trade.profit for trade in trades if trade.day <= day)
            read_at = datetime.combine(day, time(23), tzinfo=UTC)
            batch.save(BalanceDay(api_key_id, day.isoformat(), total_usd=total, updated_at=read_at))


def _trades(today: date) -> Iterator[_Trade]:
    monday = today - timedelta(days=today.weekday())
    for number in range(DAYS, 0, -1):
        day = today - timedelta(days=number)
        weeks_ago = (monday - (day - timedelta(days=day.weekday()))).days // 7
        for place, profit in enumerate(_WEEKS[(weeks_ago - 1) % len(_WEEKS)][day.weekday()].split()):
            yield _Trade(day, place, Decimal(profit))
