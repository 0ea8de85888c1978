"""The deployed inspector: its queue, its index, its tables, and the exchange through keys sealed by KMS."""

from __future__ import annotations

import json
from typing import Any

from boto3.dynamodb.types import TypeDeserializer

from local.stack.deploy import client
from local.stack.places import STACK_NAME
from shared.clock import to_iso, utc_now
from shared.models.exchange_key import listed_shard_of
from tests.system.stack_client import Stack, wait_for


def verdict_of(stack: Stack, key_id: str) -> dict[str, Any] | None:
    answer = client("dynamodb", stack.running.places).get_item(
        TableName=f"{STACK_NAME}-key_readiness", Key={"api_key_id": {"S": key_id}}, ConsistentRead=True
    )
    item = answer.get("Item")
    return None if item is None else {name: TypeDeserializer().deserialize(value) for name, value in item.items()}


def queue_inspection(stack: Stack, key_id: str) -> None:
    """Queue an inspection of a key now; the schedule's messages are delayed by minutes."""
    client("sqs", stack.running.places).send_message(
        QueueUrl=stack.running.deployed.outputs["KeysQueueUrl"],
        MessageBody=json.dumps({"api_key_id": key_id, "asked_at": to_iso(utc_now())}),
    )


def test_keys_are_queued_in_their_quarter_of_an_hour_and_judged(stack: Stack) -> None:
    good, withdrawing = stack.add_strategy("HEALTH", followers=2).followers
    stack.paper("PUT", f"accounts/{withdrawing['api_key']}", {"canWithdraw": True})
    shard = int(listed_shard_of(good["api_key_id"]).split("#")[1])
    at = utc_now().replace(hour=shard // 4, minute=shard % 4 * 15 + 5)

    stack.wait_for_weight()
    answer = stack.invoke("KeyInspector", {"source": "aws.events", "time": to_iso(at)})
    queue_inspection(stack, good["api_key_id"])
    queue_inspection(stack, withdrawing["api_key_id"])

    assert (answer["shard"], answer["keys"] >= 1) == (shard, True)
    verdicts = [
        wait_for("a verdict", lambda key_id=one["api_key_id"]: verdict_of(stack, key_id))  # type: ignore[misc]
        for one in (good, withdrawing)
    ]
    assert [verdict["reasons"] for verdict in verdicts] == [[], ["WITHDRAWALS_ENABLED"]]


def test_user_of_a_key_that_the_exchange_refuses_is_told_at_once(stack: Stack) -> None:
    (follower,) = stack.add_strategy("REFUSED", followers=1).followers
    stack.paper("DELETE", f"accounts/{follower['api_key']}")
    queue_inspection(stack, follower["api_key_id"])

    def letters() -> list[str]:
        found = stack.request("GET", f"{stack.session['aws']}/_ministack/ses/messages", {}).json()["messages"]
        sent = [one for account in found.values() for one in account if "refused-1@example.com" in one["To"]]
        return [one["Subject"] for one in sent if "refuses your key" in one["Subject"]]

    assert wait_for("the letter", letters) == ["Lockstep: The exchange refuses your key"]
