"""Authenticates an alert and accepts it. Knows no HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from shared.acceptance import Acceptance, accept_alert
from shared.alert_identity import AlertIdTaken
from shared.api.alert_fields import Alert, field_fault, parse_alert
from shared.api.alert_json import Json
from shared.api.alert_secret import has_secret_of
from shared.concurrency import run_concurrently
from shared.errors import AccessDenied, RequestUnprocessable
from shared.models.strategy import Strategy
from shared.models.strategy_alerts import StrategyAlerts


def fire_strategy(fields: Mapping[str, Json], *, received_at: datetime) -> Acceptance:
    """Accept the alert that the body describes, once.

    Raise RequestUnprocessable or AccessDenied; any other error is our fault, and the alert may be sent again.
    """
    alert = parse_alert(fields)
    strategy, alerts = _authenticate(alert)
    if not strategy.active:
        raise RequestUnprocessable([field_fault(fields, "strategy", "must be active")])
    try:
        return accept_alert(
            strategy,
            alert.instruction,
            alerts=alerts,
            received_at=received_at,
            fired_at=alert.fired_at,
            win_rate=alert.win_rate,
            alert_id=alert.alert_id,
        )
    except AlertIdTaken as error:
        raise RequestUnprocessable([field_fault(fields, "alertId", "must not be used with another content")]) from error


def _authenticate(alert: Alert) -> tuple[Strategy, StrategyAlerts | None]:
    """Return the alert's strategy and the record of its alerts.

    Raise the same AccessDenied, after the same work, whether the strategy or the secret is wrong.
    """
    strategy, alerts = _read(alert.strategy_id)
    matches = has_secret_of(strategy, alert.secret)
    if strategy is None or not matches:
        raise AccessDenied("unauthorized", authenticated=False)
    return strategy, alerts


def _read(strategy_id: str) -> tuple[Strategy | None, StrategyAlerts | None]:
    """Read both at once, because TradingView waits for three seconds only."""
    found: list[Any] = run_concurrently(lambda table: table.find(strategy_id), (Strategy, StrategyAlerts))
    strategy, alerts = found
    return strategy, alerts
