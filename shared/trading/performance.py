"""Calculates profit and risk figures from the results of days. Reads no table, and has no clock.

Sums are exact decimals. Floats appear only inside the annualised ratios, for their roots and powers. A year has 365
days, because the market never closes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from shared.trading.arithmetic import exact

DAYS_A_YEAR = 365
_DAY = timedelta(days=1)
_ZERO = Decimal(0)
_LOST_ALL = Decimal(-1)
_MIN_DAYS = 2
"""One day has no variance."""
_RETURN_STEP = Decimal("1e-20")
"""Returns are cut to this step, so that sums of their squares stay exact."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountDay:
    """The result of one account's trades that were closed on one UTC day."""

    date: date
    account: str
    profit: Decimal
    """After fees."""
    fee: Decimal
    trades: int
    winning_trades: int
    losing_trades: int
    won: Decimal
    """Sum of the winning trades' profits."""
    lost: Decimal
    """Sum of the losing trades' losses, not negative."""
    opening_balance: Decimal | None
    """The account's balance before the day's first trade was closed; None if unknown."""
    closed_balance: Decimal | None
    """The balance after the day's last trade was closed."""
    unpriced: tuple[str, ...] = ()
    """The assets that the balances leave out for want of a price."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesDay:
    """One day of the series, all accounts together."""

    date: date
    profit: Decimal
    cumulative_profit: Decimal
    trades: int
    closed_balance: Decimal | None
    unpriced: tuple[str, ...] = ()
    """The assets that the balance leaves out for want of a price, by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Performance:
    """Totals and the daily series. Percentages are in percent; an undefined figure is None."""

    total_profit: Decimal
    total_fee: Decimal
    trades: int
    winning_trades: int
    losing_trades: int
    win_rate_pct: Decimal | None
    profit_factor: Decimal | None
    expectancy: Decimal | None
    return_pct: Decimal | None
    """The daily returns, compounded."""
    max_drawdown: Decimal
    """The largest fall of the cumulative profit below its peak, as a positive amount."""
    max_drawdown_pct: Decimal | None
    sharpe: Decimal | None
    sortino: Decimal | None
    calmar: Decimal | None
    closed_balance: Decimal | None
    unpriced: tuple[str, ...]
    """The assets that the balance leaves out for want of a price, by name."""
    days: tuple[SeriesDay, ...]


def performance_of(records: Iterable[AccountDay]) -> Performance:
    """Return the performance of one user: every day from the first with a closed trade to the last, idle ones too."""
    with exact():
        by_date: dict[date, list[AccountDay]] = {}
        for record in records:
            by_date.setdefault(record.date, []).append(record)
        everything = [record for on_day in by_date.values() for record in on_day]
        trades = sum(record.trades for record in everything)
        winning = sum(record.winning_trades for record in everything)
        total = sum((record.profit for record in everything), _ZERO)
        lost = sum((record.lost for record in everything), _ZERO)
        won = sum((record.won for record in everything), _ZERO)
        days, returns = _series(by_date)
        drawdown = max_drawdown(returns)
        return Performance(
            total_profit=total,
            total_fee=sum((record.fee for record in everything), _ZERO),
            trades=trades,
            winning_trades=winning,
            losing_trades=sum(record.losing_trades for record in everything),
            win_rate_pct=Decimal(winning * 100) / trades if trades else None,
            profit_factor=won / lost if lost else None,
            expectancy=(won - lost) / trades if trades else None,
            return_pct=(_compounded(returns) - 1) * 100 if returns else None,
            max_drawdown=_largest_fall([day.cumulative_profit for day in days]),
            max_drawdown_pct=drawdown * 100 if drawdown is not None else None,
            sharpe=sharpe(returns),
            sortino=sortino(returns),
            calmar=calmar(returns),
            closed_balance=days[-1].closed_balance if days else None,
            unpriced=days[-1].unpriced if days else (),
            days=tuple(days),
        )


def max_drawdown(returns: Sequence[Decimal]) -> Decimal | None:
    """Return the largest fall of the compounded value below its peak, 0 to 1; None without a day."""
    if not returns:
        return None
    with exact():
        value = peak = Decimal(1)
        largest = _ZERO
        for one in returns:
            value *= 1 + one
            peak = max(peak, value)
            largest = max(largest, 1 - value / peak)
        return largest


