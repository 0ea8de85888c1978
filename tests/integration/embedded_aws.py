"""The embedded AWS of an integration test: clients of it, and its queues."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from typing import Any

import boto3

from shared.models.base import Table
from shared.models.egress_lane import EgressLane
from shared.models.lane_refusal import LaneRefusal
from tests.queues import QueueUrls

REGION = "us-east-1"


@dataclass(frozen=True, kw_only=True)
class EmbeddedAws(QueueUrls):
    """The AWS of one test: fresh queues, and tables that it shares with the other tests."""

    url: str

    def taken_from(self, queue_url: str) -> list[dict[str, Any]]:
        """Take every message that a queue holds now: its body with its group and de-duplication id."""
        sqs = sqs_client(self.url)
        taken: list[dict[str, Any]] = []
        while found := sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10, AttributeNames=["All"]).get(
            "Messages"
        ):
            for message in found:
                attributes = message["Attributes"]
                taken.append(
                    {
                        **json.loads(message["Body"]),
                        "group": attributes.get("MessageGroupId"),
                        "dedup": attributes.get("MessageDeduplicationId"),
                    }
                )
                # Deleted, so that FIFO gives the rest of the group.
                sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
        return taken


@cache
def sqs_client(url: str) -> Any:
    """Return a client of the embedded AWS's queues."""
    return boto3.client(
        "sqs", endpoint_url=url, region_name=REGION, aws_access_key_id="test", aws_secret_access_key="test"
    )


@cache
def kms_key(url: str) -> str:
    """Return a key of the embedded AWS's KMS."""
    kms = boto3.client(
        "kms", endpoint_url=url, region_name=REGION, aws_access_key_id="test", aws_secret_access_key="test"
    )
    key: str = kms.create_key()["KeyMetadata"]["KeyId"]
    return key


@cache
def create_tables(url: str) -> None:
    """Create every table in the embedded AWS at this address, which the settings point at; once for all tests."""
    for model in Table.__subclasses__():
        if not model.exists():
            model.create_table(billing_mode="PAY_PER_REQUEST", wait=True)


def reset_lanes() -> None:
    """Delete every lane's usage, pauses, bans and refusals.

    A test whose exchange has a clock ahead of ours leaves a lane with a minute that has not begun, in which no other
    test could hold weight.
    """
    for record in (*EgressLane.scan(), *LaneRefusal.scan()):
        record.delete()
