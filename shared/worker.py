"""Handles a batch of SQS records: message groups concurrently, in order within a group. Knows no message's meaning.

One event loop lives as long as the process, so sessions opened in one invocation still serve in the next.
"""

from __future__ import annotations

import asyncio
import json
import traceback
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Protocol, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from shared.clock import from_iso, utc_now
from shared.errors import LockstepError
from shared.messages import schedule_retries
from shared.observability import logger
from shared.process_state import on_reset
from shared.queues import Queue

THREADS = 32
"""For blocking calls (`asyncio.to_thread`); Python's own default would be 6 on a Lambda."""

FIRST_RETRY_S = 2
LAST_RETRY_S = 60
"""A failed record is delivered again after 2 s, 4 s, 8 s …, not after the visibility time-out of minutes."""

GRACE_S = 1.0
"""Time for a group to clean up after its deadline; then the batch goes on without it."""

RESERVE_S = 3.0
"""Left for the answer at the end of an invocation: a function that is cut off fails the whole batch."""

SCHEDULE_SOURCE = "aws.events"

_LOGGED_IDS = ("trigger_id", "execution_id")
_LOGGED_FRAMES = 8

_T = TypeVar("_T")


class HandlingCancelled(LockstepError):
    """Another task cancelled something that a record waited for."""


class UnknownEvent(LockstepError):
    """A function was called with an event that it does not know; it has done nothing."""


class Invocation(Protocol):
    """The part of Lambda's context that says how long an invocation may still take."""

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds that are left until the function's time-out."""
        ...


def scheduled_at(event: Mapping[str, Any]) -> datetime:
    """Return the time of a schedule's event, now if it has none; raise UnknownEvent for any other event.

    A mistake in a call by hand must not start a part of a round.
    """
    if event.get("source") != SCHEDULE_SOURCE:
        raise UnknownEvent(
            f"nothing done: the event has no Records, and is no schedule's, whose source is {SCHEDULE_SOURCE}"
        )
    if "time" not in event:
        return utc_now()
    try:
        return from_iso(event["time"])
    except (TypeError, ValueError, AttributeError) as error:
        raise UnknownEvent("nothing done: the event's time is no ISO 8601 time") from error


def day_named_in(event: Mapping[str, Any]) -> date:
    """Return the day that a call by hand names as `before`, today if it names none; raise UnknownEvent for nonsense."""
    if "before" not in event:
        return utc_now().date()
    try:
        return date.fromisoformat(event["before"])
    except (TypeError, ValueError) as error:
        raise UnknownEvent("nothing done: `before` is no ISO 8601 date") from error


def id_named_in(event: Mapping[str, Any], name: str) -> str:
    """Return the id under a name in a call by hand; raise UnknownEvent if it is no text, or empty."""
    named = event[name]
    if not isinstance(named, str) or not named:
        raise UnknownEvent(f"nothing done: {name} is no id")
    return named


@dataclass(frozen=True, slots=True)
class Record:
    """One SQS message as it was delivered."""

    message_id: str
    body: str
    group_id: str | None
    """The FIFO message group; None on a standard queue."""
    receive_count: int
    """1 on the first delivery."""
    receipt_handle: str
    """SQS's handle of this delivery."""
    sent_at_ms: int
    """Unix time in milliseconds at which the message was queued."""


Handle = Callable[[Record], Awaitable[None]]


def batch_deadline_s(context: Invocation) -> float:
    """Return after how many seconds a batch must be done: 26 s at the beginning of an invocation of 30 s."""
    return max(context.get_remaining_time_in_millis() / 1000 - GRACE_S - RESERVE_S, 0.0)


def run_batch(
    event: Mapping[str, Any], handle: Handle, *, deadline_s: float, queue: Queue | None = None
) -> dict[str, Any]:
    """Handle an SQS event on the event loop of this process; see `handle_batch`."""
    return run_async(handle_batch(event, handle, deadline_s=deadline_s, queue=queue))


