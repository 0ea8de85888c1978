"""The weight of an egress lane: entries beyond one minute's weight come in the next, and the exchange never bans us."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from functions.position_watcher import app as watcher
from shared.clock import utc_now
from shared.exchange import lanes, markets, weights
from shared.exchange.gate import Budget, Work
from shared.messages import Command
from shared.models.egress_lane import EgressLane
from shared.models.execution import Execution
from shared.models.key_readiness import KeyReadiness
from shared.trading.execution import DenialReason, ExecutionState
from shared.trading.readiness import DENIES_FOR, Verdict
from tests.integration.executor.world import ORDER, TARGETS, World
from tests.lambda_context import FakeContext

PING = 1
ENTRY_USES = 7
"""While prices and brackets are shared, and no order has to be looked up."""
WINDOW_MS = 8_000
LIMIT = 100
"""Entries may use and hold 90 % of it: six in a window, with what the last one holds for its exits."""


@pytest.fixture
def short_minute(world: World, settings_from: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """An exchange with a limit of 100 in 8 s, which our settings know."""
    monkeypatch.setattr(weights, "WINDOW_MS", WINDOW_MS)
    settings_from(LANE_WEIGHT_PER_MINUTE=str(LIMIT))
    world.exchange.set(limits_enabled=True, weight_window_ms=WINDOW_MS, weight_limit_per_minute=LIMIT)
    world.exchange.control("DELETE", "/paper/limits")
    yield world
    world.exchange.set(limits_enabled=False, weight_window_ms=60_000, weight_limit_per_minute=2400)
    world.exchange.control("DELETE", "/paper/limits")


def wait_until_counts_are_believed(world: World) -> None:
    """Wait for a window's second second: in its first one, an answer may carry the count of the window before."""
    world.wait_until(lambda: 1.15 < utc_now().timestamp() % (WINDOW_MS / 1000) < 3)


def run_until_all_ended_or_protected(world: World, executions: list[Execution]) -> None:
    """Deliver messages as the queues would, each at its time, until no execution waits."""

    def waiting() -> list[Execution]:
        return [
            one for one in map(world.stored, executions) if one.active and one.state is not ExecutionState.PROTECTED
        ]

    def nothing_waits() -> bool:
        due = [one for one in waiting() if one.due_at is not None and one.due_at <= utc_now()]
        if due:
            bodies = [json.dumps({"execution_id": one.id}) for one in due]
            records = [{"messageId": f"m{n}", "body": body, "attributes": {}} for n, body in enumerate(bodies)]
            assert watcher.lambda_handler({"Records": records}, FakeContext()) == {"batchItemFailures": []}
            messages = world.take_messages("orders")
            assert {message["command"] for message in messages} <= {Command.RECONCILE.value}
            brought_back = {message["execution_id"] for message in messages}
            assert world.deliver(*[one for one in due if one.id in brought_back], command=Command.RECONCILE) == []
        return not waiting()

    world.wait_until(nothing_waits)


def test_entries_that_one_minute_cannot_carry_enter_in_the_next(short_minute: World) -> None:
    world = short_minute
    people = [world.follower() for _ in range(10)]
    trigger = world.trigger()
    executions = [world.queue_execution(person, trigger) for person in people]
    wait_until_counts_are_believed(world)

    assert world.deliver(*executions) == []

    states = [world.stored(one).state for one in executions]
    assert set(states) == {ExecutionState.PROTECTED, ExecutionState.QUEUED}
    cap = Budget(LIMIT, used=0).cap(Work.ENTRY)
    assert 1 <= states.count(ExecutionState.PROTECTED) <= (cap - weights.CLOSE) // ENTRY_USES
    run_until_all_ended_or_protected(world, executions)
    assert [world.stored(one).state for one in executions] == [ExecutionState.PROTECTED] * len(executions)
    assert [world.account(person).sent(ORDER) for person in people] == [1 + TARGETS] * len(people)
    lane = EgressLane.get("lane-1")
    assert lane.paused_until is None  # the exchange never had to say no
    assert lane.banned_until is None


