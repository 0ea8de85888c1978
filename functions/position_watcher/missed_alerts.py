"""Tells the operator of strategies whose alert has not come in the time in which they expect one, once for each."""

from __future__ import annotations

from datetime import datetime

from shared.clock import to_iso
from shared.models.base import LISTED
from shared.models.strategy import Strategy
from shared.models.strategy_alerts import StrategyAlerts
from shared.observability import count_outcome, logger
from shared.trading.expected_alert import overdue_since


def report_missed(now: datetime) -> int:
    """Count and log each missed alert that was not reported yet; return how many there were."""
    listed = [found.id for found in Strategy.by_created.query(LISTED)]
    expecting = [one for one in Strategy.find_many(listed).values() if one.active and one.expect_every is not None]
    if not expecting:
        return 0
    alerts = StrategyAlerts.find_many((one.id for one in expecting), consistent=True)
    return sum(_report(strategy, alerts.get(strategy.id), now) for strategy in expecting)


def _report(strategy: Strategy, alerts: StrategyAlerts | None, now: datetime) -> bool:
    """Report the strategy's alert if it is overdue, and return whether this run is the one that reports it."""
    since = overdue_since(
        expect_every_min=strategy.expect_every,
        last_alert_at=None if alerts is None else alerts.last_accepted_at,
        changed_at=strategy.updated_at,
        now=now,
    )
    if since is None or since == strategy.alert_missed_since:
        return False
    # On record first: an alarm that rings each minute would hide the next strategy's. The condition holds back a
    # second watcher, and one that has read a strategy as it was before a change.
    reported = strategy.update_if(
        (Strategy.updated_at == strategy.updated_at)
        & (Strategy.alert_missed_since.does_not_exist() | (Strategy.alert_missed_since != since)),
        [Strategy.alert_missed_since.set(since)],
    )
    if reported:
        count_outcome("alert_missed")
        logger.warning(
            "alert_missed", strategy_id=strategy.id, since=to_iso(since), expect_every_min=strategy.expect_every
        )
    return reported
