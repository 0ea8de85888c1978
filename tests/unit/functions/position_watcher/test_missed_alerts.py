"""An alert that does not come in the time in which its strategy expects one is reported once."""

from __future__ import annotations

import io
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest

from functions.position_watcher import missed_alerts
from shared.acceptance import accept_alert
from shared.clock import from_iso, to_iso
from shared.models.strategy import Strategy
from shared.models.strategy_alerts import StrategyAlerts
from shared.trading.exits import Exit
from shared.trading.sides import TriggerAction
from tests import builders
from tests.builders import saved

NOON = from_iso("2026-11-29T12:00:00.000Z")

pytestmark = pytest.mark.usefixtures("tables")


def after(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def a_strategy(**values: Any) -> Strategy:
    """Store a strategy that expects an alert every hour, and was changed at noon."""
    return saved(builders.strategy(at=NOON, **({"expect_every": 60} | values)))


def accept(strategy: Strategy, *, at: datetime) -> None:
    accept_alert(strategy, Exit(TriggerAction.CLOSE), alerts=StrategyAlerts.find(strategy.id), received_at=at)


@pytest.mark.rings("AlertMissedAlarm")
def test_missed_alert_rings_once(log: io.StringIO) -> None:
    strategy = a_strategy()
    assert [missed_alerts.report_missed(after(minutes)) for minutes in (60, 61, 62, 300)] == [0, 1, 0, 0]
    [line] = [json.loads(one) for one in log.getvalue().splitlines() if "alert_missed" in one]
    assert (line["strategy_id"], line["since"], line["expect_every_min"]) == (strategy.id, to_iso(NOON), 60)


def test_alert_begins_another_wait() -> None:
    strategy = a_strategy()
    accept(strategy, at=after(50))
    assert missed_alerts.report_missed(after(110)) == 0
    assert missed_alerts.report_missed(after(111)) == 1
    accept(strategy, at=after(120))
    assert missed_alerts.report_missed(after(180)) == 0
    assert missed_alerts.report_missed(after(181)) == 1


def test_change_of_the_strategy_begins_another_wait() -> None:
    strategy = a_strategy(active=False)
    assert missed_alerts.report_missed(after(500)) == 0
    strategy.update(actions=[Strategy.active.set(True), Strategy.updated_at.set(after(500))])
    assert missed_alerts.report_missed(after(560)) == 0
    assert missed_alerts.report_missed(after(561)) == 1


def test_strategy_without_an_expectation_misses_nothing() -> None:
    a_strategy(expect_every=None)
    assert missed_alerts.report_missed(after(10**6)) == 0


def test_each_strategy_is_reported_by_one_of_several_watchers() -> None:
    for _ in range(3):
        a_strategy()
    with ThreadPoolExecutor(4) as watchers:
        assert sum(watchers.map(missed_alerts.report_missed, [after(61)] * 4)) == 3


def test_strategy_that_is_changed_meanwhile_is_not_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    strategy = a_strategy()
    read = Strategy.find_many

    def read_then_change(keys: Any, **options: Any) -> Any:
        found = read(keys, **options)
        strategy.update(actions=[Strategy.updated_at.set(after(60))])
        return found

    monkeypatch.setattr(Strategy, "find_many", read_then_change)
    assert missed_alerts.report_missed(after(61)) == 0
    assert Strategy.get(strategy.id).alert_missed_since is None
