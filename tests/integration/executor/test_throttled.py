"""429 and 418: entries wait, exits back off, nothing is asked during a ban, and no message is lost over it."""

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
from tests.integration.executor.world import ORDER, Person, World

ACCOUNT = "/fapi/v3/account"
POSITION = "/fapi/v3/positionRisk"
TRADES = "/fapi/v1/userTrades"

BANNED = {"status": 418, "code": -1003, "msg": "Way too many requests; IP banned."}
THROTTLED = {"status": 429, "code": -1003, "msg": "Too many requests."}
TOO_MANY_ORDERS = {"status": 429, "code": -1015, "msg": "Too many new orders."}


def refuse(world: World, person: Person, path: str, method: str, answer: dict[str, Any], **also: Any) -> None:
    world.fault(person, "code", path, method, **(answer | {"retryAfterS": 2} | also))


def come_back(world: World, execution: Execution) -> Execution:
    """Bring an execution back when it is due, as the queue's delay would."""
    world.wait_until_due(execution)
    assert world.work(execution, command=Command.RECONCILE) == []
    return world.now(execution)


def requests_of(world: World, person: Person) -> int:
    return sum(world.books(person).requests.values())


@pytest.fixture(autouse=True)
def _no_spread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let everything come back as soon as it may: the spread is for hundreds."""
    monkeypatch.setattr(waiting, "SPREAD_S", 0.0)


# -- entries -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", [THROTTLED, BANNED])
def test_entry_that_is_refused_while_it_reads_enters_later_and_once(world: World, answer: dict[str, Any]) -> None:
    person = world.follower()
    execution = world.queued(person, world.trigger())
    refuse(world, person, ACCOUNT, "GET", answer)

    assert world.work(execution) == []

    assert world.now(execution).state is ExecutionState.QUEUED
    assert len(world.queue("reconcile")) + world.delayed_on("reconcile") == 1
    assert come_back(world, execution).state is ExecutionState.PROTECTED
    assert world.books(person).sent(ORDER) == 1


def test_entry_whose_order_is_refused_is_sent_once_more_later(world: World) -> None:
    person = world.follower()
    execution = world.queued(person, world.trigger())
    refuse(world, person, ORDER, "POST", THROTTLED)

    assert world.work(execution) == []

    assert world.now(execution).state is ExecutionState.ENTERING
    assert come_back(world, execution).state is ExecutionState.PROTECTED
    books = world.books(person)
    assert (len(books.market_fills), books.position) == (1, Decimal("0.75"))


def test_entry_whose_order_is_refused_too_late_is_denied(world: World) -> None:
    person = world.follower()
    refuse(world, person, ORDER, "POST", THROTTLED, retryAfterS=60)

    execution = world.opened(person)

    assert (execution.state, execution.reason) == (ExecutionState.DENIED, "WEIGHT_EXHAUSTED")
    assert world.slot(person).execution_id is None


def test_throttling_pauses_the_lanes_other_entries_before_they_ask(world: World) -> None:
    first, second = world.follower(), world.follower()
    trigger = world.trigger()
    refused, other = world.queued(first, trigger), world.queued(second, trigger)
    refuse(world, first, ACCOUNT, "GET", THROTTLED, retryAfterS=4)
    world.work(refused)
    lanes.forget()  # another container

    assert world.work(other) == []

    assert world.now(other).state is ExecutionState.QUEUED
    assert requests_of(world, second) == 0
    assert come_back(world, other).state is ExecutionState.PROTECTED


def test_order_rate_of_one_account_concerns_no_other(world: World) -> None:
    busy, other = world.follower(), world.follower()
    trigger = world.trigger()
    refuse(world, busy, ORDER, "POST", TOO_MANY_ORDERS)
    executions = [world.queued(busy, trigger), world.queued(other, trigger)]

    assert world.work(executions[0]) == []
    assert world.work(executions[1]) == []

    assert world.now(executions[1]).state is ExecutionState.PROTECTED
    assert EgressLane.get("lane-1").paused_until is None
    assert come_back(world, executions[0]).state is ExecutionState.PROTECTED


def test_opposite_alert_in_a_ban_closes_and_enters_after_it(world: World) -> None:
    person = world.follower()
    prior = world.opened(person)
    execution = world.queued(person, world.trigger(Side.SELL))
    refuse(world, person, POSITION, "GET", BANNED)

    assert world.work(execution) == []

    assert (world.now(prior).desired.value, world.now(execution).state) == ("CLOSED", ExecutionState.QUEUED)
    assert come_back(world, execution).state is ExecutionState.PROTECTED
    assert world.now(prior).close_reason == "OPPOSITE"
    assert world.books(person).position < 0


def test_opposite_alert_that_will_be_stale_after_the_ban_closes_all_the_same(world: World) -> None:
    person = world.follower()
    prior = world.opened(person)
    execution = world.queued(person, world.trigger(Side.SELL, created_at=utc_now() - timedelta(seconds=57)))
    refuse(world, person, POSITION, "GET", BANNED)

    assert world.work(execution) == []

    assert world.now(execution).reason == "WEIGHT_EXHAUSTED"
    assert come_back(world, prior).close_reason == "OPPOSITE"
    assert world.books(person).flat


# -- exits -------------------------------------------------------------------------------------------------------------


def test_nothing_is_asked_during_a_ban_and_the_close_is_done_after_it(world: World) -> None:
    person = world.follower()
    execution = world.opened(person)
    refuse(world, person, POSITION, "GET", BANNED, retryAfterS=4)
    assert world.work(execution, command=Command.CLOSE) == []
    asked = requests_of(world, person)

    lanes.forget()  # another container
    assert world.work(execution, command=Command.CLOSE) == []

    assert requests_of(world, person) == asked
    assert world.now(execution).active
    assert come_back(world, execution).close_reason == "ADMIN"
    assert world.books(person).flat


def test_ban_that_lasts_leaves_its_end_to_the_watcher(world: World) -> None:
    person = world.follower()
    execution = world.opened(person)
    until_ms = int((utc_now() + timedelta(hours=1)).timestamp() * 1000)
    world.queue("reconcile")
    refuse(world, person, POSITION, "GET", BANNED | {"msg": f"Way too much; IP banned until {until_ms}."})

    assert world.work(execution, command=Command.RECONCILE) == []

    due_at = world.now(execution).due_at
    assert due_at is not None
    assert timedelta(minutes=59) < due_at - utc_now() < timedelta(minutes=62)
    assert EgressLane.get("lane-1").banned_until is not None
    assert world.queue("reconcile") == []


def test_close_that_is_throttled_backs_off_and_is_done(world: World) -> None:
    person = world.follower()
    execution = world.opened(person)
    before = world.books(person).requests.get(f"GET {TRADES}", 0)
    refuse(world, person, TRADES, "GET", THROTTLED, times=4, retryAfterS=5)

    assert world.work(execution, command=Command.CLOSE) == []
    for _ in range(5):
        if not world.now(execution).active:
            break
        come_back(world, execution)

    assert world.now(execution).close_reason == "ADMIN"
    assert world.books(person).flat
    # Four were refused, and the close itself needs a few: no storm on top of them.
    assert world.books(person).requests[f"GET {TRADES}"] - before < 4 + 10


def test_stop_is_placed_while_entries_are_paused(world: World) -> None:
    person = world.follower()
    execution = world.queued(person, world.trigger())
    refuse(world, person, "/fapi/v1/algoOrder", "POST", THROTTLED)

    assert world.work(execution) == []

    execution = world.now(execution)
    assert execution.state is ExecutionState.PROTECTED
    assert execution.naked_ms is not None
    assert execution.naked_ms < 5_000
    assert EgressLane.get("lane-1").paused_until is not None