async def handle_batch(
    event: Mapping[str, Any], handle: Handle, *, deadline_s: float, queue: Queue | None = None
) -> dict[str, Any]:
    """Handle an SQS event and return which records failed, as ReportBatchItemFailures wants it.

    A record that raises, or is not done `deadline_s` seconds after the batch began, fails together with the later
    ones of its own group and no others. Returns at most GRACE_S after the deadline, whatever a record does. With a
    `queue` failed records are delivered again after seconds; without, after the visibility time-out of minutes.
    """
    groups: dict[str, list[Record]] = {}
    records = [_read(raw) for raw in event.get("Records", [])]
    for record in records:
        key = record.message_id if record.group_id is None else f"group {record.group_id}"
        groups.setdefault(key, []).append(record)
    failed = await _run_groups(list(groups.values()), handle, deadline_s=deadline_s)
    if queue is not None and failed:
        delays_s = {one.receipt_handle: _pause_s(one) for one in records if one.message_id in set(failed)}
        try:
            await asyncio.to_thread(schedule_retries, queue, delays_s)
        except (BotoCoreError, ClientError) as error:
            logger.warning("retry_not_hastened", error=type(error).__name__)
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


def _pause_s(record: Record) -> int:
    return int(min(FIRST_RETRY_S * 2 ** (record.receive_count - 1), LAST_RETRY_S))


def run_async(work: Coroutine[Any, Any, _T]) -> _T:
    """Run a coroutine to its end on the event loop of this process."""
    return _runner.run(work)


def _new_loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    loop.set_default_executor(ThreadPoolExecutor(THREADS, thread_name_prefix="worker"))
    return loop


_runner = asyncio.Runner(loop_factory=_new_loop)


def _close_runner() -> None:
    global _runner  # noqa: PLW0603 - one event loop per process is the point
    _runner.close()
    _runner = asyncio.Runner(loop_factory=_new_loop)


on_reset(_close_runner, last=True)


async def _run_groups(groups: list[list[Record]], handle: Handle, *, deadline_s: float) -> list[str]:
    deadline = asyncio.get_running_loop().time() + deadline_s
    tasks = {asyncio.create_task(_run_group(group, handle, deadline=deadline)): group for group in groups}
    if not tasks:
        return []
    _, stuck = await asyncio.wait(tasks, timeout=deadline_s + GRACE_S)
    failed: list[str] = []
    for task, group in tasks.items():
        if task in stuck:
            # The group ignored its deadline. It is unknown which of its records are done, so all count as failed.
            logger.error("group_stuck", group_id=group[0].group_id, records=len(group))
            task.cancel()
            failed.extend(record.message_id for record in group)
        else:
            failed.extend(task.result())
    return failed


async def _run_group(group: list[Record], handle: Handle, *, deadline: float) -> list[str]:
    for number, record in enumerate(group):
        try:
            await _run_record(record, handle, deadline=deadline)
        except Exception as error:  # noqa: BLE001 - a record ends here
            _log_failure(record, error, left_waiting=len(group) - number - 1)
            return [waiting.message_id for waiting in group[number:]]
    return []


async def _run_record(record: Record, handle: Handle, *, deadline: float) -> None:
    # `timeout_at` alone would let a record begin after its deadline, and run up to its first await.
    if asyncio.get_running_loop().time() >= deadline:
        raise TimeoutError
    try:
        async with asyncio.timeout_at(deadline):
            await handle(record)
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        # Something that the record waited for was cancelled, not the record: this is an ordinary failure.
        raise HandlingCancelled from error


def _read(raw: Mapping[str, Any]) -> Record:
    attributes = raw.get("attributes", {})
    return Record(
        message_id=raw["messageId"],
        body=raw.get("body", ""),
        group_id=attributes.get("MessageGroupId"),
        receive_count=int(attributes.get("ApproximateReceiveCount", 1)),
        receipt_handle=raw.get("receiptHandle", ""),
        sent_at_ms=int(attributes.get("SentTimestamp", 0)),
    )


def _log_failure(record: Record, error: Exception, *, left_waiting: int) -> None:
    # Other errors' messages may quote requests, with keys and signatures: only ours are logged.
    logger.error(
        "record_failed",
        message_id=record.message_id,
        group_id=record.group_id,
        receive_count=record.receive_count,
        left_waiting=left_waiting,
        error=" from ".join(_chain(error)),
        error_detail=str(error) if isinstance(error, LockstepError) else None,
        trace=[
            f"{frame.filename}:{frame.lineno} {frame.name}"
            for frame in traceback.extract_tb(error.__traceback__)[-_LOGGED_FRAMES:]
        ],
        extra=_ids(record.body),
    )


def _chain(error: BaseException) -> list[str]:
    names: list[str] = []
    cause: BaseException | None = error
    while cause is not None and len(names) < _LOGGED_FRAMES:
        names.append(type(cause).__name__)
        cause = cause.__cause__
    return names


def _ids(body: str) -> dict[str, object]:
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(fields, dict):
        return {}
    return {name: fields[name] for name in _LOGGED_IDS if isinstance(fields.get(name), str)}
