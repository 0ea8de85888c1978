"""Writes the weekly letter to the admins: each strategy's leader beside its followers. NoticeSender sends it.

The letter is read from the stored days. It shows the strategies whose followers fell behind most, and counts the rest.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from functools import partial
from typing import Final

from shared.clock import utc_now
from shared.concurrency import run_concurrently
from shared.models.base import LISTED, in_chunks
from shared.models.performance_day import PerformanceDay, TradeLedger
from shared.models.strategy import Strategy
from shared.models.strategy_follower_day import StrategyFollowerDay
from shared.notifications.notice_types import StrategiesReport
from shared.notifications.notices import is_switched_on, notify
from shared.notifications.recipients import ADMINS
from shared.notifications.report_values import StrategyWeek
from shared.observability import logger
from shared.trading.distribution import compounded_pct, distribution_of
from shared.trading.performance import performance_of

ROWS: Final = 10
_CHUNK = 50
_STEP = Decimal("1e-8")


def send_weekly(*, before: date) -> dict[str, str | int]:
    """Send the letter of the last week that had ended when a day began, once; return its first day and strategies."""
    last_day = before - timedelta(days=before.weekday() + 1)
    first_day = last_day - timedelta(days=6)
    if not is_switched_on(StrategiesReport.kind):
        logger.info("strategies_letter_switched_off")
        return {"firstDay": first_day.isoformat(), "strategies": 0}
    weeks = sorted(_weeks(first_day, last_day), key=_behind, reverse=True)
    if weeks:
        values = StrategiesReport(
            first_day=first_day, last_day=last_day, weeks=tuple(weeks[:ROWS]), more=max(len(weeks) - ROWS, 0)
        )
        notify(values, to=ADMINS, cause=f"{first_day.isoformat()}/{last_day.isoformat()}", at=utc_now())
    logger.info("strategies_letter_written", first_day=first_day.isoformat(), strategies=len(weeks))
    return {"firstDay": first_day.isoformat(), "strategies": len(weeks)}


def _weeks(first_day: date, last_day: date) -> Iterator[StrategyWeek]:
    """Yield the week of each strategy in which its leader or a follower traded."""
    keys = (key.id for key in Strategy.by_created.query(LISTED))
    for chunk in in_chunks(keys, _CHUNK):
        strategies = Strategy.find_many(chunk).values()
        found = run_concurrently(partial(week_of, first_day=first_day, last_day=last_day), strategies)
        yield from (week for week in found if week is not None)


def week_of(strategy: Strategy, *, first_day: date, last_day: date) -> StrategyWeek | None:
    """Return a strategy's week, or None where nothing happened."""
    first, last = first_day.isoformat(), last_day.isoformat()
    leader = performance_of(PerformanceDay.since(TradeLedger.LEADER, strategy.id, first, last_day=last))
    days = list(StrategyFollowerDay.since(strategy.id, first, last_day=last))
    if not (leader.days or days):
        return None
    medians = [returns.median for day in days if (returns := day.returns) is not None]
    slippages = distribution_of((slippage.median for day in days if (slippage := day.slippage) is not None), step=_STEP)
    return StrategyWeek(
        strategy_name=strategy.name,
        leader_profit=leader.total_profit,
        leader_pct=leader.return_pct,
        followers_pct=compounded_pct(medians) if medians else None,
        asked=sum(day.asked for day in days),
        reached=sum(day.reached for day in days),
        slippage_pct=slippages.median if slippages is not None else None,
    )


def _behind(week: StrategyWeek) -> Decimal:
    return (week.leader_pct or Decimal(0)) - (week.followers_pct or Decimal(0))
