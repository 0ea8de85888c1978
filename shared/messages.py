"""What the functions say to each other over SQS: the messages, and how they are sent. Handles none of them."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from shared.clock import from_iso, to_iso
from shared.config import settings
from shared.errors import LockstepError
from shared.queues import Queue
from shared.scheduling import DEAD_MAN_DELAYS_S

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

LONGEST_DELAY_S = 900
"""SQS's longest delay of a message."""

_BATCH = 10
_SEND_ATTEMPTS = 4


class MessageNotSent(LockstepError):
    """SQS did not take a message after several attempts; what it was about must stay due."""


class MessageMalformed(LockstepError):
    """A message on one of our queues cannot be read: a fault of ours, left for the dead-letter queue."""


class Command(StrEnum):
    """What the order executor is asked to do with an execution."""

    OPEN = "OPEN"
    """Both halves of a trigger: close what an older trigger holds on the other side, then open."""
    CLOSE = "CLOSE"
    """Close the position, as an admin requested."""
    RECONCILE = "SETTLE"
    """Reconcile ledger and exchange: go on from where a crashed worker stopped, book what has ended."""


@dataclass(frozen=True, slots=True)
class TriggerMessage:
    """`triggers.fifo`, group = strategy: a trigger is stored and waits for its fan-out."""

    trigger_id: str
    strategy_id: str


@dataclass(frozen=True, slots=True)
class OrderMessage:
    """`orders.fifo`: work on one execution."""

    command: Command
    execution_id: str
    api_key_id: str
    symbol: str


@dataclass(frozen=True, slots=True)
class ReconcileMessage:
    """`reconcile`, delayed: look whether this execution is protected by now (the dead-man message)."""

    execution_id: str


@dataclass(frozen=True, slots=True)
class KeyMessage:
    """`keys`, `balances`, `imports`: look at this exchange key, unless that has been done since `asked_at`."""

    api_key_id: str
    asked_at: datetime


@dataclass(frozen=True, slots=True)
class FanoutCheck:
    """`reconcile`, delayed: look whether this trigger has been spread by now (the fan-out's dead-man message)."""

    trigger_id: str


@dataclass(frozen=True, slots=True)
class StripeEventMessage:
    """`stripe-events.fifo`, group = customer: an event is stored and waits to be applied."""

    event_id: str


@dataclass(frozen=True, slots=True)
class NoticeMessage:
    """`notices`: a notice is recorded and waits to be sent."""

    notice_id: str


class Report(StrEnum):
    """How long the period of a report is."""

    WEEKLY = "WEEKLY"
    MONTHLY = "MONTHLY"


@dataclass(frozen=True, slots=True)
class ReportPageMessage:
    """`reports`: the users that come next are to get their reports on these days."""

    report: Report
    first_day: str
    last_day: str
    after: str
    """The `created_key` of the last user that was dealt with; empty at the beginning."""


@dataclass(frozen=True, slots=True)
class ReportMessage:
    """`reports`: a user is to get a report on these days."""

    report: Report
    first_day: str
    last_day: str
    user_id: str


def read_trigger_message(body: str) -> TriggerMessage:
    """Return the message; raise MessageMalformed."""
    fields = _fields(body, "trigger_id", "strategy_id")
    return TriggerMessage(**fields)


def read_order_message(body: str) -> OrderMessage:
    """Return the message; raise MessageMalformed."""
    fields = _fields(body, "command", "execution_id", "api_key_id", "symbol")
    try:
        command = Command(fields.pop("command"))
    except ValueError as error:
        raise MessageMalformed("unknown command") from error
    return OrderMessage(command=command, **fields)


def read_reconcile_message(body: str) -> ReconcileMessage | FanoutCheck:
    """Return the message; raise MessageMalformed."""
    try:
        return ReconcileMessage(**_fields(body, "execution_id"))
    except MessageMalformed:
        return FanoutCheck(**_fields(body, "trigger_id"))


