"""What a user's trades have earned, by day. Reads days on record, no trade. Knows no HTTP."""

from __future__ import annotations

from decimal import Decimal
from typing import NotRequired, TypedDict

from shared.api.answers import Day
from shared.api.days import SinceQuery
from shared.models.performance_day import PerformanceDay, TradeLedger
from shared.trading.performance import Performance, SeriesDay, performance_of

_MONEY = Decimal("1e-8")


class PerformanceItem(TypedDict):
    """One day of the series."""

    date: Day
    profit: Decimal
    cumulativeProfit: Decimal
    trades: int
    closedBalance: Decimal | None
    unpriced: NotRequired[list[str]]


class PerformanceAnswer(TypedDict):
    """Get Strategy Performance, Get Manual Trade Performance."""

    totalProfit: Decimal
    totalFee: Decimal
    trades: int
    winningTrades: int
    losingTrades: int
    winRate: Decimal | None
    profitFactor: Decimal | None
    expectancy: Decimal | None
    maxDrawdown: Decimal
    maxDrawdownPercentage: Decimal | None
    sharpe: Decimal | None
    sortino: Decimal | None
    calmar: Decimal | None
    closedBalance: Decimal | None
    unpriced: NotRequired[list[str]]
    items: list[PerformanceItem]


def get_performance(user_id: str, ledger: TradeLedger, query: SinceQuery) -> PerformanceAnswer:
    """Return the performance from the day of `start` on, else of everything."""
    return _answer(performance_of(PerformanceDay.since(ledger, user_id, query.first_day)))


def _answer(found: Performance) -> PerformanceAnswer:
    answer: PerformanceAnswer = {
        "totalProfit": found.total_profit,
        "totalFee": found.total_fee,
        "trades": found.trades,
        "winningTrades": found.winning_trades,
        "losingTrades": found.losing_trades,
        "winRate": _rounded(found.win_rate_pct),
        "profitFactor": _rounded(found.profit_factor),
        "expectancy": _rounded(found.expectancy),
        "maxDrawdown": found.max_drawdown,
        "maxDrawdownPercentage": _rounded(found.max_drawdown_pct),
        "sharpe": found.sharpe,
        "sortino": found.sortino,
        "calmar": found.calmar,
        "closedBalance": found.closed_balance,
        "items": [_item(day) for day in found.days],
    }
    if found.unpriced:
        answer["unpriced"] = list(found.unpriced)
    return answer


def _item(day: SeriesDay) -> PerformanceItem:
    item: PerformanceItem = {
        "date": day.date.isoformat(),
        "profit": day.profit,
        "cumulativeProfit": day.cumulative_profit,
        "trades": day.trades,
        "closedBalance": day.closed_balance,
    }
    if day.unpriced:
        item["unpriced"] = list(day.unpriced)
    return item


def _rounded(quotient: Decimal | None) -> Decimal | None:
    """Return a quotient with eight digits; sums are exact, and stay."""
    return None if quotient is None else quotient.quantize(_MONEY)
