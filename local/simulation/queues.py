"""SQS in this process, with the faults of SQS: a message late, twice, before others of its group.

Implements groups, visibility, de-duplication and dead letters as the template sets them. Replaces boto3's client.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from local.simulation import workers
from local.simulation.chances import Chances
from local.simulation.clock import SimulatedClock
from local.simulation.trace import Trace

VISIBILITY_S = 180.0
MOST_RECEIVES = 10
BATCH = 10
DEDUPLICATION_S = 300.0
_POLL_S = 0.05
_SOON_S = 60.0
_LATE_S = 80.0
_SLIGHTLY_LATE_S = 2.0
"""Dead-man messages and closings are late by no more than this: the bounds allow no more."""

Handler = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]


@dataclass(slots=True)
class Message:
    """One message on its queue."""

    id: str
    body: str
    group: str | None
    due_s: float
    receives: int = 0
    deleted: bool = False
    hindered: set[int] = field(default_factory=set)
    """Numbers of the deliveries that met an injected fault, themselves or before them in their group."""


@dataclass(slots=True)
class Queue:
    """One queue and the function behind it."""

    url: str
    handler: Handler
    fifo: bool
    most_at_once: int | None = None
    """How many batches are in progress at most."""
    running: int = 0
    """The batches in progress."""
    messages: list[Message] = field(default_factory=list)
    seen: dict[str, float] = field(default_factory=dict)
    dead_letters: list[Message] = field(default_factory=list)

    def has_room(self) -> bool:
        """Return whether another batch may be delivered now."""
        return self.most_at_once is None or self.running < self.most_at_once

    def end_batch(self) -> None:
        """Count one batch less in progress."""
        self.running -= 1


class Queues:
    """Every queue of a simulation, with the methods of boto3's client that the product calls."""

    def __init__(
        self,
        clock: SimulatedClock,
        chances: Chances,
        invocations: workers.Workers,
        trace: Trace,
        *,
        send_s: float = 0.0,
    ) -> None:
        self._clock = clock
        self._send_s = send_s
        self._chances = chances
        self._invocations = invocations
        self._trace = trace
        self._queues: dict[str, Queue] = {}
        self._numbers = itertools.count(1)
        self._running: set[asyncio.Task[None]] = set()
        self._receipts: dict[str, Message] = {}

    def serve(self, url: str, handler: Handler, *, most_at_once: int | None = None) -> None:
        """Create a queue whose batches invoke `handler` with an SQS event."""
        self._queues[url] = Queue(url, handler, fifo=url.endswith(".fifo"), most_at_once=most_at_once)

    def limit(self, url: str, most_at_once: int | None) -> None:
        """Change how many of the queue's batches are in progress at most."""
        self._queues[url].most_at_once = most_at_once

    @property
    def dead_letters(self) -> list[str]:
        """Bodies of the messages that were received too often."""
        return [message.body for queue in self._queues.values() for message in queue.dead_letters]

    @property
    def unexplained_dead_letters(self) -> list[str]:
        """Bodies of those that became dead letters though a delivery met no injected fault."""
        dead = (message for queue in self._queues.values() for message in queue.dead_letters)
        return [message.body for message in dead if len(message.hindered) < MOST_RECEIVES]

    def hinder(self, receipt_handle: str) -> None:
        """Note that the delivery met an injected fault: it may fail, and those behind it in its group with it."""
        message = self._receipts[receipt_handle]
        message.hindered.add(message.receives)
        for queue in self._queues.values():
            if message.group is not None and any(one is message for one in queue.messages):
                for one in queue.messages:
                    if one.group == message.group:
                        one.hindered.add(one.receives)

    @property
    def at_rest(self) -> bool:
        """Whether no invocation runs and no message is due within a minute: what comes later only counts."""
        soon_s = self._clock.monotonic() + _SOON_S
        waiting = (message for queue in self._queues.values() for message in queue.messages)
        return not self._running and all(message.due_s > soon_s for message in waiting)

    async def run(self) -> None:
        """Deliver until cancelled."""
        while True:
            for queue in self._queues.values():
                while self._deliver(queue):
                    pass
            await asyncio.sleep(_POLL_S)

    # -- boto3's methods --------------------------------------------------------------------------------------------

    def send_message(
        self,
        *,
        QueueUrl: str,  # noqa: N803 - boto3's names
        MessageBody: str,  # noqa: N803
        MessageGroupId: str | None = None,  # noqa: N803
        MessageDeduplicationId: str | None = None,  # noqa: N803
        DelaySeconds: int = 0,  # noqa: N803
    ) -> dict[str, Any]:
        """Queue one message."""
        self._clock.advance(self._send_s)
        self._send(QueueUrl, MessageBody, MessageGroupId, MessageDeduplicationId, DelaySeconds)
        return {}

    def _send(self, url: str, body: str, group: str | None, deduplication_id: str | None, delay_s: int) -> None:
        workers.step()
        self._add(url, body, group, deduplication_id, delay_s)
        workers.step()

    def _add(self, url: str, body: str, group: str | None, deduplication_id: str | None, delay_s: int) -> None:
        queue, now_s = self._queues[url], self._clock.monotonic()
        self._trace.record(now_s, url, body, group, deduplication_id, delay_s)
        if queue.fifo:
            key = f"{group}/{deduplication_id}"
            if queue.seen.get(key, 0.0) > now_s:
                return
            queue.seen[key] = now_s + DEDUPLICATION_S
        due_s = now_s + delay_s
        if self._chances.happens(self._chances.message_late, "message late"):
            urgent = '"OPEN"' not in body and "trigger_id" not in body
            due_s += self._chances.dice.uniform(0, _SLIGHTLY_LATE_S if urgent else _LATE_S)
        queue.messages.append(Message(f"m{next(self._numbers)}", body, group, due_s))

    def send_message_batch(self, *, QueueUrl: str, Entries: Sequence[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
        """Queue messages, or refuse some of them; a batch takes as long as one message."""
        self._clock.advance(self._send_s)
        failed = []
        for entry in Entries:
            if self._chances.happens(self._chances.table_fault, "SQS: entry refused"):
                failed.append({"Id": entry["Id"], "SenderFault": False, "Code": "InternalError"})
            else:
                self._send(
                    QueueUrl,
                    entry["MessageBody"],
                    entry.get("MessageGroupId"),
                    entry.get("MessageDeduplicationId"),
                    entry.get("DelaySeconds", 0),
                )
        return {"Failed": failed}

    def change_message_visibility_batch(self, *, QueueUrl: str, Entries: Sequence[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803, ARG002
        """Set when messages become visible again."""
        workers.step()
        for entry in Entries:
            self._receipts[entry["ReceiptHandle"]].due_s = self._clock.monotonic() + entry["VisibilityTimeout"]
        return {}

    # -- delivery --------------------------------------------------------------------------------------------------

    def _deliver(self, queue: Queue) -> bool:
        """Invoke the queue's function with a batch; return whether there was one."""
        batch = self._receive(queue) if queue.has_room() else []
        if batch:
            queue.running += 1
            task = asyncio.create_task(self._invoke(queue, batch))
            self._running.add(task)
            task.add_done_callback(self._running.discard)
            task.add_done_callback(lambda _: queue.end_batch())
        return bool(batch)

    def _receive(self, queue: Queue) -> list[Message]:
        now_s, chances = self._clock.monotonic(), self._chances
        taken: list[Message] = []
        held: set[str] = set()
        for message in list(queue.messages):
            group = message.group if queue.fifo else None
            is_first = group is None or group not in held
            if message.due_s <= now_s and (
                is_first or chances.happens(chances.message_early, "message before its turn")
            ):
                if message.receives >= MOST_RECEIVES:
                    queue.messages.remove(message)
                    queue.dead_letters.append(message)
                    continue
                taken.append(message)
                message.receives += 1
                # Hidden while it is processed; if that is not long enough, it is delivered a second time.
                is_hidden_briefly = chances.happens(chances.message_twice, "message twice")
                message.due_s = now_s + (chances.dice.uniform(0.1, 20) if is_hidden_briefly else VISIBILITY_S)
                if len(taken) == BATCH:
                    break
            elif group is not None:
                held.add(group)
        return taken

    async def _invoke(self, queue: Queue, batch: Sequence[Message]) -> None:
        worker = self._invocations.start("\n".join(message.body for message in batch))
        records = [self._record(message) for message in batch]
        self._trace.record(self._clock.monotonic(), queue.url, records)
        try:
            answer = await queue.handler({"Records": records})
        except workers.WorkerKilled:
            answer = None
        if answer is None or worker.killed:
            for message in batch:
                message.hindered.add(message.receives)
            return
        failed = {one["itemIdentifier"] for one in answer["batchItemFailures"]}
        for message in batch:
            if message.id not in failed and not message.deleted:
                message.deleted = True
                queue.messages.remove(message)

    def _record(self, message: Message) -> dict[str, Any]:
        handle = f"{message.id}-{message.receives}"
        self._receipts[handle] = message
        attributes = {"ApproximateReceiveCount": str(message.receives), "SentTimestamp": "0"}
        if message.group is not None:
            attributes["MessageGroupId"] = message.group
        return {"messageId": message.id, "receiptHandle": handle, "body": message.body, "attributes": attributes}
