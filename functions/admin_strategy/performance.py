"""Shows what a strategy earned: on its leader's account, and for its followers, side by side. Reads days on record.

A day is in the list of followers if an alert was received or a position was closed on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TypedDict

from shared.api.answers import Day, Time
from shared.api.days import SinceQuery
from shared.clock import to_iso
from shared.models.performance_day import TradeLedger
from shared.models.strategy import Strategy
from shared.models.strategy_follower_day import StrategyFollowerDay
from shared.models.strategy_report import StrategyReport
from shared.trading.arithmetic import exact
from shared.trading.distribution import Distribution, compounded_pct, distribution_of
from shared.views.performance import PerformanceAnswer, get_performance

_STEP = Decimal("1e-8")


class Spread(TypedDict):
    """How values are spread over so many followers."""

    count: int
    least: Decimal
    lowerQuartile: Decimal
    median: Decimal
    upperQuartile: Decimal
    greatest: Decimal


class FollowerDayItem(TypedDict):
    """One day of all followers. `asked` are the entries that its alerts asked for, `reached` those that were filled."""

    date: Day
    alerts: int
    asked: int
    reached: int
    reachedPercentage: Decimal | None
    slippagePercentage: Spread | None
    followers: int
    profit: Decimal
    returnPercentage: Spread | None


class CompoundedReturn(TypedDict):
    """The quartiles of each day, compounded: what a follower got who was at that quartile every day."""

    lowerQuartile: Decimal
    median: Decimal
    upperQuartile: Decimal


class FollowersPerformance(TypedDict):
    """All followers of a strategy. Slippage is the median of the days' medians, against the alert's price."""

    alerts: int
    asked: int
    reached: int
    reachedPercentage: Decimal | None
    slippagePercentage: Decimal | None
    profit: Decimal
    returnPercentage: CompoundedReturn | None
    items: list[FollowerDayItem]


class StrategyPerformance(TypedDict):
    """Get Strategy Performance: `leader` as of one user, of the report key's account.

    The two are reported for the days before `leaderReportedBefore` and `followersReportedBefore`; null before the first
    report.
    """

    leader: PerformanceAnswer
    followers: FollowersPerformance
    leaderReportedBefore: Day | None
    followersReportedBefore: Day | None
    reportKeyRefusedSince: Time | None


def show_performance(strategy: Strategy, query: SinceQuery) -> StrategyPerformance:
    """Return the performance from the day of `start` on, else of everything."""
    report = StrategyReport.of(strategy.id)
    days = list(StrategyFollowerDay.since(strategy.id, query.first_day))
    refused_since = report.refused_since
    return {
        "leader": get_performance(strategy.id, TradeLedger.LEADER, query),
        "followers": _followers(days),
        "leaderReportedBefore": report.leader_next_day,
        "followersReportedBefore": report.followers_next_day,
        "reportKeyRefusedSince": None if refused_since is None else to_iso(refused_since),
    }


def _followers(days: Sequence[StrategyFollowerDay]) -> FollowersPerformance:
    asked, reached = sum(day.asked for day in days), sum(day.reached for day in days)
    returns = [found for day in days if (found := day.returns) is not None]
    slippage = distribution_of((found.median for day in days if (found := day.slippage) is not None), step=_STEP)
    with exact():
        profit = sum((day.profit for day in days), Decimal(0))
    return {
        "alerts": sum(day.alerts for day in days),
        "asked": asked,
        "reached": reached,
        "reachedPercentage": _share(reached, asked),
        "slippagePercentage": slippage.median if slippage is not None else None,
        "profit": profit,
        "returnPercentage": _compounded(returns) if returns else None,
        "items": [_item(day) for day in days],
    }


def _compounded(returns: Sequence[Distribution]) -> CompoundedReturn:
    return {
        "lowerQuartile": compounded_pct(one.lower_quartile for one in returns).quantize(_STEP),
        "median": compounded_pct(one.median for one in returns).quantize(_STEP),
        "upperQuartile": compounded_pct(one.upper_quartile for one in returns).quantize(_STEP),
    }


def _item(day: StrategyFollowerDay) -> FollowerDayItem:
    return {
        "date": day.date,
        "alerts": day.alerts,
        "asked": day.asked,
        "reached": day.reached,
        "reachedPercentage": _share(day.reached, day.asked),
        "slippagePercentage": _spread(day.slippage),
        "followers": day.followers,
        "profit": day.profit,
        "returnPercentage": _spread(day.returns),
    }


def _spread(found: Distribution | None) -> Spread | None:
    if found is None:
        return None
    return {
        "count": found.count,
        "least": found.least,
        "lowerQuartile": found.lower_quartile,
        "median": found.median,
        "upperQuartile": found.upper_quartile,
        "greatest": found.greatest,
    }


def _share(part: int, whole: int) -> Decimal | None:
    return (Decimal(part * 100) / whole).quantize(_STEP) if whole else None
