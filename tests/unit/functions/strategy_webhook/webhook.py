"""A strategy with a webhook secret, alerts for it, and a caller of the webhook whose clock the test holds."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from functions.strategy_webhook import app
from shared.clock import from_iso, to_iso
from shared.models.strategy import Strategy
from shared.models.strategy_alerts import StrategyAlerts
from shared.models.trigger import Trigger
from tests import builders
from tests.lambda_context import FakeContext
from tests.unit.in_process_aws import Queues, aws_client

EVENTS = Path("events/strategy_webhook")
STRATEGY_ID = "61b79e6d-7e22-4f91-b508-ef5be6a21419"
SECRET = "secret"
STARTED_AT = from_iso("2022-09-09T01:57:36.304Z")

DOCUMENTED = {
    "strategy": STRATEGY_ID,
    "secret": SECRET,
    "orderPrice": "19286.5",
    "callbackRate": "2",
    "trailingTrigger": "95",
    "winRate": "49.55",
    "type": "buy",
    "stop": "19280.4",
    "stopType": "Limit",
    "takeProfit": "NaN",
    "takeProfitPrice1": "19288",
    "takeProfitPrice2": "19289.5",
    "takeProfitPrice3": "19291.1",
}
SELL = {
    "strategy": STRATEGY_ID,
    "secret": SECRET,
    "orderPrice": 19286.5,
    "type": "SELL",
    "stop": 19299.9,
    "stopType": "market",
    "takeProfit": 19200,
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What the webhook answered."""

    status: int
    body: Any
    headers: dict[str, str]


@dataclass
class Webhook:
    """The webhook of one test; `now` is its clock."""

    queues: Queues
    now: datetime = STARTED_AT
    context: FakeContext = field(default_factory=FakeContext)

    def post(self, fields: object, **changes: object) -> Answer:
        """Send fields as JSON."""
        return self.send(json.dumps({**fields, **changes} if isinstance(fields, dict) else fields))

    def send(self, body: str | None, *, method: str = "POST", path: str = "/v1/webhook/strategy") -> Answer:
        """Send a body as it is."""
        http = {"method": method, "path": path}
        return self.invoke({"rawPath": path, "requestContext": {"http": http}, "body": body})

    def sample(self, name: str) -> Answer:
        """Send one of the sample events."""
        return self.invoke(json.loads((EVENTS / f"{name}.json").read_text()))

    def invoke(self, event: dict[str, Any]) -> Answer:
        """Hand an event to the function."""
        answer = app.lambda_handler(event, self.context)  # type: ignore[arg-type]
        assert answer["headers"]["content-type"] == "application/json"
        return Answer(answer["statusCode"], json.loads(answer["body"]), answer["headers"])

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)

    def triggers(self) -> list[Trigger]:
        """Return every stored trigger of the strategy, in the order of `seq`."""
        return [Trigger.get(found.id) for found in Trigger.by_strategy.query(STRATEGY_ID)]

    def queued(self) -> list[str]:
        """Take the ids of the triggers that were queued since the last call."""
        return [message["trigger_id"] for message in self.queues.sent_to(self.queues.triggers)]

    def questions(self) -> int:
        """Return how many dead-man messages about triggers are delayed."""
        wanted = "ApproximateNumberOfMessagesDelayed"
        found = aws_client("sqs").get_queue_attributes(QueueUrl=self.queues.reconcile, AttributeNames=[wanted])
        return int(found["Attributes"][wanted])


def save_strategy(
    strategy_id: str = STRATEGY_ID, *, active: bool = True, secret: str | None = SECRET, **values: Any
) -> Strategy:
    """Store a strategy."""
    strategy = builders.strategy(
        strategy_id,
        at=STARTED_AT,
        active=active,
        name="Momentum",
        webhook_secret_hash=None if secret is None else hashlib.sha256(secret.encode()).hexdigest(),
        **values,
    )
    strategy.save()
    return strategy


def stored_alerts() -> StrategyAlerts | None:
    """Return the strategy's place in time."""
    return StrategyAlerts.find(STRATEGY_ID)


def accepted(webhook: Webhook, fields: dict[str, Any], *, fired_s: float | None = None, **changes: Any) -> Trigger:
    """Send an alert, which fired so many seconds after now if that is given; return its trigger."""
    if fired_s is not None:
        changes["firedAt"] = to_iso(webhook.now + timedelta(seconds=fired_s))
    answer = webhook.post(fields, **changes)
    assert answer.status == 200, answer.body
    return Trigger.get(answer.body["id"])


def faults(webhook: Webhook, fields: dict[str, Any], **changes: Any) -> list[tuple[str, str]]:
    """Send an alert that is refused with 422; return parameter and message of each fault."""
    answer = webhook.post(fields, **changes)
    assert answer.status == 422
    return [(fault["param"], fault["msg"]) for fault in answer.body["errors"]]
