"""Decides which strategies are reported, and runs the steps of a report. The leader's and the followers' are apart.

Days are made whole, from what the exchange and the executions show of them, and stored in place of what there was: a
repeat changes nothing.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final

from functions.strategy_reporter.follower_days import report_followers
from functions.strategy_reporter.leader_account import LeaderHistory, read_history
from functions.strategy_reporter.leader_days import leader_days
from shared.clock import utc_now
from shared.errors import ExchangeAuthorizationFailed, ExchangeError, ServiceUnavailable
from shared.exchange import account_queries, lanes
from shared.exchange.account_fills import INCOME_DAYS
from shared.exchange.account_value import prices_for
from shared.messages import StrategyPageMessage, StrategyReportMessage, send_strategy_reports
from shared.models.base import LISTED
from shared.models.exchange_key import ExchangeKey, StrategyType, TradeType
from shared.models.performance_day import PerformanceDay, TradeLedger
from shared.models.strategy import Strategy
from shared.models.strategy_report import StrategyReport
from shared.notifications.notice_types import ReportKeyRefused
from shared.notifications.notices import notify
from shared.notifications.recipients import ADMINS
from shared.observability import count_outcome, logger
from shared.pacing import WeightPacer
from shared.process_state import process_cache
from shared.secrets import SecretKind
from shared.trading.valuation import usd_value

PAGE_SIZE: Final = 100
MAX_TRIES: Final = 5
"""An unreachable exchange is retried four times; the next day's report begins where this one should have."""

HELD_WEIGHT: Final = 60
"""The request weight that a report asks of the lane: a day's takes 40."""

_MONEY = Decimal("1e-8")
_DAY = timedelta(days=1)


@process_cache
def pacer() -> WeightPacer:
    """Return this container's pacer: there are at most two, which use 20 % of a futures address's budget."""
    return WeightPacer(weight_per_minute=240)


def start_reports(*, before: date) -> dict[str, str]:
    """Queue the first page of the strategies, to be reported for the days before a day."""
    send_strategy_reports([StrategyPageMessage(before.isoformat(), after="")])
    logger.info("strategy_reports_begun", before=before.isoformat())
    return {"before": before.isoformat()}


def queue_strategy(strategy_id: str, *, before: date) -> dict[str, str]:
    """Queue one strategy, now."""
    send_strategy_reports([StrategyReportMessage(before.isoformat(), strategy_id)])
    return {"before": before.isoformat()}


def fan_out_page(message: StrategyPageMessage) -> None:
    """Queue a report for each strategy of a page, then the next page."""
    condition = Strategy.created_key > message.after if message.after else None
    found = list(Strategy.by_created.query(LISTED, condition, limit=PAGE_SIZE))
    send_strategy_reports([StrategyReportMessage(message.before, strategy.id) for strategy in found])
    if len(found) == PAGE_SIZE:
        send_strategy_reports([StrategyPageMessage(message.before, found[-1].created_key)])
    logger.info("strategy_reports_spread", before=message.before, strategies=len(found))


async def report_strategy(message: StrategyReportMessage, *, last_try: bool) -> None:
    """Report a strategy for every day before the message's that is not reported yet; raise to be retried."""
    strategy = await asyncio.to_thread(Strategy.find, message.strategy_id)
    if strategy is None:
        return
    # A day is reported once it is over, whatever a message says.
    before = min(date.fromisoformat(message.before), utc_now().date())
    progress = await asyncio.to_thread(StrategyReport.of, strategy.id)
    await asyncio.to_thread(_report_followers, strategy, progress, before)
    if not strategy.active:
        # Nobody follows its leader now. Should it be active again, its days are read then.
        return
    try:
        await _report_leader(strategy, progress, before)
    except ExchangeAuthorizationFailed:
        await asyncio.to_thread(_record_refusal, strategy, progress)
    except (ServiceUnavailable, ExchangeError) as error:
        if not last_try:
            raise
        logger.error("strategy_not_reported", strategy_id=strategy.id, error=type(error).__name__)
        count_outcome("strategy_not_reported")


def _report_followers(strategy: Strategy, progress: StrategyReport, before: date) -> None:
    day = _first_day(strategy, progress.followers_next_day)
    while day < before:
        first_seq = report_followers(strategy.id, day, first_seq=progress.first_seq)
        day += _DAY
        progress.advance_followers(day.isoformat(), first_seq=first_seq)


async def _report_leader(strategy: Strategy, progress: StrategyReport, before: date) -> None:
    now = utc_now()
    first_day = max(_first_day(strategy, progress.leader_next_day), now.date() - timedelta(days=INCOME_DAYS))
    if first_day >= before:
        return
    since = max(datetime.combine(first_day, time(), tzinfo=UTC), strategy.created_at)

    async def read(client: Any) -> LeaderHistory:
        return await read_history(client, strategy.symbol, since=since, now=now)

    held = lanes.background_work(lanes.DEFAULT_LANE, HELD_WEIGHT)
    async with pacer().turn() as add_weight, held:
        try:
            history = await account_queries.read_through(_report_key(strategy), read, kind=SecretKind.REPORT_KEY)
        finally:
            await lanes.flush()
        add_weight(history.weight)
    assets = {asset for fill in history.fills for asset in (fill.quote, fill.fee_currency)}
    assets |= {income.asset for income in history.incomes}
    valued = dict.fromkeys(assets, Decimal(1)) | dict(history.amounts)
    prices = await prices_for(valued, TradeType.FUTURES)
    complete = history.is_complete(now)
    reported_before = min(before, history.complete_until.date())
    days = leader_days(
        history.fills,
        history.incomes,
        prices=prices,
        balance_now=usd_value(history.amounts, prices).total.quantize(_MONEY) if complete else None,
        before=reported_before,
    )

    def store() -> None:
        for one in days:
            PerformanceDay.replace(TradeLedger.LEADER, strategy.id, one.day, funding=one.funding)
        progress.advance_leader(max(reported_before, first_day).isoformat())

    await asyncio.to_thread(store)
    count_outcome("strategy_reported")
    logger.info("strategy_reported", strategy_id=strategy.id, days=len(days), complete=complete)
    if complete:
        return
    if reported_before <= first_day:
        # One day has more fills than a run reads: an operator raises the number of pages.
        logger.error("strategy_day_too_long", strategy_id=strategy.id, day=first_day.isoformat())
        count_outcome("strategy_not_reported")
    else:
        rest = StrategyReportMessage(before.isoformat(), strategy.id)
        await asyncio.to_thread(send_strategy_reports, [rest])


def _first_day(strategy: Strategy, next_day: str | None) -> date:
    return date.fromisoformat(next_day) if next_day is not None else strategy.created_at.date()


def _report_key(strategy: Strategy) -> ExchangeKey:
    """Return the report key as a key of ours, for reading only; it is never stored."""
    return ExchangeKey(
        strategy.id,
        user_id="",
        created_key="",
        trade_type=TradeType.FUTURES,
        strategy_type=StrategyType.MANUAL,
        api_key=strategy.report_api_key,
        secret_ciphertext=strategy.report_secret_ciphertext,
        egress_lane=lanes.DEFAULT_LANE,
    )


def _record_refusal(strategy: Strategy, progress: StrategyReport) -> None:
    since = progress.record_refusal(utc_now())
    count_outcome("report_key_refused")
    logger.warning("report_key_refused", strategy_id=strategy.id)
    values = ReportKeyRefused(strategy_id=strategy.id, strategy_name=strategy.name, at=since)
    notify(values, to=ADMINS, cause=f"{strategy.id} {since.isoformat()}", at=since)
