from __future__ import annotations

import json
from typing import Any

import pytest

from functions.admin_operation.app import lambda_handler
from shared import dead_letters
from shared.models.egress_lane import EgressLane
from tests.unit.admin_requests import Answer, fault, sample, send, with_body
from tests.unit.in_process_aws import Queues, aws_client

NO_QUEUE = "must be queue with dead letters"


@pytest.fixture
def queues(admin_api: Queues, monkeypatch: pytest.MonkeyPatch) -> Queues:
    monkeypatch.setattr(dead_letters, "_SEARCHED_FOR_S", 0)
    return admin_api


def add_dead_letters(url: str, name: str) -> str:
    """Give a queue a dead-letter queue, and return its URL."""
    sqs = aws_client("sqs")
    fifo = {"FifoQueue": "true"} if name.endswith(".fifo") else {}
    dead: str = sqs.create_queue(QueueName=name, Attributes=fifo)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 10})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": policy})
    return dead


def fill(url: str, number: int, **place: str) -> None:
    for one in range(number):
        named = {"MessageGroupId": f"group {one % 2}", "MessageDeduplicationId": str(one)} if "fifo" in url else {}
        aws_client("sqs").send_message(QueueUrl=url, MessageBody=json.dumps({"number": one}), **(named | place))


def shown(queue: str, **query: str) -> Answer:
    event = sample("admin_operation/list_dead_letters")
    return send(lambda_handler, event | {"queryStringParameters": {"queue": queue} | query})


def redrive(body: Any) -> Answer:
    return send(lambda_handler, with_body(sample("admin_operation/redrive_dead_letters"), body))


def test_dead_letters_are_shown_again_and_again_and_stay(queues: Queues) -> None:
    dead = add_dead_letters(queues.notices, "notices-dead-letters")
    fill(dead, 23)
    for _ in range(3):
        answer = shown("notices")
        assert answer.status == 200
        assert sorted(json.loads(one["body"])["number"] for one in answer.body["items"]) == list(range(23))
    assert {one["group"] for one in answer.body["items"]} == {None}
    assert len(shown("notices", limit="7").body["items"]) == 7
    assert len(queues.sent_to(dead)) == 23


def test_dead_letters_are_sent_back_once_each_and_a_repeat_sends_none(queues: Queues) -> None:
    dead = add_dead_letters(queues.orders, "orders-dead-letters.fifo")
    fill(dead, 12)
    shown("orders.fifo")
    answer = redrive({"queue": "orders.fifo"})
    assert (answer.status, answer.body) == (200, {"queue": "orders.fifo", "sent": 12, "left": 0})
    assert redrive({"queue": "orders.fifo"}).body == {"queue": "orders.fifo", "sent": 0, "left": 0}
    assert shown("orders.fifo").body == {"items": []}
    taken = queues.taken_from(queues.orders)
    by_group: dict[str, list[int]] = {}
    for message in taken:
        by_group.setdefault(message["Attributes"]["MessageGroupId"], []).append(json.loads(message["Body"])["number"])
    assert by_group == {"group 0": [0, 2, 4, 6, 8, 10], "group 1": [1, 3, 5, 7, 9, 11]}


def test_a_message_sent_back_is_not_taken_for_the_one_that_failed(queues: Queues) -> None:
    """The queue would drop a message with the de-duplication id that it has seen in the last five minutes."""
    dead = add_dead_letters(queues.orders, "orders-dead-letters.fifo")
    place = {"MessageGroupId": "key", "MessageDeduplicationId": "first"}
    aws_client("sqs").send_message(QueueUrl=queues.orders, MessageBody="{}", **place)
    queues.sent_to(queues.orders)
    aws_client("sqs").send_message(QueueUrl=dead, MessageBody="{}", **place)
    assert redrive({"queue": "orders.fifo"}).body["sent"] == 1
    (message,) = queues.taken_from(queues.orders)
    assert message["Attributes"]["MessageDeduplicationId"] != "first"


def test_what_the_queue_does_not_take_stays_and_can_be_sent_at_once(
    queues: Queues, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = add_dead_letters(queues.notices, "notices-dead-letters")
    fill(dead, 3)
    real = dead_letters._send
    with monkeypatch.context() as patch:
        patch.setattr(dead_letters, "_send", lambda sqs, url, messages: real(sqs, url, messages[:1]))
        assert redrive({"queue": "notices"}).body == {"queue": "notices", "sent": 1, "left": 2}
    assert redrive({"queue": "notices"}).body == {"queue": "notices", "sent": 2, "left": 0}


def test_a_further_lanes_dead_letters_are_reached(queues: Queues) -> None:
    assert shown("lane-2-orders.fifo").status == 422
    url = aws_client("sqs").create_queue(QueueName="lane-2-orders.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    EgressLane("lane-2", orders_queue_url=url).save()
    fill(add_dead_letters(url, "lane-2-orders-dead-letters.fifo"), 2)
    assert len(shown("lane-2-orders.fifo").body["items"]) == 2
    assert redrive({"queue": "lane-2-orders.fifo"}).body["sent"] == 2


@pytest.mark.parametrize("queue", ["", "orders", "trade-events", "lane-99-orders.fifo", "keys"])
def test_a_queue_without_dead_letters_is_a_fault(queues: Queues, queue: str) -> None:
    answer = shown(queue)
    assert (answer.status, answer.body["errors"]) == (422, [fault(NO_QUEUE, "queue", "query", value=queue)])
    answer = redrive({"queue": queue})
    assert (answer.status, answer.body["errors"]) == (422, [fault(NO_QUEUE, "queue", "body", value=queue)])


def test_all_faults_are_named(queues: Queues) -> None:
    event = sample("admin_operation/list_dead_letters") | {"queryStringParameters": {"limit": "101"}}
    assert send(lambda_handler, event).body["errors"] == [
        fault(NO_QUEUE, "queue", "query"),
        fault("must be integer from 1 to 100", "limit", "query", value="101"),
    ]
    assert redrive({"all": True}).body["errors"] == [
        fault(NO_QUEUE, "queue", "body"),
        fault("unknown field", "all", "body"),
    ]
