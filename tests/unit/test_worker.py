"""Handling of a batch: order within a group, independence between groups, deadlines, one event loop."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import time
from collections.abc import Iterator
from typing import Any

import pytest

from shared import worker
from shared.errors import OrderDenied
from shared.observability import logger
from shared.worker import Record, batch_deadline_s, run_async, run_batch
from tests.lambda_context import FakeContext

DEADLINE_S = 20.0


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What the product's logger writes."""
    handler = logger.registered_handler
    assert isinstance(handler, logging.StreamHandler)
    written = io.StringIO()
    usual = handler.setStream(written)
    yield written
    handler.setStream(usual)


def sqs_event(*messages: tuple[str, str | None], bodies: dict[str, str] | None = None) -> dict[str, Any]:
    """Return an SQS event of (message id, group) pairs."""
    records = []
    for message_id, group_id in messages:
        attributes = {"ApproximateReceiveCount": "3", "SentTimestamp": "1662688656304"}
        if group_id is not None:
            attributes["MessageGroupId"] = group_id
        records.append(
            {
                "messageId": message_id,
                "receiptHandle": f"handle-{message_id}",
                "body": (bodies or {}).get(message_id, "{}"),
                "attributes": attributes,
            }
        )
    return {"Records": records}


def failures(answer: dict[str, Any]) -> list[str]:
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def test_nothing_failed_is_an_empty_list() -> None:
    async def handle(record: Record) -> None:
        await asyncio.sleep(0)

    assert run_batch(sqs_event(("a1", "a"), ("b1", "b")), handle, deadline_s=DEADLINE_S) == {"batchItemFailures": []}
    assert run_batch({"Records": []}, handle, deadline_s=DEADLINE_S) == {"batchItemFailures": []}


def test_a_record_has_the_attributes_of_its_message() -> None:
    seen: list[Record] = []

    async def handle(record: Record) -> None:
        seen.append(record)

    run_batch(sqs_event(("a1", "a"), bodies={"a1": "text"}), handle, deadline_s=DEADLINE_S)
    assert seen == [
        Record(
            message_id="a1",
            body="text",
            group_id="a",
            receive_count=3,
            receipt_handle="handle-a1",
            sent_at_ms=1_662_688_656_304,
        ),
    ]


def test_records_of_a_group_run_in_order_one_after_the_other() -> None:
    steps: list[str] = []

    async def handle(record: Record) -> None:
        steps.append(f"{record.message_id} begins")
        await asyncio.sleep(0)
        steps.append(f"{record.message_id} ends")

    run_batch(sqs_event(("a1", "a"), ("a2", "a"), ("a3", "a")), handle, deadline_s=DEADLINE_S)
    assert steps == ["a1 begins", "a1 ends", "a2 begins", "a2 ends", "a3 begins", "a3 ends"]


def test_groups_run_concurrently() -> None:
    waiting = 0
    everybody_here = asyncio.Event()

    async def handle(record: Record) -> None:
        nonlocal waiting
        waiting += 1
        if waiting == 3:
            everybody_here.set()
        # Ends only if the three groups are at work at the same time.
        await everybody_here.wait()

    answer = run_batch(sqs_event(("a1", "a"), ("b1", "b"), ("c1", "c")), handle, deadline_s=DEADLINE_S)
    assert failures(answer) == []


def test_a_failure_fails_the_later_records_of_its_own_group_only() -> None:
    handled: list[str] = []

    async def handle(record: Record) -> None:
        if record.message_id == "a2":
            raise ValueError("no")
        handled.append(record.message_id)

    event = sqs_event(("a1", "a"), ("b1", "b"), ("a2", "a"), ("b2", "b"), ("a3", "a"), ("b3", "b"))
    assert failures(run_batch(event, handle, deadline_s=DEADLINE_S)) == ["a2", "a3"]
    assert sorted(handled) == ["a1", "b1", "b2", "b3"]


def test_records_of_a_standard_queue_are_groups_of_their_own() -> None:
    async def handle(record: Record) -> None:
        if record.message_id == "m1":
            raise ValueError("no")

    assert failures(run_batch(sqs_event(("m1", None), ("m2", None)), handle, deadline_s=DEADLINE_S)) == ["m1"]


def test_a_group_named_like_a_message_stays_apart_from_it() -> None:
    async def handle(record: Record) -> None:
        if record.group_id is None:
            raise ValueError("no")

    assert failures(run_batch(sqs_event(("m1", None), ("m2", "m1")), handle, deadline_s=DEADLINE_S)) == ["m1"]


