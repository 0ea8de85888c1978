"""A worker that crashes with a position open is replaced in time, by the dead-man message and the lease."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from pynamodb.exceptions import QueryError

from functions.position_watcher import app as watcher
from functions.position_watcher import service
from shared.clock import utc_now
from shared.messages import Command
from shared.models.execution import Execution, open_shard, open_shard_of
from shared.models.trigger import PENDING, FanoutState, Trigger
from shared.scheduling import DEAD_MAN_DELAYS_S
from shared.trading.execution import ExecutionState
from shared.trading.sides import Side
from tests.integration.executor.world import ALGO_ORDER, ORDER, TARGETS, World, record_of
from tests.lambda_context import FakeContext

BOUND_S = 25.0  # without a stop, the worker killed

WORKER = """
import json, sys
from tests.lambda_context import FakeContext
from functions.order_executor import app
app.lambda_handler(json.load(sys.stdin), FakeContext())
"""


def start_worker(execution: Execution, command: Command = Command.OPEN) -> subprocess.Popen[str]:
    """Start a worker of its own on one message, as Lambda would."""
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        env=os.environ | {"TABLE_PREFIX": Execution.Meta.table_name.removesuffix("executions")},
    )
    assert worker.stdin is not None
    worker.stdin.write(json.dumps({"Records": [record_of(execution, command)]}))
    worker.stdin.close()
    return worker


def reconcile(*bodies: dict[str, Any]) -> None:
    """Deliver the watcher's messages, as the queue would after their delay."""
    records = [{"messageId": f"m{n}", "body": json.dumps(body), "attributes": {}} for n, body in enumerate(bodies)]
    assert watcher.lambda_handler({"Records": records}, FakeContext()) == {"batchItemFailures": []}


def test_killed_workers_position_is_protected_by_another_within_the_bound(world: World) -> None:
    person = world.follower()
    execution = world.queue_execution(person, world.trigger())
    world.plan_fault(person, "late", ALGO_ORDER, delayMs=60_000)
    worker = start_worker(execution)
    world.wait_until(lambda: world.account(person).sent(ALGO_ORDER))
    worker.kill()
    worker.wait()
    killed_at = time.monotonic()
    assert world.account(person).position == Decimal("0.75")
    assert world.account(person).stops == []

    world.wait_until_due(execution)
    reconcile({"execution_id": execution.id}, {"execution_id": execution.id})
    (message,) = world.take_messages("orders")
    world.deliver(execution, command=Command(message["command"]))

    account = world.account(person)
    assert world.stored(execution).state is ExecutionState.PROTECTED
    assert (account.position, len(account.stops), account.sent(ORDER)) == (Decimal("0.75"), 1, 1 + TARGETS)
    assert time.monotonic() - killed_at < BOUND_S
    naked_ms = world.stored(execution).naked_ms
    assert naked_ms is not None
    assert naked_ms < BOUND_S * 1000


def test_worker_killed_before_its_entry_was_sent_opens_one_position(world: World) -> None:
    person = world.follower()
    execution = world.queue_execution(person, world.trigger())
    world.plan_fault(person, "drop_before", ORDER)
    world.plan_fault(person, "hang", ORDER, "GET", delayMs=60_000)
    worker = start_worker(execution)
    world.wait_until(lambda: world.stored(execution).state is ExecutionState.ENTRY_UNKNOWN)
    worker.kill()
    worker.wait()
    world.exchange.control("DELETE", "/paper/faults")

    world.wait_until_due(execution)
    reconcile({"execution_id": execution.id})
    (message,) = world.take_messages("orders")
    world.deliver(execution, command=Command(message["command"]))

    assert world.stored(execution).state is ExecutionState.PROTECTED
    assert world.account(person).position == Decimal("0.75")
    assert len(world.account(person).fills_at_once) == 1


def test_close_of_a_killed_worker_is_completed_once_by_the_watcher(world: World) -> None:
    person = world.follower()
    execution = world.open_position(person)
    world.plan_fault(person, "hang", ORDER, delayMs=60_000)
    worker = start_worker(execution, Command.CLOSE)
    world.wait_until(lambda: world.account(person).sent(ORDER) == 2 + TARGETS)
    worker.kill()
    worker.wait()
    assert world.stored(execution).state is ExecutionState.CLOSING

    execution.refresh()
    execution.update(actions=[Execution.due_at.set(utc_now() - timedelta(seconds=1))])
    watcher.lambda_handler({"source": "aws.events"}, FakeContext())
    for message in world.take_messages("orders"):
        if message["execution_id"] == execution.id:
            world.deliver(execution, command=Command(message["command"]))

    execution = world.stored(execution)
    assert (execution.state, execution.close_reason) == (ExecutionState.CLOSED, "ADMIN")
    assert world.account(person).flat
    assert len(world.account(person).fills_at_once) == 2


