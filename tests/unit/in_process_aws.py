"""The AWS of a unit test, in this process: clients of it, and its queues."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from typing import Any

import boto3

from tests.queues import QueueUrls


@cache
def aws_client(service: str) -> Any:
    """Return a client of the in-process AWS; made once, because making one takes longer than most tests."""
    return boto3.client(service, region_name="us-east-1")  # type: ignore[call-overload]


@dataclass(frozen=True)
class Queues(QueueUrls):
    """The queues of one test, and what was sent to them."""

    def sent_to(self, queue_url: str) -> list[dict[str, Any]]:
        """Take every message that a queue holds now, in order, as the parsed bodies."""
        return [json.loads(message["Body"]) for message in self.taken_from(queue_url)]

    def taken_from(self, queue_url: str) -> list[dict[str, Any]]:
        """Take every message that a queue holds now, with its attributes (group, de-duplication id)."""
        client = aws_client("sqs")
        taken: list[dict[str, Any]] = []
        while messages := client.receive_message(
            QueueUrl=queue_url, MaxNumberOfMessages=10, AttributeNames=["All"]
        ).get("Messages"):
            for message in messages:
                taken.append(dict(message))
                # Deleted, so that FIFO gives the rest of the group.
                client.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
        return taken
