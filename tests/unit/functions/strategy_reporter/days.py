"""Days of a strategy's report, as StrategyReporter stores them."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from shared.clock import utc_now
from shared.models.performance_day import PerformanceDay, TradeLedger
from shared.models.strategy_follower_day import StrategyFollowerDay, stored
from shared.trading.distribution import distribution_of
from shared.trading.performance import AccountDay

MONDAY = date(2022, 9, 5)


def a_leader_day(strategy_id: str, profit: str, *, day: date = MONDAY) -> None:
    """Store a day with one trade, on an account that had 1,000 before it."""
    made = AccountDay(
        date=day,
        account="report",
        profit=Decimal(profit),
        fee=Decimal(1),
        trades=1,
        winning_trades=1,
        losing_trades=0,
        won=Decimal(profit),
        lost=Decimal(0),
        opening_balance=Decimal(1000),
        closed_balance=1000 + Decimal(profit),
    )
    PerformanceDay.replace(TradeLedger.LEADER, strategy_id, made, funding=Decimal(0))


def a_follower_day(strategy_id: str, day: date, *, returns: str = "", slippage: str = "", profit: str = "0") -> None:
    """Store a day of followers, with their returns and slippages in percent, separated by blanks."""
    earned, worse = ([Decimal(one) for one in text.split()] for text in (returns, slippage))
    StrategyFollowerDay(
        strategy_id,
        day.isoformat(),
        alerts=1,
        asked=10,
        reached=9,
        followers=len(earned),
        profit=Decimal(profit),
        return_pct=stored(distribution_of(earned, step=Decimal("1e-8"))),
        slippage_pct=stored(distribution_of(worse, step=Decimal("1e-8"))),
        updated_at=utc_now(),
    ).save()
