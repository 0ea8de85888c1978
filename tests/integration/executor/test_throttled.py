"""429 and 418: entries wait, exits back off, no request is sent during a ban, and no message is lost."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from functions.order_executor import waiting
from shared.clock import utc_now
from shared.exchange import lanes
from shared.messages import Command
from shared.models.egress_lane import EgressLane
from shared.models.execution import Execution
from shared.trading.execution import ExecutionState
from shared.trading.sides import Side
from tests.integration.executor.world import ORDER, TARGETS, Person, World

ACCOUNT = "/fapi/v2/account"
POSITION = "/fapi/v3/positionRisk"
TRADES = "/fapi/v1/userTrades"

BANNED = {"status": 418, "code": -1003, "msg": "Way too many requests; IP banned."}
THROTTLED = {"status": 429, "code": -1003, "msg": "Too many requests."}
TOO_MANY_ORDERS = {"status": 429, "code": -1015, "msg": "Too many new orders."}


def refuse(world: World, person: Person, path: str, method: str, answer: dict[str, Any], **also: Any) -> None:
    world.plan_fault(person, "code", path, method, **(answer | {"retryAfterS": 2} | also))


def deliver_when_due(world: World, execution: Execution) -> Execution:
    """Deliver an execution's message when it is due, as the queue's delay would."""
    world.wait_until_due(execution)
    assert world.deliver(execution, command=Command.RECONCILE) == []
    return world.stored(execution)


def requests_of(world: World, person: Person) -> int:
    return sum(world.account(person).requests.values())


@pytest.fixture(autouse=True)
def _no_spread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retry everything as early as possible, without the jitter that serves hundreds of followers."""
    monkeypatch.setattr(waiting, "SPREAD_S", 0.0)


# -- entries -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", [THROTTLED, BANNED])
def test_entry_that_is_refused_while_it_reads_enters_later_and_once(world: World, answer: dict[str, Any]) -> None:
    person = world.follower()
    execution = world.queue_execution(person, world.trigger())
    refuse(world, person, ACCOUNT, "GET", answer)

    assert world.deliver(execution) == []

    assert world.stored(execution).state is ExecutionState.QUEUED
    assert len(world.take_messages("reconcile")) + world.count_delayed("reconcile") == 1
    assert deliver_when_due(world, execution).state is ExecutionState.PROTECTED
    assert world.account(person).sent(ORDER) == 1 + TARGETS


def test_entry_whose_order_is_refused_is_sent_once_more_later(world: World) -> None:
    person = world.follower()
    execution = world.queue_execution(person, world.trigger())
    refuse(world, person, ORDER, "POST", THROTTLED)

    assert world.deliver(execution) == []

    assert world.stored(execution).state is ExecutionState.ENTERING
    assert deliver_when_due(world, execution).state is ExecutionState.PROTECTED
    account = world.account(person)
    assert (len(account.fills_at_once), account.position) == (1, Decimal("0.75"))


def test_entry_whose_order_is_refused_too_late_is_denied(world: World) -> None:
    person = world.follower()
    refuse(world, person, ORDER, "POST", THROTTLED, retryAfterS=60)

    execution = world.open_position(person)

    assert (execution.state, execution.reason) == (ExecutionState.DENIED, "WEIGHT_EXHAUSTED")
    assert world.slot(person).execution_id is None


def test_throttling_pauses_the_lanes_other_entries_before_they_send_requests(world: World) -> None:
    first, second = world.follower(), world.follower()
    trigger = world.trigger()
    refused, other = world.queue_execution(first, trigger), world.queue_execution(second, trigger)
    refuse(world, first, ACCOUNT, "GET", THROTTLED, retryAfterS=4)
    world.deliver(refused)
    lanes.forget()  # another container

    assert world.deliver(other) == []

    assert world.stored(other).state is ExecutionState.QUEUED
    assert requests_of(world, second) == 0
    assert deliver_when_due(world, other).state is ExecutionState.PROTECTED