def test_every_entry_queues_its_dead_man_message_first(world: World) -> None:
    person = world.follower()
    execution = world.queue_execution(person, world.trigger())

    world.deliver(execution)

    assert world.count_delayed("reconcile") == len(DEAD_MAN_DELAYS_S)


def test_dead_man_message_for_a_protected_position_does_nothing(world: World) -> None:
    person = world.follower()
    execution = world.open_position(person)

    reconcile({"execution_id": execution.id}, {"execution_id": "00000000-0000-0000-0000-000000000000"})

    assert world.take_messages("orders") == []


def test_trigger_of_a_position_that_a_crashed_worker_ended_is_ended_too(world: World) -> None:
    person = world.follower()
    bought = world.open_position(person)
    sold = world.queue_execution(person, world.trigger(Side.SELL))
    before = world.count_delayed("reconcile") + len(DEAD_MAN_DELAYS_S)
    world.deliver(sold)
    # As if the worker had crashed between booking the position and ending its trigger.
    assert world.stored(bought).state is ExecutionState.CLOSED
    Trigger(bought.trigger_id).update(actions=[Trigger.active.set(True)])

    assert world.count_delayed("reconcile") > before
    reconcile({"execution_id": bought.id})

    trigger = Trigger.find(bought.trigger_id)
    assert trigger is not None
    assert not trigger.active


def test_rechecks_never_multiply(world: World) -> None:
    person = world.follower()
    execution = world.open_position(person)
    world.plan_fault(person, "code", ORDER, times=1000, status=400, code=-1111, msg="no")
    world.deliver(execution, command=Command.CLOSE)
    assert world.stored(execution).state is ExecutionState.CLOSING
    already = world.count_delayed("reconcile")

    # Not due yet: further messages about it are dropped.
    due_at = world.stored(execution).due_at
    assert due_at is not None
    execution.update(actions=[Execution.due_at.set(due_at + timedelta(minutes=1))])
    reconcile(*[{"execution_id": execution.id}] * 3)
    watcher.lambda_handler({"source": "aws.events"}, FakeContext())
    assert [m for m in world.take_messages("orders") if m["execution_id"] == execution.id] == []

    execution.update(actions=[Execution.due_at.set(utc_now() - timedelta(seconds=1))])
    reconcile(*[{"execution_id": execution.id}] * 3)
    watcher.lambda_handler({"source": "aws.events"}, FakeContext())
    assert len([m for m in world.take_messages("orders") if m["execution_id"] == execution.id]) == 1
    assert world.count_delayed("reconcile") == already + len(DEAD_MAN_DELAYS_S)


def test_worker_that_replaced_a_crashed_one_and_crashed_too_is_replaced(world: World) -> None:
    execution = world.queue_execution(world.follower(), world.trigger())
    execution.update(actions=[Execution.due_at.set(utc_now())])

    for _ in range(3):
        world.wait_until_due(execution)
        reconcile({"execution_id": execution.id})
        # Each time a new message in a new group, so that no crashed worker's message holds it back.
        assert [m["command"] for m in world.take_messages("orders") if m["execution_id"] == execution.id] == ["SETTLE"]
        assert world.stored(execution).due_at is not None
        execution.update(actions=[Execution.due_at.set(utc_now())])

    world.deliver(execution, command=Command.RECONCILE)
    assert world.stored(execution).state is ExecutionState.PROTECTED


def test_execution_still_queued_when_its_alert_is_stale_is_queued_again_once(world: World) -> None:
    execution = world.queue_execution(world.follower(), world.trigger())
    long_ago = utc_now() - timedelta(seconds=90)
    execution.update(actions=[Execution.due_at.set(long_ago), Execution.received_at.set(long_ago)])
    before = world.count_delayed("reconcile")

    reconcile(*[{"execution_id": execution.id}] * 3)

    # Its CLOSE half must run, but seconds do not count any more.
    assert len([m for m in world.take_messages("orders") if m["execution_id"] == execution.id]) == 1
    assert world.count_delayed("reconcile") == before


def test_message_that_fails_does_not_hold_back_the_others(world: World) -> None:
    person = world.follower()
    execution = world.open_position(person)
    before = world.count_delayed("reconcile")
    world.plan_fault(person, "http", "/fapi/v3/positionRisk", "GET", times=3, status=503, msg="Unknown error")

    for _ in range(3):
        assert world.deliver(execution, command=Command.RECONCILE) == [execution.id]

    assert world.count_delayed("reconcile") == before


