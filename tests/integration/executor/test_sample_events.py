"""The two workers through their sample events, as Lambda delivers them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from functions.order_executor import app as executor
from functions.position_watcher import app as watcher
from shared.clock import utc_now
from shared.models.execution import Execution
from shared.models.trigger import FanoutState, Trigger
from shared.trading.execution import ExecutionState
from tests.integration.executor.world import World
from tests.lambda_context import FakeContext

EVENTS = Path(__file__).resolve().parents[3] / "events"
SAMPLE_EXECUTION = "c21d890e-87b6-424d-b010-929612e17011"
SAMPLE_KEY = "46a19fb1-4e90-4736-b820-257c947fd694"
SAMPLE_TRIGGER = "5d1b6f5e-30b5-4b7b-9a2f-0f7f1d3c5a10"


def sample(name: str, execution: Execution | None = None) -> dict[str, Any]:
    """Return a sample event, about an execution of the test if one is given."""
    text = (EVENTS / f"{name}.json").read_text(encoding="utf-8")
    if execution is not None:
        text = text.replace(SAMPLE_EXECUTION, execution.id).replace(SAMPLE_KEY, execution.api_key_id)
    event: dict[str, Any] = json.loads(text)
    return event


def due(world: World) -> Execution:
    """Queue an execution whose dead-man message arrives now."""
    execution = world.queue_execution(world.follower(), world.trigger())
    execution.update(actions=[Execution.due_at.set(utc_now())])
    return execution


def failed(answer: dict[str, Any]) -> list[str]:
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def test_open_then_reconcile_then_close(world: World) -> None:
    person = world.follower()
    execution = world.queue_execution(person, world.trigger())

    assert failed(executor.lambda_handler(sample("order_executor/open", execution), FakeContext())) == []
    assert world.stored(execution).state is ExecutionState.PROTECTED
    assert failed(executor.lambda_handler(sample("order_executor/reconcile", execution), FakeContext())) == []
    assert world.stored(execution).state is ExecutionState.PROTECTED
    assert failed(executor.lambda_handler(sample("order_executor/close", execution), FakeContext())) == []
    assert world.stored(execution).state is ExecutionState.CLOSED
    assert world.account(person).flat


@pytest.mark.parametrize("name", ["open", "close", "reconcile"])
def test_message_about_an_unknown_execution_fails_and_is_delivered_again(world: World, name: str) -> None:
    event = sample(f"order_executor/{name}")

    assert failed(executor.lambda_handler(event, FakeContext())) == [event["Records"][0]["messageId"]]


@pytest.mark.parametrize("worker", ["order_executor", "position_watcher"])
def test_malformed_messages_fail_one_by_one(world: World, worker: str) -> None:
    event = sample(f"{worker}/malformed")
    handler = executor.lambda_handler if worker == "order_executor" else watcher.lambda_handler

    assert sorted(failed(handler(event, FakeContext()))) == sorted(record["messageId"] for record in event["Records"])


def test_dead_man_message_queues_a_reconciliation(world: World) -> None:
    execution = due(world)

    assert failed(watcher.lambda_handler(sample("position_watcher/dead_man", execution), FakeContext())) == []

    (message,) = world.take_messages("orders")
    assert (message["command"], message["execution_id"]) == ("SETTLE", execution.id)
    assert message["group"] != execution.api_key_id, "the killed worker's message still blocks the key's own group"


def test_scheduled_run_returns_the_number_of_queued_messages(world: World) -> None:
    due(world)

    answer = watcher.lambda_handler(sample("position_watcher/schedule"), FakeContext())

    assert answer["executions"] >= 1


def test_check_of_a_fan_out_that_is_due_queues_the_trigger_again(world: World) -> None:
    trigger = world.trigger()
    trigger.update(actions=[Trigger.fanout_state.set(FanoutState.PENDING)])
    text = json.dumps(sample("position_watcher/fanout_check")).replace(SAMPLE_TRIGGER, trigger.id)

    assert failed(watcher.lambda_handler(json.loads(text), FakeContext())) == []

    assert [message["trigger_id"] for message in world.take_messages("triggers")].count(trigger.id) == 1
    trigger.update(actions=[Trigger.fanout_state.set(FanoutState.DONE)])