def test_a_record_over_its_deadline_fails_and_later_ones_are_not_begun() -> None:
    begun: list[str] = []
    cleaned_up: list[str] = []

    async def handle(record: Record) -> None:
        begun.append(record.message_id)
        if record.message_id == "a1":
            try:
                await asyncio.Event().wait()
            finally:
                cleaned_up.append(record.message_id)

    answer = run_batch(sqs_event(("a1", "a"), ("a2", "a"), ("b1", "b")), handle, deadline_s=0.1)
    assert failures(answer) == ["a1", "a2"]
    assert sorted(begun) == ["a1", "b1"]
    assert cleaned_up == ["a1"]


def test_a_record_that_blocks_past_the_deadline_keeps_the_next_from_beginning() -> None:
    begun: list[str] = []

    async def handle(record: Record) -> None:
        begun.append(record.message_id)
        time.sleep(0.1)  # noqa: ASYNC251 - blocking the loop is the point

    answer = run_batch(sqs_event(("a1", "a"), ("a2", "a")), handle, deadline_s=0.05)
    assert failures(answer) == ["a2"]
    assert begun == ["a1"]


def test_a_record_that_ignores_its_deadline_does_not_delay_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "GRACE_S", 0.1)
    let_go = asyncio.Event()

    async def handle(record: Record) -> None:
        while record.message_id == "a1" and not let_go.is_set():
            try:
                await let_go.wait()
            except asyncio.CancelledError:
                continue

    answer = run_batch(sqs_event(("a1", "a"), ("a2", "a"), ("b1", "b")), handle, deadline_s=0.1)
    assert failures(answer) == ["a1", "a2"]

    async def release() -> None:
        let_go.set()
        await asyncio.sleep(0)

    run_async(release())


def test_a_cancelled_inner_task_fails_only_its_record() -> None:
    async def handle(record: Record) -> None:
        if record.message_id == "a1":
            inner = asyncio.create_task(asyncio.Event().wait())
            inner.cancel()
            await inner

    answer = run_batch(sqs_event(("a1", "a"), ("a2", "a"), ("b1", "b")), handle, deadline_s=DEADLINE_S)
    assert failures(answer) == ["a1", "a2"]


def test_all_invocations_share_one_event_loop_even_after_a_failure() -> None:
    loops: list[asyncio.AbstractEventLoop] = []

    async def handle(record: Record) -> None:
        loops.append(asyncio.get_running_loop())
        if record.message_id == "a1":
            raise ValueError("no")

    run_batch(sqs_event(("a1", "a")), handle, deadline_s=DEADLINE_S)
    run_batch(sqs_event(("a2", "a")), handle, deadline_s=DEADLINE_S)
    assert loops[0] is loops[1]
    assert not loops[0].is_closed()


def test_background_work_goes_on_in_the_next_invocation() -> None:
    done: list[str] = []
    begun: list[asyncio.Task[None]] = []

    async def background() -> None:
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        done.append("background")

    async def begin(record: Record) -> None:
        begun.append(asyncio.create_task(background()))

    async def wait_for_it(record: Record) -> None:
        await begun[0]

    run_batch(sqs_event(("a1", "a")), begin, deadline_s=DEADLINE_S)
    assert failures(run_batch(sqs_event(("a2", "a")), wait_for_it, deadline_s=DEADLINE_S)) == []
    assert done == ["background"]


def test_a_failure_is_logged_with_ids_and_without_the_body(log: io.StringIO) -> None:
    async def handle(record: Record) -> None:
        raise ValueError("signature=abc")

    body = json.dumps({"execution_id": "e-1", "trigger_id": "t-1", "word": "hidden"})
    run_batch(sqs_event(("a1", "a"), bodies={"a1": body}), handle, deadline_s=DEADLINE_S)
    logged = log.getvalue()
    line = json.loads(logged)
    assert line["message"] == "record_failed"
    assert (line["message_id"], line["group_id"], line["receive_count"]) == ("a1", "a", 3)
    assert (line["execution_id"], line["trigger_id"], line["error"]) == ("e-1", "t-1", "ValueError")
    assert "hidden" not in logged
    assert "signature" not in logged


def test_our_own_errors_are_logged_with_their_message(log: io.StringIO) -> None:
    async def handle(record: Record) -> None:
        raise OrderDenied("HALTED", "by hand") from ValueError("foreign")

    run_batch(sqs_event(("a1", "a"), bodies={"a1": "not JSON"}), handle, deadline_s=DEADLINE_S)
    line = json.loads(log.getvalue())
    assert line["error_detail"] == "HALTED: by hand"
    assert line["error"] == "OrderDenied from ValueError"


@pytest.mark.parametrize(("remaining_ms", "deadline_s"), [(30_000, 26.0), (10_500, 6.5), (3_000, 0.0)])
def test_a_batch_is_done_before_its_invocation_is_cut_off(remaining_ms: int, deadline_s: float) -> None:
    assert batch_deadline_s(FakeContext(remaining_ms=remaining_ms)) == deadline_s
