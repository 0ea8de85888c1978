"""A failed record is delivered again after seconds, not after the queue's visibility time-out."""

from __future__ import annotations

import time
from typing import Any

import pytest

from functions.position_watcher import app as position_watcher
from functions.position_watcher import service as watching
from shared.config import settings
from shared.messages import Command, OrderMessage, ReconcileMessage, send_orders, send_reconcile
from shared.queues import Queue
from shared.worker import Record, run_batch
from tests.integration.embedded_aws import EmbeddedAws, sqs_client
from tests.lambda_context import FakeContext

VISIBILITY_S = 180


def delivered(aws: EmbeddedAws, *, within_s: float, queue: Queue = Queue.ORDERS) -> dict[str, Any] | None:
    """Return the queue's next message as Lambda would deliver it, with the queue's visibility time-out."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        answer = sqs_client(aws.url).receive_message(
            QueueUrl=settings().queue_urls[queue],
            AttributeNames=["All"],
            WaitTimeSeconds=1,
            VisibilityTimeout=VISIBILITY_S,
        )
        for message in answer.get("Messages", []):
            return {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
                "attributes": message["Attributes"],
            }
    return None


def test_failed_message_comes_again_within_seconds(aws: EmbeddedAws) -> None:
    send_orders(
        [OrderMessage(Command.OPEN, "execution", "key", "BTC/USDT")],
        delivery="1",
        queue_url=settings().queue_urls[Queue.ORDERS],
    )
    first = delivered(aws, within_s=10)
    assert first is not None

    async def fail(record: Record) -> None:
        raise RuntimeError("a fault of ours")

    answer = run_batch({"Records": [first]}, fail, deadline_s=10, queue=Queue.ORDERS)

    assert answer == {"batchItemFailures": [{"itemIdentifier": first["messageId"]}]}
    again = delivered(aws, within_s=10)
    assert again is not None
    assert again["messageId"] == first["messageId"]


def test_dead_man_message_that_the_watcher_fails_on_comes_again_within_seconds(
    aws: EmbeddedAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(execution_id: str) -> None:
        raise RuntimeError(f"a table has no room for the read of {execution_id}")

    monkeypatch.setattr(watching, "check_execution", fail)
    send_reconcile(ReconcileMessage("execution"), delay_s=0)
    first = delivered(aws, within_s=10, queue=Queue.RECONCILE)
    assert first is not None

    answer = position_watcher.lambda_handler({"Records": [first]}, FakeContext())

    assert answer == {"batchItemFailures": [{"itemIdentifier": first["messageId"]}]}
    again = delivered(aws, within_s=10, queue=Queue.RECONCILE)
    assert again is not None
    assert again["messageId"] == first["messageId"]
