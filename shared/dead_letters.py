"""Messages that failed ten times: reads them in their dead-letter queue, and sends them back. Handles none of them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from shared.clock import from_ms
from shared.queues import Queue
from shared.trading.lane_choice import FIRST_LANE, LANES

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef, SendMessageBatchRequestEntryTypeDef

QUEUES = (*Queue, *(f"{lane}-{Queue.ORDERS}" for lane in LANES if lane != FIRST_LANE))
"""The queues that have dead letters, by their names; those of further lanes included, which may not be in use."""

_BATCH = 10
_READ_FOR_S = 20
"""How long messages that are read are hidden at most: they are given back at once when the reading ends."""
_SENT_WITHIN_S = 60
"""How long messages that are being sent back are hidden; another who sends back does not get them meanwhile."""
_SEARCHED_FOR_S = 1
"""SQS asks all of its servers only if it may wait; else it may miss messages."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message in a dead-letter queue."""

    id: str
    body: str
    group: str | None
    """Of a FIFO queue."""
    sent_at: datetime
    """When it was sent to its queue first."""


def dead_letters_url(url: str, attributes: Mapping[str, str]) -> str | None:
    """Return the URL of a queue's dead-letter queue, by the queue's URL and attributes; None if it has none."""
    policy = json.loads(attributes.get("RedrivePolicy") or "{}")
    arn = str(policy.get("deadLetterTargetArn", ""))
    # A dead-letter queue is in the account and region of its queue.
    return f"{url.rpartition('/')[0]}/{arn.rpartition(':')[2]}" if arn else None


def read(sqs: SQSClient, url: str, *, limit: int) -> list[DeadLetter]:
    """Return up to `limit` messages of a dead-letter queue, and leave them there.

    While this lasts they are hidden from others who read or send back. Of a FIFO queue it may be ten only: SQS gives no
    more of a group while some of it are hidden.
    """
    taken: list[MessageTypeDef] = []
    try:
        while len(taken) < limit:
            found = _receive(sqs, url, at_most=limit - len(taken), hidden_for_s=_READ_FOR_S)
            if not found:
                break
            taken += found
    finally:
        _give_back(sqs, url, taken)
    return [_dead_letter(message) for message in taken]


def send_back(sqs: SQSClient, url: str, *, to: str, at_most: int) -> int:
    """Send up to `at_most` messages of a dead-letter queue to their queue, in order, and return how many were sent.

    Each is deleted once its queue has taken it. A FIFO queue drops the repeat of a message whose deletion was lost, by
    a de-duplication id of its own; elsewhere it arrives twice, which every reader bears.
    """
    sent = 0
    while sent < at_most:
        messages = _receive(sqs, url, at_most=at_most - sent, hidden_for_s=_SENT_WITHIN_S)
        if not messages:
            break
        taken = _send(sqs, to, messages)
        for chunk in _chunks(taken):
            sqs.delete_message_batch(
                QueueUrl=url,
                Entries=[
                    {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"]}
                    for number, message in enumerate(chunk)
                ],
            )
        sent += len(taken)
        if len(taken) < len(messages):
            _give_back(sqs, url, [message for message in messages if message not in taken])
            break
    return sent


def _receive(sqs: SQSClient, url: str, *, at_most: int, hidden_for_s: int) -> list[MessageTypeDef]:
    return sqs.receive_message(
        QueueUrl=url,
        MaxNumberOfMessages=min(at_most, _BATCH),
        VisibilityTimeout=hidden_for_s,
        WaitTimeSeconds=_SEARCHED_FOR_S,
        MessageSystemAttributeNames=["All"],
    ).get("Messages", [])


def _send(sqs: SQSClient, url: str, messages: Sequence[MessageTypeDef]) -> list[MessageTypeDef]:
    """Send messages to a queue, and return those that it has taken."""
    entries: list[SendMessageBatchRequestEntryTypeDef] = [
        {"Id": str(number), "MessageBody": message["Body"], **_place(message)}
        for number, message in enumerate(messages)
    ]
    answer = sqs.send_message_batch(QueueUrl=url, Entries=entries)
    failed = {failure["Id"] for failure in answer.get("Failed", [])}
    return [message for number, message in enumerate(messages) if str(number) not in failed]


def _place(message: MessageTypeDef) -> SendMessageBatchRequestEntryTypeDef:
    group = message["Attributes"].get("MessageGroupId")
    if group is None:
        return {}  # type: ignore[typeddict-item]  # a part of one
    # A part of one, too.
    return {"MessageGroupId": group, "MessageDeduplicationId": f"again-{message['MessageId']}"}  # type: ignore[typeddict-item]


def _give_back(sqs: SQSClient, url: str, messages: Sequence[MessageTypeDef]) -> None:
    for chunk in _chunks(messages):
        sqs.change_message_visibility_batch(
            QueueUrl=url,
            Entries=[
                {"Id": str(number), "ReceiptHandle": message["ReceiptHandle"], "VisibilityTimeout": 0}
                for number, message in enumerate(chunk)
            ],
        )


def _chunks(messages: Sequence[MessageTypeDef]) -> Iterator[Sequence[MessageTypeDef]]:
    for start in range(0, len(messages), _BATCH):
        yield messages[start : start + _BATCH]


def _dead_letter(message: MessageTypeDef) -> DeadLetter:
    attributes = message["Attributes"]
    return DeadLetter(
        id=message["MessageId"],
        body=message["Body"],
        group=attributes.get("MessageGroupId"),
        sent_at=from_ms(int(attributes["SentTimestamp"])),
    )