def test_unfit_keys_take_no_weight_from_the_fit_ones(short_minute: World) -> None:
    world = short_minute
    unfit = [world.follower(dualSidePosition=True) for _ in range(20)]
    verdict = Verdict((DenialReason.HEDGE_MODE,))
    for person in unfit:
        KeyReadiness.record(person.key, verdict, details={}, checked_at=utc_now() - DENIES_FOR / 2)
    trigger = world.trigger()
    denied = [world.queue_execution(person, trigger) for person in unfit]
    entering = [world.queue_execution(world.follower(), trigger) for _ in range(5)]
    wait_until_counts_are_believed(world)

    assert world.deliver(*denied, *entering) == []

    assert {world.stored(one).reason for one in denied} == {"HEDGE_MODE"}
    run_until_all_ended_or_protected(world, entering)
    assert all(world.account(person).requests == {} for person in unfit)
    assert [world.stored(one).state for one in entering] == [ExecutionState.PROTECTED] * len(entering)


def test_two_alerts_in_a_minute_end_in_one_position_each(short_minute: World) -> None:
    world = short_minute
    people, executions = [], []
    for strategy in (world, World(world.exchange, world.aws)):
        trigger = strategy.trigger()
        followers = [strategy.follower() for _ in range(6)]
        people += followers
        executions += [strategy.queue_execution(person, trigger) for person in followers]

    assert world.deliver(*executions) == []
    run_until_all_ended_or_protected(world, executions)

    assert [world.stored(one).state for one in executions] == [ExecutionState.PROTECTED] * len(executions)
    accounts = [world.account(person) for person in people]
    assert [(len(one.fills_at_once), len(one.stops)) for one in accounts] == [(1, 1)] * len(executions)


def test_entry_with_its_exits_weighs_what_is_held_for_it(short_minute: World) -> None:
    world = short_minute
    world.exchange.set(weight_limit_per_minute=10_000, weight_window_ms=24 * 3600 * 1000)
    world.open_position(world.follower())  # the exchange's markets are read once an hour
    markets._brackets.clear()
    before = used_weight(world)

    assert world.open_position(world.follower()).state is ExecutionState.PROTECTED

    # While the exchange answers in time, one look-up each of entry and stop remains of the hold.
    assert used_weight(world) - before - PING == weights.ENTRY - 2 * weights.LOOK_UP


def used_weight(world: World) -> int:
    with urllib.request.urlopen(f"{world.exchange.url}/fapi/v1/ping") as answer:  # noqa: S310 - 127.0.0.1
        return int(answer.headers["X-MBX-USED-WEIGHT-1M"])


def test_reconciliation_of_a_protected_position_waits_while_the_lane_is_short(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights, "WINDOW_MS", 24 * 3600 * 1000)
    person = world.follower()
    execution = world.open_position(person)
    today = utc_now().replace(hour=0, minute=0, second=0, microsecond=0)
    EgressLane(lane="lane-1", minute=today, used_weight=61, weight_limit=100).save()
    lanes.forget()
    sent = world.account(person).requests

    assert world.deliver(execution, command=Command.RECONCILE) == []

    assert world.account(person).requests == sent
    looked_at = world.stored(execution)
    assert looked_at.state is ExecutionState.PROTECTED
    assert looked_at.due_at is not None
    assert looked_at.due_at > utc_now() + timedelta(seconds=1)
    assert world.deliver(execution, command=Command.CLOSE) == []  # what closes never waits for weight
    assert world.account(person).flat


def test_entry_whose_alert_would_be_stale_by_then_is_denied(world: World, settings_from: Callable[..., None]) -> None:
    settings_from(LANE_WEIGHT_PER_MINUTE=str(weights.ENTRY))  # not even one entry fits
    person = world.follower()

    execution = world.open_position(person, created_at=utc_now() - timedelta(seconds=57))

    assert (execution.state, execution.reason) == (ExecutionState.DENIED, "WEIGHT_EXHAUSTED")
    assert world.account(person).requests == {}
