"""Collects the data of a user's report, from the same records and rules as the API. Sends nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Final

from functions.report_sender.periods import Period
from shared.clock import to_iso
from shared.models.execution import Execution
from shared.models.performance_day import PerformanceDay, TradeLedger
from shared.notifications.report_values import ClosedTrade, DayResult, PeriodFigures, Share
from shared.trading.performance import AccountDay, Performance, SeriesDay, performance_of
from shared.trading.sides import Side

LATEST_TRADES: Final = 5

_RECENT_EXECUTIONS: Final = 50
"""How many of the newest executions the latest trades are picked from: a trade lasts far less than fifty alerts."""


@dataclass(frozen=True, slots=True)
class ReportData:
    """The figures, and the cumulative profit: 0, then its value at the end of each day of the period."""

    figures: PeriodFigures
    levels: tuple[Decimal, ...]


def collect_report_data(user_id: str, period: Period) -> ReportData | None:
    """Return the data of a report, or None without a closed trade."""
    strategies = _days(TradeLedger.STRATEGY, user_id, period)
    manual = _days(TradeLedger.MANUAL, user_id, period)
    found = performance_of([*strategies, *manual])
    if not found.trades:
        return None
    levels = _levels(found.days, period)
    traded = [day for day in found.days if day.trades]
    best = max(traded, key=lambda day: day.profit)
    worst = min(traded, key=lambda day: day.profit)
    figures = PeriodFigures(
        first_day=period.first_day,
        last_day=period.last_day,
        profit=found.total_profit,
        profit_pct=found.return_pct,
        fee=found.total_fee,
        trades=found.trades,
        winning_trades=found.winning_trades,
        losing_trades=found.losing_trades,
        win_rate_pct=found.win_rate_pct,
        max_drawdown=found.max_drawdown,
        max_drawdown_pct=found.max_drawdown_pct,
        highest=max(levels),
        lowest=min(levels),
        balance=found.closed_balance,
        best_day=DayResult(day=best.date, profit=best.profit),
        worst_day=DayResult(day=worst.date, profit=worst.profit),
        strategies=_share(performance_of(strategies)),
        manual=_share(performance_of(manual)),
        latest=tuple(_latest(user_id, period)),
    )
    return ReportData(figures, levels)


def _days(ledger: TradeLedger, user_id: str, period: Period) -> list[AccountDay]:
    first, last = period.first_day.isoformat(), period.last_day.isoformat()
    return list(PerformanceDay.since(ledger, user_id, first, last_day=last))


def _levels(days: Iterable[SeriesDay], period: Period) -> tuple[Decimal, ...]:
    reached = {day.date: day.cumulative_profit for day in days}
    levels = [Decimal(0)]
    for day in period.days:
        # Before the first trade and after the last one, nothing changes.
        levels.append(reached.get(day, levels[-1]))
    return tuple(levels)


def _share(found: Performance) -> Share:
    return Share(
        profit=found.total_profit, fee=found.total_fee, trades=found.trades, winning_trades=found.winning_trades
    )


def _latest(user_id: str, period: Period) -> list[ClosedTrade]:
    begin = datetime.combine(period.first_day, time(), tzinfo=UTC)
    end = datetime.combine(period.last_day, time(), tzinfo=UTC) + timedelta(days=1)
    # Keys are `<time>#<id>`: those at the end time itself sort after the bare time.
    keys = Execution.by_user.query(
        user_id, Execution.created_key < to_iso(end), scan_index_forward=False, limit=_RECENT_EXECUTIONS
    )
    executions = Execution.find_many([key.id for key in keys]).values()
    trades = [
        ClosedTrade(
            strategy_name=one.strategy_name,
            symbol=one.symbol,
            long=one.side is Side.BUY,
            profit=one.profit,
            profit_pct=one.profit_pct,
            closed_at=one.closed_at,
        )
        for one in executions
        if one.profit is not None and one.closed_at is not None and begin <= one.closed_at < end
    ]
    return sorted(trades, key=lambda trade: trade.closed_at, reverse=True)[:LATEST_TRADES]