def sharpe(returns: Sequence[Decimal]) -> Decimal | None:
    """Return the annualised Sharpe ratio, with a risk-free rate of 0; None below two days, or without variance."""
    days = len(returns)
    if days < _MIN_DAYS:
        return None
    with exact():
        total = sum(returns, _ZERO)
        # Nothing is divided before the end, so that equal returns have a variance of exactly 0.
        variance = (days * _sum_of_squares(returns) - total * total) / (days * (days - 1))
        return _annual_ratio(total / days, variance)


def sortino(returns: Sequence[Decimal]) -> Decimal | None:
    """Return the annualised Sortino ratio, with a required return of 0; None below two days, or without a loss."""
    if len(returns) < _MIN_DAYS:
        return None
    with exact():
        downside = _sum_of_squares([one for one in returns if one < 0]) / len(returns)
        return _annual_ratio(sum(returns, _ZERO) / len(returns), downside)


def calmar(returns: Sequence[Decimal]) -> Decimal | None:
    """Return the compound annual return divided by the maximum drawdown; None without a drawdown."""
    drawdown = max_drawdown(returns)
    if not drawdown:
        return None
    with exact():
        value = _compounded(returns)
    try:
        annual = float(value) ** (DAYS_A_YEAR / len(returns)) - 1
    except OverflowError:
        return None
    return _decimal(annual / float(drawdown))


def _series(by_date: dict[date, list[AccountDay]]) -> tuple[list[SeriesDay], list[Decimal]]:
    """Return the days, and the returns of those whose capital is known."""
    days: list[SeriesDay] = []
    returns: list[Decimal] = []
    balances: dict[str, Decimal] = {}
    unpriced: dict[str, tuple[str, ...]] = {}
    cumulative = _ZERO
    for day in _every_day(by_date):
        records = by_date.get(day, [])
        profit = sum((record.profit for record in records), _ZERO)
        cumulative += profit
        # Transfers since the last trade are part of the day's opening capital, not of its profit.
        balances |= {record.account: record.opening_balance for record in records if record.opening_balance is not None}
        capital = sum(balances.values(), _ZERO)
        if capital > 0:
            # A day can lose all of its capital; a larger loss was paid with a transfer during the day.
            returns.append(max((profit / capital).quantize(_RETURN_STEP), _LOST_ALL))
        closed = {record.account: record for record in records if record.closed_balance is not None}
        balances |= {account: record.closed_balance or _ZERO for account, record in closed.items()}
        unpriced |= {account: record.unpriced for account, record in closed.items()}
        days.append(
            SeriesDay(
                date=day,
                profit=profit,
                cumulative_profit=cumulative,
                trades=sum(record.trades for record in records),
                closed_balance=sum(balances.values(), _ZERO) if balances else None,
                unpriced=tuple(sorted({asset for assets in unpriced.values() for asset in assets})),
            )
        )
    return days, returns


def _compounded(returns: Iterable[Decimal]) -> Decimal:
    value = Decimal(1)
    for one in returns:
        value *= 1 + one
    return value


def _every_day(by_date: dict[date, list[AccountDay]]) -> Iterator[date]:
    if by_date:
        day, last = min(by_date), max(by_date)
        while day <= last:
            yield day
            day += _DAY


def _largest_fall(levels: Sequence[Decimal]) -> Decimal:
    peak = largest = _ZERO
    for level in levels:
        peak = max(peak, level)
        largest = max(largest, peak - level)
    return largest


def _sum_of_squares(values: Sequence[Decimal]) -> Decimal:
    return sum((one * one for one in values), _ZERO)


def _annual_ratio(mean: Decimal, variance: Decimal) -> Decimal | None:
    if not variance:
        return None
    return _decimal(float(mean) / math.sqrt(variance) * math.sqrt(DAYS_A_YEAR))


def _decimal(value: float) -> Decimal | None:
    return Decimal(repr(value)) if math.isfinite(value) else None
