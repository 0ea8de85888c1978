"""A worker that dies holding a position: the dead-man message and the lease bring another one in time."""

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
from tests.integration.executor.world import ALGO_ORDER, ORDER, World, record_of
from tests.lambda_context import FakeContext

BOUND_S = 25.0  # without a stop, the worker killed

WORKER = """
import json, os, sys
given = dict(os.environ)
from tests.lambda_context import FakeContext
os.environ.update(given)  # the package of the tests has removed AWS's variables
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
    """Give the watcher its messages, as the queue would after their delay."""
    records = [{"messageId": f"m{n}", "body": json.dumps(body), "attributes": {}} for n, body in enumerate(bodies)]
    assert watcher.lambda_handler({"Records": records}, FakeContext()) == {"batchItemFailures": []}


def test_killed_workers_position_is_protected_by_another_within_the_bound(world: World) -> None:
    person = world.follower()
    execution = world.queued(person, world.trigger())
    world.fault(person, "late", ALGO_ORDER, delayMs=60_000)
    worker = start_worker(execution)
    world.wait_until(lambda: world.books(person).sent(ALGO_ORDER))
    worker.kill()
    worker.wait()
    killed_at = time.monotonic()
    assert world.books(person).position == Decimal("0.75")
    assert world.books(person).stops == []

    world.wait_until_due(execution)
    reconcile({"execution_id": execution.id}, {"execution_id": execution.id})
    (message,) = world.queue("orders")
    world.work(execution, command=Command(message["command"]))

    books = world.books(person)
    assert world.now(execution).state is ExecutionState.PROTECTED
    assert (books.position, len(books.stops), books.sent(ORDER)) == (Decimal("0.75"), 1, 1)
    assert time.monotonic() - killed_at < BOUND_S
    naked_ms = world.now(execution).naked_ms
    assert naked_ms is not None
    assert naked_ms < BOUND_S * 1000


def test_worker_killed_before_its_entry_was_sent_opens_one_position(world: World) -> None:
    person = world.follower()
    execution = world.queued(person, world.trigger())
    world.fault(person, "drop_before", ORDER)
    world.fault(person, "hang", ORDER, "GET", delayMs=60_000)
    worker = start_worker(execution)
    world.wait_until(lambda: world.now(execution).state is ExecutionState.ENTRY_UNKNOWN)
    worker.kill()
    worker.wait()
    world.exchange.control("DELETE", "/paper/faults")

    world.wait_until_due(execution)
    reconcile({"execution_id": execution.id})
    (message,) = world.queue("orders")
    world.work(execution, command=Command(message["command"]))

    assert world.now(execution).state is ExecutionState.PROTECTED
    assert world.books(person).position == Decimal("0.75")
    assert len(world.books(person).market_fills) == 1


def test_worker_killed_while_closing_leaves_a_close_that_the_watch_completes_once(world: World) -> None:
    person = world.follower()
    execution = world.opened(person)
    world.fault(person, "hang", ORDER, delayMs=60_000)
    worker = start_worker(execution, Command.CLOSE)
    world.wait_until(lambda: world.books(person).sent(ORDER) == 2)
    worker.kill()
    worker.wait()
    assert world.now(execution).state is ExecutionState.CLOSING

    execution.refresh()
    execution.update(actions=[Execution.due_at.set(utc_now() - timedelta(seconds=1))])
    watcher.lambda_handler({}, FakeContext())
    for message in world.queue("orders"):
        if message["execution_id"] == execution.id:
            world.work(execution, command=Command(message["command"]))

    execution = world.now(execution)
    assert (execution.state, execution.close_reason) == (ExecutionState.CLOSED, "ADMIN")
    assert world.books(person).flat
    assert len(world.books(person).market_fills) == 2


def test_every_entry_sets_its_dead_man_message_first(world: World) -> None:
    person = world.follower()
    execution = world.queued(person, world.trigger())

    world.work(execution)

    assert world.delayed_on("reconcile") == len(DEAD_MAN_DELAYS_S)


def test_dead_man_message_for_a_protected_position_does_nothing(world: World) -> None:
    person = world.follower()
    execution = world.opened(person)

    reconcile({"execution_id": execution.id}, {"execution_id": "00000000-0000-0000-0000-000000000000"})

    assert world.queue("orders") == []


def test_trigger_of_a_position_that_a_dead_worker_ended_is_ended_too(world: World) -> None:
    person = world.follower()
    bought = world.opened(person)
    sold = world.queued(person, world.trigger(Side.SELL))
    before = world.delayed_on("reconcile") + len(DEAD_MAN_DELAYS_S)
    world.work(sold)
    # As if the worker had died between booking the position and telling its trigger.
    assert world.now(bought).state is ExecutionState.CLOSED
    Trigger(bought.trigger_id).update(actions=[Trigger.active.set(True)])

    assert world.delayed_on("reconcile") > before
    reconcile({"execution_id": bought.id})

    trigger = Trigger.find(bought.trigger_id)
    assert trigger is not None
    assert not trigger.active


def test_looks_never_multiply(world: World) -> None:
    person = world.follower()
    execution = world.opened(person)
    world.fault(person, "code", ORDER, times=1000, status=400, code=-1111, msg="no")
    world.work(execution, command=Command.CLOSE)
    assert world.now(execution).state is ExecutionState.CLOSING
    already = world.delayed_on("reconcile")

    # Due in a while only: more messages about it are dropped, whoever sends them.
    due_at = world.now(execution).due_at
    assert due_at is not None
    execution.update(actions=[Execution.due_at.set(due_at + timedelta(minutes=1))])
    reconcile(*[{"execution_id": execution.id}] * 3)
    watcher.lambda_handler({}, FakeContext())
    assert [m for m in world.queue("orders") if m["execution_id"] == execution.id] == []

    execution.update(actions=[Execution.due_at.set(utc_now() - timedelta(seconds=1))])
    reconcile(*[{"execution_id": execution.id}] * 3)
    watcher.lambda_handler({}, FakeContext())
    assert len([m for m in world.queue("orders") if m["execution_id"] == execution.id]) == 1
    assert world.delayed_on("reconcile") == already + len(DEAD_MAN_DELAYS_S)


def test_worker_that_was_sent_for_and_died_as_well_is_replaced_in_turn(world: World) -> None:
    execution = world.queued(world.follower(), world.trigger())
    execution.update(actions=[Execution.due_at.set(utc_now())])

    for _ in range(3):
        world.wait_until_due(execution)
        reconcile({"execution_id": execution.id})
        # Each time a message of its own, in a group of its own, which nobody's death holds back.
        assert [m["command"] for m in world.queue("orders") if m["execution_id"] == execution.id] == ["SETTLE"]
        assert world.now(execution).due_at is not None
        execution.update(actions=[Execution.due_at.set(utc_now())])

    world.work(execution, command=Command.RECONCILE)
    assert world.now(execution).state is ExecutionState.PROTECTED


def test_execution_still_queued_when_its_alert_is_stale_is_sent_on_once(world: World) -> None:
    execution = world.queued(world.follower(), world.trigger())
    long_ago = utc_now() - timedelta(seconds=90)
    execution.update(actions=[Execution.due_at.set(long_ago), Execution.received_at.set(long_ago)])
    before = world.delayed_on("reconcile")

    reconcile(*[{"execution_id": execution.id}] * 3)

    # Its CLOSE half must run, but seconds do not count any more.
    assert len([m for m in world.queue("orders") if m["execution_id"] == execution.id]) == 1
    assert world.delayed_on("reconcile") == before


def test_message_that_fails_leaves_no_other_behind(world: World) -> None:
    person = world.follower()
    execution = world.opened(person)
    before = world.delayed_on("reconcile")
    world.fault(person, "http", "/fapi/v3/positionRisk", "GET", times=3, status=503, msg="Unknown error")

    for _ in range(3):
        assert world.work(execution, command=Command.RECONCILE) == [execution.id]

    assert world.delayed_on("reconcile") == before


def test_watch_queues_what_is_due_and_nothing_else(world: World) -> None:
    due = world.opened(world.follower())
    later = world.opened(world.follower())
    ended = world.opened(world.follower(balance="60"))
    due.update(actions=[Execution.due_at.set(utc_now() - timedelta(seconds=1))])

    watcher.lambda_handler({"source": "aws.events"}, FakeContext())

    settled = {message["execution_id"] for message in world.queue("orders") if message["command"] == "SETTLE"}
    assert due.id in settled
    assert not {later.id, ended.id} & settled


def test_position_is_due_again_before_the_watchers_next_minute(world: World) -> None:
    execution = world.opened(world.follower())
    assert execution.due_at is not None
    assert execution.due_at <= utc_now() + timedelta(seconds=30)
    world.work(execution, command=Command.RECONCILE)
    looked_at = world.now(execution)
    assert looked_at.due_at is not None
    assert execution.due_at < looked_at.due_at <= utc_now() + timedelta(seconds=30)


def test_look_whose_worker_died_is_queued_anew_each_time_that_doubles(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    execution = world.opened(world.follower())
    due_at = utc_now()
    execution.update(actions=[Execution.due_at.set(due_at)])

    def looks(minutes: int) -> int:
        monkeypatch.setattr(service, "utc_now", lambda: due_at + timedelta(minutes=minutes, seconds=1))
        watcher.lambda_handler({}, FakeContext())
        return len([m for m in world.queue("orders") if m["execution_id"] == execution.id])

    assert [looks(minutes) for minutes in (0, 0, 1, 2, 3, 4, 5, 6, 7)] == [1, 0, 1, 0, 1, 0, 0, 0, 1]


def test_request_that_fails_keeps_no_other_position_from_its_look(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    execution = world.opened(world.follower())
    execution.update(actions=[Execution.due_at.set(utc_now() - timedelta(seconds=1))])
    find_due = service._find_due

    def fail_elsewhere(shard: int, now: datetime) -> list[tuple[datetime, str]]:
        if open_shard(shard) != open_shard_of(execution.id):
            raise QueryError("throttled")
        return find_due(shard, now)

    monkeypatch.setattr(service, "_find_due", fail_elsewhere)
    with pytest.raises(QueryError, match="throttled"):
        watcher.lambda_handler({}, FakeContext())
    assert len([m for m in world.queue("orders") if m["execution_id"] == execution.id]) == 1


def test_stop_that_filled_unseen_is_booked_by_the_watch(world: World) -> None:
    person = world.follower()
    execution = world.opened(person)
    execution.update(actions=[Execution.due_at.set(utc_now() - timedelta(seconds=1))])
    world.exchange.move_price("19700")

    watcher.lambda_handler({}, FakeContext())
    for message in world.queue("orders"):
        if message["execution_id"] == execution.id:
            world.work(execution, command=Command(message["command"]))

    assert world.now(execution).state is ExecutionState.CLOSED
    assert world.books(person).flat


def test_fan_out_whose_worker_died_is_sent_on_past_the_dead_ones_message(world: World) -> None:
    dead = world.trigger()
    dead.update(actions=[Trigger.fanout_state.set(FanoutState.PENDING)])
    done = world.trigger()
    before = world.delayed_on("reconcile")

    reconcile({"trigger_id": dead.id}, {"trigger_id": done.id}, {"trigger_id": "00000000-0000-0000-0000-000000000000"})

    (message,) = [m for m in world.queue("triggers") if m["trigger_id"] in {dead.id, done.id}]
    assert message["trigger_id"] == dead.id
    assert message["group"] != dead.strategy_id
    # And it is asked again, in case the next one dies too.
    assert world.delayed_on("reconcile") == before + len(DEAD_MAN_DELAYS_S)
    dead.update(actions=[Trigger.fanout_state.set(FanoutState.DONE)])


def test_trigger_that_was_stored_but_never_queued_is_sent_on(world: World) -> None:
    waiting = world.trigger(created_at=utc_now() - timedelta(seconds=20))
    waiting.update(actions=[Trigger.pending.set(PENDING), Trigger.fanout_state.set(FanoutState.PENDING)])
    fresh = world.trigger()
    fresh.update(actions=[Trigger.pending.set(PENDING), Trigger.fanout_state.set(FanoutState.PENDING)])

    watcher.lambda_handler({}, FakeContext())

    sent_on = [message["trigger_id"] for message in world.queue("triggers")]
    assert sent_on.count(waiting.id) == 1
    assert fresh.id not in sent_on
    for trigger in (waiting, fresh):
        trigger.update(actions=[Trigger.pending.remove(), Trigger.fanout_state.set(FanoutState.DONE)])
