"""A strategy with a webhook secret, an alert for it, and a caller of the webhook whose clock the test holds."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from functions.strategy_webhook import app
from shared.api.maintenance import forget_cached_switch
from shared.models.idempotency_key import IdempotencyKey
from shared.models.refused_alert import RefusedAlert
from shared.models.strategy import Strategy
from shared.models.strategy_alerts import StrategyAlerts
from shared.models.trigger import Trigger
from tests.unit.functions.strategy_webhook.webhook import Webhook, save_strategy
from tests.unit.in_process_aws import Queues, aws_client


@pytest.fixture
def maintenance(settings_from: Callable[..., None]) -> Callable[[str], None]:
    """Return a function that sets the maintenance parameter."""

    def set_to(value: str) -> None:
        aws_client("ssm").put_parameter(Name="/lockstep/maintenance", Value=value, Type="String", Overwrite=True)
        forget_cached_switch()

    set_to("off")
    return set_to


@pytest.fixture
def webhook(aws: Queues, maintenance: object, monkeypatch: pytest.MonkeyPatch) -> Webhook:
    """Return the webhook of an active strategy that has had no alert yet."""
    for table in (Strategy, StrategyAlerts, Trigger, IdempotencyKey, RefusedAlert):
        table.create_table(billing_mode="PAY_PER_REQUEST")
    save_strategy()
    hook = Webhook(aws)
    monkeypatch.setattr(app, "utc_now", lambda: hook.now)
    return hook
