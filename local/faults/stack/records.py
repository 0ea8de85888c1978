"""Reads the deployed stack's tables and queues from outside, as an operator does. Changes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from boto3.dynamodb.types import TypeDeserializer

from local.stack.deploy import client
from local.stack.places import STACK_NAME, Places

_DESERIALIZER = TypeDeserializer()
_BATCH = 100
_COUNTS = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)


class Records:
    """One stack's tables and queues."""

    def __init__(self, places: Places) -> None:
        self._dynamodb = client("dynamodb", places)
        self._sqs = client("sqs", places)
        self._queues: list[str] = self._sqs.list_queues(QueueNamePrefix=f"{STACK_NAME}-").get("QueueUrls", [])

    def executions(self, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Return the existing executions by id, read consistently."""
        return {one["id"]: one for one in self._get_many("executions", [{"id": {"S": one}} for one in ids])}

    def triggers(self, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Return the existing triggers by id."""
        return {one["id"]: one for one in self._get_many("triggers", [{"id": {"S": one}} for one in ids])}

    def active_count(self, trigger_id: str) -> int:
        """Return the recorded number of a trigger's active executions."""
        return sum(int(shard["active"]) for shard in self._query("trigger_counts", "trigger_id", trigger_id))

    def workers_of(self, execution_id: str) -> set[str]:
        """Return the workers that changed an execution."""
        events = self._query("execution_events", "execution_id", execution_id)
        return {event["worker"] for event in events if event.get("worker")}

    def dead_letters(self) -> int:
        """Return the number of dead letters."""
        return sum(self._count(url) for url in self._queues if "dead-letters" in url)

    def messages(self) -> int:
        """Return how many messages wait, are in flight or are delayed."""
        return sum(self._count(url) for url in self._queues if "dead-letters" not in url)

    def _count(self, url: str) -> int:
        found = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(_COUNTS))["Attributes"]
        return sum(int(found.get(name, 0)) for name in _COUNTS)

    def _get_many(self, table: str, keys: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        name, found = f"{STACK_NAME}-{table}", []
        for start in range(0, len(keys), _BATCH):
            asked = {name: {"Keys": list(keys[start : start + _BATCH]), "ConsistentRead": True}}
            while asked:
                answer = self._dynamodb.batch_get_item(RequestItems=asked)
                found += [_plain(item) for item in answer["Responses"].get(name, [])]
                asked = answer.get("UnprocessedKeys") or {}
        return found

    def _query(self, table: str, key: str, value: str) -> list[dict[str, Any]]:
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=f"{STACK_NAME}-{table}",
            KeyConditionExpression="#k = :v",
            ExpressionAttributeNames={"#k": key},
            ExpressionAttributeValues={":v": {"S": value}},
            ConsistentRead=True,
        )
        return [_plain(item) for page in pages for item in page["Items"]]


def _plain(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _DESERIALIZER.deserialize(value) for name, value in item.items()}
