"""The values of a report on a period. Calculates nothing: `shared.trading.performance` does."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Final

ASSET: Final = "USDT"
"""The currency of every amount of money in a report."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """The result of one part of the trades: the strategies', or the user's own."""

    profit: Decimal
    """After fees."""
    fee: Decimal
    trades: int
    winning_trades: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DayResult:
    """The result of one day."""

    day: date
    profit: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedTrade:
    """One of the latest trades."""

    strategy_name: str
    symbol: str
    long: bool
    profit: Decimal
    """After fees, in the quote asset."""
    profit_pct: Decimal | None
    closed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodFigures:
    """A user's trades that were closed in a period. Days are UTC, a figure that is undefined is None."""

    first_day: date
    last_day: date
    profit: Decimal
    """After fees."""
    profit_pct: Decimal | None
    fee: Decimal
    trades: int
    winning_trades: int
    losing_trades: int
    win_rate_pct: Decimal | None
    max_drawdown: Decimal
    max_drawdown_pct: Decimal | None
    highest: Decimal
    """The highest cumulative profit at the end of a day; the period begins at 0."""
    lowest: Decimal
    balance: Decimal | None
    """The accounts' balance after their last trade."""
    best_day: DayResult
    worst_day: DayResult
    """The worst of the days with trades."""
    strategies: Share
    manual: Share
    latest: tuple[ClosedTrade, ...] = ()
    """The strategies' latest trades, newest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategyWeek:
    """A strategy's week: its leader's account beside its followers."""

    strategy_name: str
    leader_profit: Decimal
    """After fees, in dollars."""
    leader_pct: Decimal | None
    """In percent of the leader's balance; None while that is unknown."""
    followers_pct: Decimal | None
    """The followers' median returns of each day, compounded; None where no position of a follower was closed."""
    asked: int
    """Entries that the week's alerts asked for."""
    reached: int
    """Those that were filled."""
    slippage_pct: Decimal | None
    """The median of the days' median slippages; None where nothing was filled."""
