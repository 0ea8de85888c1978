from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from functions.admin_operation import dead_letters
from functions.admin_operation.dead_letters import DeadLetterQuery, RedriveBody
from shared.queues import Queue
from tests.integration.admin.at_once import all_at_once
from tests.integration.embedded_aws import EmbeddedAws, sqs_client

NUMBER = 60


@pytest.fixture(params=[Queue.NOTICES, Queue.ORDERS])
def queue(aws: EmbeddedAws, request: pytest.FixtureRequest) -> Queue:
    """Fill the dead letters of a queue."""
    found: Queue = request.param
    sqs, url = sqs_client(aws.url), aws.urls[found]
    base, dot, fifo = url.rpartition("/")[2].partition(".")
    attributes = {"FifoQueue": "true"} if found.is_fifo else {}
    dead = sqs.create_queue(QueueName=f"{base}-dead{dot}{fifo}", Attributes=attributes)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 10})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": policy})
    for number in range(NUMBER):
        named = {"MessageGroupId": f"key {number % 7}", "MessageDeduplicationId": str(number)} if found.is_fifo else {}
        sqs.send_message(QueueUrl=dead, MessageBody=json.dumps({"number": number}), **named)
    return found


def redrive(name: str) -> Callable[[int], Any]:
    return lambda _: dead_letters.redrive(RedriveBody.model_validate({"queue": name}))


def test_redrives_at_once_send_each_message_once_and_in_order(aws: EmbeddedAws, queue: Queue) -> None:
    answers: list[Any] = all_at_once(redrive(queue), times=4)
    sent = sum(answer["sent"] for answer in answers)
    # What another request had in its hands when one counted is sent by a later one.
    sent += redrive(queue)(0)["sent"]
    assert sent == NUMBER
    taken = aws.taken_from(aws.urls[queue])
    assert sorted(message["number"] for message in taken) == list(range(NUMBER))
    if queue.is_fifo:
        for group in {message["group"] for message in taken}:
            numbers = [message["number"] for message in taken if message["group"] == group]
            assert numbers == sorted(numbers)


def test_what_is_shown_can_be_sent_back_at_once(aws: EmbeddedAws, queue: Queue) -> None:
    query = DeadLetterQuery.model_validate({"queue": queue, "limit": "100"})
    shown = dead_letters.list_dead_letters(query)["items"]
    # SQS gives no more of a group while some of it are being read.
    expected = range(10, NUMBER + 1) if queue.is_fifo else [NUMBER]
    assert len({one["id"] for one in shown}) == len(shown)
    assert len(shown) in expected
    assert redrive(queue)(0) == {"queue": queue, "sent": NUMBER, "left": 0}
    assert dead_letters.list_dead_letters(query)["items"] == []
