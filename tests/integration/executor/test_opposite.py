"""An opposite alert is two halves: CLOSE always runs, OPEN only onto a flat account."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from shared.clock import utc_now
from shared.messages import Command
from shared.trading.execution import ExecutionState
from shared.trading.sides import Side
from tests.integration.executor.test_admission import RECORDS
from tests.integration.executor.world import ORDER, World


def test_opposite_alert_closes_and_opens_the_other_side(world: World) -> None:
    person = world.follower()
    bought = world.opened(person)

    sold = world.opened(person, side=Side.SELL)

    bought, books = world.now(bought), world.books(person)
    assert (bought.state, bought.close_reason) == (ExecutionState.CLOSED, "OPPOSITE")
    assert sold.state is ExecutionState.PROTECTED
    assert books.position < 0
    assert (len(books.stops), len(books.targets)) == (1, 3)


@pytest.mark.parametrize("reason", ["HALTED", "USER_DISABLED", "PLAN_LAPSED", "FOLLOWER_INACTIVE", "KEY_INACTIVE"])
def test_close_half_runs_though_the_open_half_is_denied(world: World, reason: str) -> None:
    person = world.follower()
    bought = world.opened(person)
    sold = world.queued(person, world.trigger(Side.SELL))
    RECORDS[reason](world, person)

    world.work(sold)

    assert world.now(bought).close_reason == "OPPOSITE"
    assert world.now(sold).reason == reason
    assert world.books(person).flat


def test_stale_opposite_alert_still_closes(world: World) -> None:
    person = world.follower()
    bought = world.opened(person)

    sold = world.opened(person, side=Side.SELL, created_at=utc_now() - timedelta(seconds=90))

    assert world.now(bought).close_reason == "OPPOSITE"
    assert sold.reason == "STALE"
    assert world.books(person).flat


def test_late_delivery_of_an_older_alert_closes_nothing(world: World) -> None:
    person = world.follower()
    old = world.queued(person, world.trigger(Side.SELL))
    bought = world.opened(person)

    world.work(old)

    assert world.now(old).state is ExecutionState.DENIED
    assert world.now(bought).state is ExecutionState.PROTECTED
    assert world.books(person).position == Decimal("0.75")


def test_same_side_again_is_skipped(world: World) -> None:
    person = world.follower()
    world.opened(person)

    again = world.opened(person)

    assert (again.state, again.reason) == (ExecutionState.DENIED, "ALREADY_IN_POSITION")
    assert world.books(person).sent(ORDER) == 1


def test_same_side_after_an_unbooked_exit_is_booked_then_opened(world: World) -> None:
    person = world.follower()
    first = world.opened(person)
    world.exchange.move_price("19790")
    world.exchange.move_price("20000")

    second = world.opened(person)

    assert world.now(first).close_reason == "STOP"
    assert second.state is ExecutionState.PROTECTED
    assert len(world.books(person).stops) == 1


def test_account_that_cannot_be_closed_is_not_opened(world: World) -> None:
    person = world.follower()
    bought = world.opened(person)
    world.fault(person, "code", ORDER, times=1000, status=400, code=-1111, msg="no")

    sold = world.opened(person, side=Side.SELL)

    assert (sold.state, sold.reason) == (ExecutionState.DENIED, "PREVIOUS_POSITION_OPEN")
    assert world.now(bought).state is ExecutionState.CLOSING
    assert len(world.books(person).stops) == 1, "the stop is kept until the position is gone"

    world.exchange.control("DELETE", "/paper/faults")
    world.work(bought, command=Command.RECONCILE)

    assert world.now(bought).state is ExecutionState.CLOSED
    assert world.books(person).flat


def test_admin_close_is_verified_flat(world: World) -> None:
    person = world.follower()
    execution = world.opened(person)

    world.work(execution, command=Command.CLOSE)

    execution = world.now(execution)
    assert (execution.state, execution.close_reason) == (ExecutionState.CLOSED, "ADMIN")
    assert world.books(person).flat


def test_close_that_overtakes_the_entry_opens_nothing(world: World) -> None:
    person = world.follower()
    execution = world.queued(person, world.trigger())

    world.work(execution, command=Command.CLOSE)
    world.work(execution)

    assert world.now(execution).reason == "CLOSE_REQUESTED"
    assert world.books(person).sent(ORDER) == 0


@pytest.mark.parametrize("kind", ["drop_before", "drop_after"])
def test_lost_answer_to_a_close_never_turns_the_position(world: World, kind: str) -> None:
    person = world.follower()
    execution = world.opened(person)
    world.fault(person, kind, ORDER)

    world.work(execution, command=Command.CLOSE)

    assert world.now(execution).state is ExecutionState.CLOSED
    assert world.books(person).flat
