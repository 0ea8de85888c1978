"""The overview on a real engine, whose reads run side by side."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from functions.admin_operation import overview
from shared.clock import utc_now
from shared.queues import Queue
from shared.trading.execution import Desired, ExecutionState
from tests.builders import execution, follower, saved, trigger
from tests.integration.embedded_aws import EmbeddedAws, sqs_client


@pytest.fixture(autouse=True)
def _stack(aws: EmbeddedAws, settings_from: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    # Other tests leave executions in the same tables.
    monkeypatch.setattr(overview, "READ_WHOLE", 10_000)
    url = sqs_client(aws.url).create_queue(QueueName=f"trade-events-{uuid4().hex[:8]}")["QueueUrl"]
    settings_from(TRADE_EVENTS_DEAD_LETTERS_URL=url)


def test_what_needs_attention_is_found_by_both_indexes_and_every_queue_is_counted(aws: EmbeddedAws) -> None:
    now = utc_now()
    late: dict[str, Any] = {"desired": Desired.CLOSED, "close_requested_at": now - timedelta(minutes=5)}
    states: list[tuple[ExecutionState, dict[str, Any]]] = [
        (ExecutionState.FLATTENING, {}),
        (ExecutionState.PROTECTED, late),
        (ExecutionState.PROTECTED, {}),
    ]
    naked, hanging, fine = [
        saved(
            execution(
                trigger(str(uuid4())),
                follower(str(uuid4())),
                state=state,
                at=now - timedelta(minutes=10),
                due_at=now + timedelta(seconds=30),
                **values,
            )
        ).id
        for state, values in states
    ]
    sqs_client(aws.url).send_message(QueueUrl=aws.urls[Queue.REPORTS], MessageBody="{}")

    shown = overview.show_overview()

    found = {item["id"]: item["concern"] for item in shown["Attention"]["items"]}
    assert (found[naked], found[hanging], fine in found) == ("NAKED", "NO_PROGRESS", False)
    waiting = {one["queue"]: one["waiting"] for one in shown["queues"]}
    assert waiting == dict.fromkeys(Queue, 0) | {Queue.REPORTS: 1, overview.TRADE_EVENTS: None}
    assert shown["Attention"]["open"]["PROTECTED"] >= 2