@pytest.mark.feeds("WatcherSilentAlarm")
def test_watcher_queues_due_executions_and_no_others(world: World) -> None:
    due = world.open_position(world.follower())
    later = world.open_position(world.follower())
    ended = world.open_position(world.follower(balance="60"))
    due.update(actions=[Execution.due_at.set(utc_now() - timedelta(seconds=1))])

    watcher.lambda_handler({"source": "aws.events"}, FakeContext())

    reconciled = {
        message["execution_id"] for message in world.take_messages("orders") if message["command"] == "SETTLE"
    }
    assert due.id in reconciled
    assert not {later.id, ended.id} & reconciled


def test_position_is_due_again_before_the_watchers_next_run(world: World) -> None:
    execution = world.open_position(world.follower())
    assert execution.due_at is not None
    assert execution.due_at <= utc_now() + timedelta(seconds=30)
    world.deliver(execution, command=Command.RECONCILE)
    looked_at = world.stored(execution)
    assert looked_at.due_at is not None
    assert execution.due_at < looked_at.due_at <= utc_now() + timedelta(seconds=30)


def test_reconciliation_of_a_crashed_worker_is_queued_again_at_doubling_intervals(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    execution = world.open_position(world.follower())
    due_at = utc_now()
    execution.update(actions=[Execution.due_at.set(due_at)])

    def requeued(minutes: int) -> int:
        monkeypatch.setattr(service, "utc_now", lambda: due_at + timedelta(minutes=minutes, seconds=1))
        watcher.lambda_handler({"source": "aws.events"}, FakeContext())
        return len([m for m in world.take_messages("orders") if m["execution_id"] == execution.id])

    assert [requeued(minutes) for minutes in (0, 0, 1, 2, 3, 4, 5, 6, 7)] == [1, 0, 1, 0, 1, 0, 0, 0, 1]


def test_failed_query_keeps_no_other_position_from_its_reconciliation(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    execution = world.open_position(world.follower())
    execution.update(actions=[Execution.due_at.set(utc_now() - timedelta(seconds=1))])
    find_due = service._find_due

    def fail_elsewhere(shard: int, now: datetime) -> list[tuple[datetime, str]]:
        if open_shard(shard) != open_shard_of(execution.id):
            raise QueryError("throttled")
        return find_due(shard, now)

    monkeypatch.setattr(service, "_find_due", fail_elsewhere)
    with pytest.raises(QueryError, match="throttled"):
        watcher.lambda_handler({"source": "aws.events"}, FakeContext())
    assert len([m for m in world.take_messages("orders") if m["execution_id"] == execution.id]) == 1


def test_stop_that_filled_unseen_is_booked_by_the_watcher(world: World) -> None:
    person = world.follower()
    execution = world.open_position(person)
    execution.update(actions=[Execution.due_at.set(utc_now() - timedelta(seconds=1))])
    world.exchange.move_price("19700")

    watcher.lambda_handler({"source": "aws.events"}, FakeContext())
    for message in world.take_messages("orders"):
        if message["execution_id"] == execution.id:
            world.deliver(execution, command=Command(message["command"]))

    assert world.stored(execution).state is ExecutionState.CLOSED
    assert world.account(person).flat


def test_fan_out_of_a_crashed_worker_is_queued_past_that_workers_message(world: World) -> None:
    unfinished = world.trigger()
    unfinished.update(actions=[Trigger.fanout_state.set(FanoutState.PENDING)])
    done = world.trigger()
    before = world.count_delayed("reconcile")

    reconcile(
        {"trigger_id": unfinished.id}, {"trigger_id": done.id}, {"trigger_id": "00000000-0000-0000-0000-000000000000"}
    )

    (message,) = [m for m in world.take_messages("triggers") if m["trigger_id"] in {unfinished.id, done.id}]
    assert message["trigger_id"] == unfinished.id
    assert message["group"] != unfinished.strategy_id
    # And it is checked again, in case the next worker crashes too.
    assert world.count_delayed("reconcile") == before + len(DEAD_MAN_DELAYS_S)
    unfinished.update(actions=[Trigger.fanout_state.set(FanoutState.DONE)])


def test_trigger_that_was_stored_but_never_queued_is_queued(world: World) -> None:
    waiting = world.trigger(created_at=utc_now() - timedelta(seconds=20))
    waiting.update(actions=[Trigger.pending.set(PENDING), Trigger.fanout_state.set(FanoutState.PENDING)])
    fresh = world.trigger()
    fresh.update(actions=[Trigger.pending.set(PENDING), Trigger.fanout_state.set(FanoutState.PENDING)])

    watcher.lambda_handler({"source": "aws.events"}, FakeContext())

    sent_on = [message["trigger_id"] for message in world.take_messages("triggers")]
    assert sent_on.count(waiting.id) == 1
    assert fresh.id not in sent_on
    for trigger in (waiting, fresh):
        trigger.update(actions=[Trigger.pending.remove(), Trigger.fanout_state.set(FanoutState.DONE)])