def read_key_message(body: str) -> KeyMessage:
    """Return the message; raise MessageMalformed."""
    fields = _fields(body, "api_key_id", "asked_at")
    try:
        asked_at = from_iso(fields["asked_at"])
    except ValueError as error:
        raise MessageMalformed("asked_at is no time") from error
    return KeyMessage(api_key_id=fields["api_key_id"], asked_at=asked_at)


def read_stripe_event_message(body: str) -> StripeEventMessage:
    """Return the message; raise MessageMalformed."""
    return StripeEventMessage(**_fields(body, "event_id"))


def read_notice_message(body: str) -> NoticeMessage:
    """Return the message; raise MessageMalformed."""
    return NoticeMessage(**_fields(body, "notice_id"))


def read_report_message(body: str) -> ReportPageMessage | ReportMessage:
    """Return the message; raise MessageMalformed."""
    fields = _fields(body, "report", "first_day", "last_day")
    try:
        report = Report(fields.pop("report"))
        for day in fields.values():
            date.fromisoformat(day)
    except ValueError as error:
        raise MessageMalformed("unknown report or day") from error
    if "user_id" in json.loads(body):
        return ReportMessage(report, **fields, **_fields(body, "user_id"))
    return ReportPageMessage(report, **fields, **_fields(body, "after"))


def connect() -> None:
    """Make the process's SQS client now rather than with the first message."""
    _sqs()


def send_trigger(message: TriggerMessage, *, dedup_id: str, in_order: bool = True) -> None:
    """Queue a trigger's fan-out, in order with the strategy's other triggers.

    One that is sent on because its worker may have died is not `in_order`: the dead one's message would hold it back.
    """
    _sqs().send_message(
        QueueUrl=_url(Queue.TRIGGERS),
        MessageBody=json.dumps(asdict(message)),
        MessageGroupId=message.strategy_id if in_order else dedup_id,
        MessageDeduplicationId=dedup_id,
    )


def send_orders(messages: Sequence[OrderMessage], *, delivery: str) -> None:
    """Queue work for the order executor; raise MessageNotSent if some of it was not taken.

    `delivery` tells this sending from an earlier one of the same work (SQS drops repeats for five minutes). Entries of
    one key keep their order, in the key's group. Exits and second looks go in groups of their own: a failed or dead
    worker's message must not hold them back, and the lease is the lock.
    """
    entries: list[SendMessageBatchRequestEntryTypeDef] = [
        {
            "Id": str(number),
            "MessageBody": json.dumps(asdict(message)),
            "MessageGroupId": _group_of(message, delivery),
            "MessageDeduplicationId": f"{message.execution_id}-{message.command.value}-{delivery}",
        }
        for number, message in enumerate(messages)
    ]
    for start in range(0, len(entries), _BATCH):
        _send_batch(Queue.ORDERS, entries[start : start + _BATCH])


def _group_of(message: OrderMessage, delivery: str) -> str:
    if message.command is Command.OPEN:
        return message.api_key_id
    return f"{message.execution_id}.{hashlib.sha256(delivery.encode()).hexdigest()[:16]}"


def send_reconcile(message: ReconcileMessage, *, delay_s: int) -> None:
    """Queue a look at an execution in `delay_s` seconds (at most LONGEST_DELAY_S)."""
    _sqs().send_message(QueueUrl=_url(Queue.RECONCILE), MessageBody=json.dumps(asdict(message)), DelaySeconds=delay_s)


def send_keys(messages: Sequence[KeyMessage], *, queue: Queue, over_s: int = 0, after_s: int = 0) -> None:
    """Queue looks at exchange keys, evenly over `over_s` seconds that begin after `after_s`; raise MessageNotSent.

    The last one is due in LONGEST_DELAY_S at most.
    """
    entries: list[SendMessageBatchRequestEntryTypeDef] = [
        {
            "Id": str(number),
            "MessageBody": json.dumps({"api_key_id": message.api_key_id, "asked_at": to_iso(message.asked_at)}),
            "DelaySeconds": after_s + number * over_s // len(messages),
        }
        for number, message in enumerate(messages)
    ]
    for start in range(0, len(entries), _BATCH):
        _send_batch(queue, entries[start : start + _BATCH])


