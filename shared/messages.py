"""The messages between functions over SQS, and how they are sent. Handles none of them."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from botocore.config import Config

from shared.aws_session import aws_session
from shared.clock import from_iso, to_iso
from shared.config import settings
from shared.errors import LockstepError
from shared.process_state import process_cache
from shared.queues import Queue
from shared.scheduling import DEAD_MAN_DELAYS_S

if TYPE_CHECKING:
    from _typeshed import DataclassInstance
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

VERSION = 1
"""Of the messages. Raise it when a reader of the version before would misread one: functions of several stacks, which
are not deployed at one moment, send to each other."""
_VERSION_OF_UNMARKED = 1

LONGEST_DELAY_S = 900
"""SQS's longest delay of a message."""

_BATCH = 10
_SEND_ATTEMPTS = 4


class MessageNotSent(LockstepError):
    """SQS did not accept a message after several attempts; its work must stay due."""


class MessageMalformed(LockstepError):
    """A message on one of our queues cannot be read: a fault of ours, left for the dead-letter queue."""


class MessageVersionUnknown(MessageMalformed):
    """A message is of a version that this function does not know: it was deployed before its sender.

    It is delivered again, then left for the dead-letter queue, from which it can be redriven after the deployment.
    """


class Command(StrEnum):
    """What the order executor should do with an execution."""

    OPEN = "OPEN"
    """Begin what is queued: close an older trigger's position on the opposite side, then open; or carry out an exit."""
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
    """`orders.fifo` of a lane: work on one execution."""

    command: Command
    execution_id: str
    api_key_id: str
    symbol: str
    handed_over: bool = False
    """Whether another lane's executor has passed it on; then it is not passed on again."""


@dataclass(frozen=True, slots=True)
class ReconcileMessage:
    """`reconcile`, delayed: check whether the execution still needs a worker (the dead-man message)."""

    execution_id: str


@dataclass(frozen=True, slots=True)
class KeyMessage:
    """`keys`, `balances`, `imports`: work on one exchange key, unless that was done after `asked_at`."""

    api_key_id: str
    asked_at: datetime


@dataclass(frozen=True, slots=True)
class FanoutCheck:
    """`reconcile`, delayed: check whether the trigger's fan-out is done (its dead-man message), or whom it reached."""

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
    """The period of a report."""

    WEEKLY = "WEEKLY"
    MONTHLY = "MONTHLY"


@dataclass(frozen=True, slots=True)
class ReportPageMessage:
    """`reports`: queue the reports of the next page of users."""

    report: Report
    first_day: str
    last_day: str
    after: str
    """The `created_key` of the last user of the page before; empty at first."""


@dataclass(frozen=True, slots=True)
class ReportMessage:
    """`reports`: send one user their report."""

    report: Report
    first_day: str
    last_day: str
    user_id: str


@dataclass(frozen=True, slots=True)
class StrategyPageMessage:
    """`strategy-reports`: queue the reports of the next page of strategies."""

    before: str
    """The UTC day that the reports end before, `2022-09-13`."""
    after: str
    """The `created_key` of the last strategy of the page before; empty at first."""


@dataclass(frozen=True, slots=True)
class StrategyReportMessage:
    """`strategy-reports`: report one strategy, for every day before this one that is not reported yet."""

    before: str
    strategy_id: str


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
    return OrderMessage(command=command, **fields, handed_over=json.loads(body).get("handed_over") is True)


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


def read_strategy_report_message(body: str) -> StrategyPageMessage | StrategyReportMessage:
    """Return the message; raise MessageMalformed."""
    fields = _fields(body, "before")
    try:
        date.fromisoformat(fields["before"])
    except ValueError as error:
        raise MessageMalformed("before is no day") from error
    if "strategy_id" in json.loads(body):
        return StrategyReportMessage(**fields, **_fields(body, "strategy_id"))
    return StrategyPageMessage(**fields, **_fields(body, "after"))


def connect() -> None:
    """Create the process's SQS client now rather than with the first message."""
    _sqs()


def send_trigger(message: TriggerMessage, *, dedup_id: str, in_order: bool = True) -> None:
    """Queue a trigger's fan-out, in order with the strategy's other triggers.

    A repeat, queued because the first worker may have crashed, is not `in_order`: the first message would hold it back.
    """
    _sqs().send_message(
        QueueUrl=_url(Queue.TRIGGERS),
        MessageBody=_body(message),
        MessageGroupId=message.strategy_id if in_order else dedup_id,
        MessageDeduplicationId=dedup_id,
    )


def send_orders(messages: Sequence[OrderMessage], *, delivery: str, queue_url: str) -> None:
    """Queue work for the order executor of a lane; raise MessageNotSent if SQS did not accept all of it.

    `delivery` distinguishes this message from an earlier one for the same work (SQS drops repeats for five minutes).
    Entries of one key keep their order, in the key's group. Exits and reconciliations have groups of their own: a
    failed message must not hold them back, and the lease is the lock.
    """
    entries: list[SendMessageBatchRequestEntryTypeDef] = [
        {
            "Id": str(number),
            "MessageBody": _body(message),
            "MessageGroupId": _group_of(message, delivery),
            "MessageDeduplicationId": f"{message.execution_id}-{message.command.value}-{delivery}",
        }
        for number, message in enumerate(messages)
    ]
    for start in range(0, len(entries), _BATCH):
        _send_batch(queue_url, entries[start : start + _BATCH])


def _group_of(message: OrderMessage, delivery: str) -> str:
    if message.command is Command.OPEN:
        return message.api_key_id
    return f"{message.execution_id}.{hashlib.sha256(delivery.encode()).hexdigest()[:16]}"