def test_order_rate_of_one_account_holds_back_no_other(world: World) -> None:
    busy, other = world.follower(), world.follower()
    trigger = world.trigger()
    refuse(world, busy, ORDER, "POST", TOO_MANY_ORDERS)
    executions = [world.queue_execution(busy, trigger), world.queue_execution(other, trigger)]

    assert world.deliver(executions[0]) == []
    assert world.deliver(executions[1]) == []

    assert world.stored(executions[1]).state is ExecutionState.PROTECTED
    assert EgressLane.get("lane-1").paused_until is None
    assert deliver_when_due(world, executions[0]).state is ExecutionState.PROTECTED


def test_opposite_alert_in_a_ban_closes_and_enters_after_it(world: World) -> None:
    person = world.follower()
    prior = world.open_position(person)
    execution = world.queue_execution(person, world.trigger(Side.SELL))
    refuse(world, person, TRADES, "GET", BANNED)

    assert world.deliver(execution) == []

    assert (world.stored(prior).desired.value, world.stored(execution).state) == ("CLOSED", ExecutionState.QUEUED)
    assert deliver_when_due(world, execution).state is ExecutionState.PROTECTED
    assert world.stored(prior).close_reason == "OPPOSITE"
    assert world.account(person).position < 0


def test_opposite_alert_that_will_be_stale_after_the_ban_still_closes(world: World) -> None:
    person = world.follower()
    prior = world.open_position(person)
    world.make_older(prior, seconds=120)
    execution = world.queue_execution(person, world.trigger(Side.SELL, created_at=utc_now() - timedelta(seconds=57)))
    refuse(world, person, TRADES, "GET", BANNED)

    assert world.deliver(execution) == []

    assert world.stored(execution).reason == "WEIGHT_EXHAUSTED"
    assert deliver_when_due(world, prior).close_reason == "OPPOSITE"
    assert world.account(person).flat


# -- exits -------------------------------------------------------------------------------------------------------------


@pytest.mark.rings("LaneBannedAlarm")
def test_no_request_is_sent_during_a_ban_and_the_close_is_done_after_it(world: World) -> None:
    person = world.follower()
    execution = world.open_position(person)
    refuse(world, person, TRADES, "GET", BANNED, retryAfterS=4)
    assert world.deliver(execution, command=Command.CLOSE) == []
    sent = requests_of(world, person)

    lanes.forget()  # another container
    assert world.deliver(execution, command=Command.CLOSE) == []

    assert requests_of(world, person) == sent
    assert world.stored(execution).active
    assert deliver_when_due(world, execution).close_reason == "ADMIN"
    assert world.account(person).flat


def test_work_of_a_long_ban_is_left_to_the_watcher(world: World) -> None:
    person = world.follower()
    execution = world.open_position(person)
    until_ms = int((utc_now() + timedelta(hours=1)).timestamp() * 1000)
    world.take_messages("reconcile")
    refuse(world, person, POSITION, "GET", BANNED | {"msg": f"Way too much; IP banned until {until_ms}."})

    assert world.deliver(execution, command=Command.RECONCILE) == []

    due_at = world.stored(execution).due_at
    assert due_at is not None
    assert timedelta(minutes=59) < due_at - utc_now() < timedelta(minutes=62)
    assert EgressLane.get("lane-1").banned_until is not None
    assert world.take_messages("reconcile") == []


def test_close_that_is_throttled_backs_off_and_is_done(world: World) -> None:
    person = world.follower()
    execution = world.open_position(person)
    before = world.account(person).requests.get(f"GET {TRADES}", 0)
    refuse(world, person, TRADES, "GET", THROTTLED, times=4, retryAfterS=5)

    assert world.deliver(execution, command=Command.CLOSE) == []
    for _ in range(5):
        if not world.stored(execution).active:
            break
        deliver_when_due(world, execution)

    assert world.stored(execution).close_reason == "ADMIN"
    assert world.account(person).flat
    # Four were refused, and the close itself needs a few: no storm on top of them.
    assert world.account(person).requests[f"GET {TRADES}"] - before < 4 + 10


def test_stop_is_placed_while_entries_are_paused(world: World) -> None:
    person = world.follower()
    execution = world.queue_execution(person, world.trigger())
    refuse(world, person, "/fapi/v1/algoOrder", "POST", THROTTLED)

    assert world.deliver(execution) == []

    execution = world.stored(execution)
    assert execution.state is ExecutionState.PROTECTED
    assert execution.naked_ms is not None
    assert execution.naked_ms < 5_000
    assert EgressLane.get("lane-1").paused_until is not None