def send_dead_man(messages: Sequence[ReconcileMessage | FanoutCheck]) -> None:
    """Queue the looks that find out whether a worker has died; raise MessageNotSent if some were not taken."""
    entries: list[SendMessageBatchRequestEntryTypeDef] = [
        {"Id": f"{number}-{delay_s}", "MessageBody": json.dumps(asdict(message)), "DelaySeconds": delay_s}
        for number, message in enumerate(messages)
        for delay_s in DEAD_MAN_DELAYS_S
    ]
    for start in range(0, len(entries), _BATCH):
        _send_batch(Queue.RECONCILE, entries[start : start + _BATCH])


def send_stripe_event(message: StripeEventMessage, *, customer_id: str) -> None:
    """Queue an event of Stripe's, one at a time for each customer; repeats within five minutes are dropped by SQS."""
    _sqs().send_message(
        QueueUrl=_url(Queue.STRIPE_EVENTS),
        MessageBody=json.dumps(asdict(message)),
        MessageGroupId=customer_id,
        MessageDeduplicationId=message.event_id,
    )


def send_notice(message: NoticeMessage, *, delay_s: int = 0) -> None:
    """Queue a notice that is due in `delay_s` seconds (at most LONGEST_DELAY_S)."""
    _sqs().send_message(QueueUrl=_url(Queue.NOTICES), MessageBody=json.dumps(asdict(message)), DelaySeconds=delay_s)


def send_reports(messages: Sequence[ReportPageMessage | ReportMessage]) -> None:
    """Queue reports, or pages of them; raise MessageNotSent if some of it was not taken."""
    entries: list[SendMessageBatchRequestEntryTypeDef] = [
        {"Id": str(number), "MessageBody": json.dumps(asdict(message))} for number, message in enumerate(messages)
    ]
    for start in range(0, len(entries), _BATCH):
        _send_batch(Queue.REPORTS, entries[start : start + _BATCH])


def retry_soon(queue: Queue, pauses_s: Mapping[str, int]) -> None:
    """Let messages that failed (receipt handle → seconds) come again then, not after the visibility time-out.

    Until then a FIFO queue holds back what comes after them in their groups.
    """
    handles = list(pauses_s.items())
    for start in range(0, len(handles), _BATCH):
        _sqs().change_message_visibility_batch(
            QueueUrl=_url(queue),
            Entries=[
                {"Id": str(number), "ReceiptHandle": handle, "VisibilityTimeout": pause_s}
                for number, (handle, pause_s) in enumerate(handles[start : start + _BATCH])
            ],
        )


def _send_batch(queue: Queue, entries: list[SendMessageBatchRequestEntryTypeDef]) -> None:
    # SQS takes a batch in part: what failed is sent again, in order, so that no follower is lost between two retries.
    for attempt in range(_SEND_ATTEMPTS):
        answer = _sqs().send_message_batch(QueueUrl=_url(queue), Entries=entries)
        failed = {failure["Id"] for failure in answer.get("Failed", [])}
        if not failed:
            return
        entries = [entry for entry in entries if entry["Id"] in failed]
        time.sleep(0.05 * 2**attempt)
    raise MessageNotSent(f"{len(entries)} message(s) not taken")


def _url(queue: Queue) -> str:
    return settings().queue_urls[queue]


def _fields(body: str, *names: str) -> dict[str, Any]:
    try:
        fields = json.loads(body)
    except ValueError as error:
        raise MessageMalformed("not JSON") from error
    if not isinstance(fields, dict) or any(not isinstance(fields.get(name), str) for name in names):
        raise MessageMalformed(f"needs {', '.join(names)}")
    return {name: fields[name] for name in names}


@cache
def _sqs() -> SQSClient:
    config = Config(
        connect_timeout=1, read_timeout=3, retries={"max_attempts": 4, "mode": "standard"}, max_pool_connections=50
    )
    return boto3.client("sqs", region_name=settings().aws_region, config=config)