def send_reconcile(message: ReconcileMessage | FanoutCheck, *, delay_s: int) -> None:
    """Queue a check of an execution, or of a trigger, in `delay_s` seconds (at most LONGEST_DELAY_S)."""
    _sqs().send_message(QueueUrl=_url(Queue.RECONCILE), MessageBody=_body(message), DelaySeconds=delay_s)


def send_keys(messages: Sequence[KeyMessage], *, queue: Queue, over_s: int = 0, after_s: int = 0) -> None:
    """Queue work on exchange keys, evenly over `over_s` seconds that begin after `after_s`; raise MessageNotSent.

    The last message is due in at most LONGEST_DELAY_S.
    """
    entries: list[SendMessageBatchRequestEntryTypeDef] = [
        {
            "Id": str(number),
            "MessageBody": json.dumps(
                {"version": VERSION, "api_key_id": message.api_key_id, "asked_at": to_iso(message.asked_at)}
            ),
            "DelaySeconds": after_s + number * over_s // len(messages),
        }
        for number, message in enumerate(messages)
    ]
    for start in range(0, len(entries), _BATCH):
        _send_batch(_url(queue), entries[start : start + _BATCH])


def send_dead_man_messages(messages: Sequence[ReconcileMessage | FanoutCheck]) -> None:
    """Queue the checks that notice a crashed worker; raise MessageNotSent if SQS did not accept all of them."""
    entries: list[SendMessageBatchRequestEntryTypeDef] = [
        {"Id": f"{number}-{delay_s}", "MessageBody": _body(message), "DelaySeconds": delay_s}
        for number, message in enumerate(messages)
        for delay_s in DEAD_MAN_DELAYS_S
    ]
    for start in range(0, len(entries), _BATCH):
        _send_batch(_url(Queue.RECONCILE), entries[start : start + _BATCH])


def send_stripe_event(message: StripeEventMessage, *, customer_id: str) -> None:
    """Queue a Stripe event, in its customer's message group; SQS drops repeats for five minutes."""
    _sqs().send_message(
        QueueUrl=_url(Queue.STRIPE_EVENTS),
        MessageBody=_body(message),
        MessageGroupId=customer_id,
        MessageDeduplicationId=message.event_id,
    )


def send_notice(message: NoticeMessage, *, delay_s: int = 0) -> None:
    """Queue a notice that is due in `delay_s` seconds (at most LONGEST_DELAY_S)."""
    _sqs().send_message(QueueUrl=_url(Queue.NOTICES), MessageBody=_body(message), DelaySeconds=delay_s)


def send_reports(messages: Sequence[ReportPageMessage | ReportMessage]) -> None:
    """Queue reports, or pages of them; raise MessageNotSent if SQS did not accept all of them."""
    entries: list[SendMessageBatchRequestEntryTypeDef] = [
        {"Id": str(number), "MessageBody": _body(message)} for number, message in enumerate(messages)
    ]
    for start in range(0, len(entries), _BATCH):
        _send_batch(_url(Queue.REPORTS), entries[start : start + _BATCH])


def send_strategy_reports(messages: Sequence[StrategyPageMessage | StrategyReportMessage], *, after_s: int = 0) -> None:
    """Queue reports of strategies, or pages of them, due in `after_s` seconds; raise MessageNotSent."""
    entries: list[SendMessageBatchRequestEntryTypeDef] = [
        {"Id": str(number), "MessageBody": json.dumps(asdict(message)), "DelaySeconds": after_s}
        for number, message in enumerate(messages)
    ]
    for start in range(0, len(entries), _BATCH):
        _send_batch(_url(Queue.STRATEGY_REPORTS), entries[start : start + _BATCH])


def schedule_retries(queue: Queue, pauses_s: Mapping[str, int]) -> None:
    """Set when failed messages (receipt handle → seconds) are delivered again, before the visibility time-out.

    Until then a FIFO queue holds back the later messages of their groups.
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


def _send_batch(queue_url: str, entries: list[SendMessageBatchRequestEntryTypeDef]) -> None:
    # SQS may accept a part of a batch: the rest is sent again in order, so that no follower is lost.
    for attempt in range(_SEND_ATTEMPTS):
        answer = _sqs().send_message_batch(QueueUrl=queue_url, Entries=entries)
        failed = {failure["Id"] for failure in answer.get("Failed", [])}
        if not failed:
            return
        entries = [entry for entry in entries if entry["Id"] in failed]
        time.sleep(0.05 * 2**attempt)
    raise MessageNotSent(f"{len(entries)} message(s) not taken")


def _body(message: DataclassInstance) -> str:
    return json.dumps({"version": VERSION, **asdict(message)})


def _url(queue: Queue) -> str:
    return settings().queue_urls[queue]


def _fields(body: str, *names: str) -> dict[str, Any]:
    try:
        fields = json.loads(body)
    except ValueError as error:
        raise MessageMalformed("not JSON") from error
    version = fields.get("version", _VERSION_OF_UNMARKED) if isinstance(fields, dict) else None
    if version is not None and version != VERSION:
        raise MessageVersionUnknown(f"version {version}, and this function knows {VERSION}")
    if version is None or any(not isinstance(fields.get(name), str) for name in names):
        raise MessageMalformed(f"needs {', '.join(names)}")
    return {name: fields[name] for name in names}


@process_cache
def _sqs() -> SQSClient:
    config = Config(
        connect_timeout=1, read_timeout=3, retries={"max_attempts": 4, "mode": "standard"}, max_pool_connections=50
    )
    return aws_session().client("sqs", region_name=settings().aws_region, config=config)
