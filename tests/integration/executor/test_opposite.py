"""An opposite alert has two halves: the close always runs, the entry only on a flat account."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from shared.clock import utc_now
from shared.messages import Command
from shared.trading.execution import ExecutionState
from shared.trading.sides import Side
from tests.integration.executor.test_admission import RECORDS
from tests.integration.executor.world import ORDER, TARGETS, World


def test_opposite_alert_closes_and_opens_the_other_side(world: World) -> None:
    person = world.follower()
    bought = world.open_position(person)

    sold = world.open_position(person, side=Side.SELL)

    bought, account = world.stored(bought), world.account(person)
    assert (bought.state, bought.close_reason) == (ExecutionState.CLOSED, "OPPOSITE")
    assert sold.state is ExecutionState.PROTECTED
    assert account.position < 0
    assert (len(account.stops), len(account.targets)) == (1, 3)


@pytest.mark.parametrize("reason", ["HALTED", "USER_DISABLED", "PLAN_LAPSED", "FOLLOWER_INACTIVE", "KEY_INACTIVE"])
def test_close_half_runs_although_the_open_half_is_denied(world: World, reason: str) -> None:
    person = world.follower()
    bought = world.open_position(person)
    sold = world.queue_execution(person, world.trigger(Side.SELL))
    RECORDS[reason](world, person)

    world.deliver(sold)

    assert world.stored(bought).close_reason == "OPPOSITE"
    assert world.stored(sold).reason == reason
    assert world.account(person).flat


def test_stale_opposite_alert_still_closes(world: World) -> None:
    person = world.follower()
    bought = world.open_position(person)
    world.make_older(bought, seconds=120)

    sold = world.open_position(person, side=Side.SELL, created_at=utc_now() - timedelta(seconds=90))

    assert world.stored(bought).close_reason == "OPPOSITE"
    assert sold.reason == "STALE"
    assert world.account(person).flat


def test_late_delivery_of_an_older_alert_closes_nothing(world: World) -> None:
    person = world.follower()
    old = world.queue_execution(person, world.trigger(Side.SELL))
    bought = world.open_position(person)

    world.deliver(old)

    assert world.stored(old).state is ExecutionState.DENIED
    assert world.stored(bought).state is ExecutionState.PROTECTED
    assert world.account(person).position == Decimal("0.75")


@pytest.mark.parametrize("accepted_first", [True, False])
def test_alert_that_fired_before_the_one_that_holds_the_position_leaves_it_and_its_stop(
    world: World, accepted_first: bool
) -> None:
    person = world.follower()
    now = utc_now()
    sold = world.open_position(person, side=Side.SELL, fired_at=now - timedelta(seconds=1))
    standing = world.account(person)
    trigger = world.trigger(Side.BUY, fired_at=now - timedelta(seconds=20), overtaken=not accepted_first)
    bought = world.queue_execution(person, trigger)

    world.deliver(bought)

    bought, books = world.stored(bought), world.account(person)
    assert (bought.state, bought.reason) == (ExecutionState.DENIED, "SUPERSEDED")
    assert world.stored(sold).state is ExecutionState.PROTECTED
    assert (books.position, books.open_orders) == (standing.position, standing.open_orders)
    assert books.position < 0
    assert books.sent(ORDER) == standing.sent(ORDER)


def test_alert_on_the_same_side_is_denied(world: World) -> None:
    person = world.follower()
    world.open_position(person)

    again = world.open_position(person)

    assert (again.state, again.reason) == (ExecutionState.DENIED, "ALREADY_IN_POSITION")
    assert world.account(person).sent(ORDER) == 1 + TARGETS


def test_alert_on_the_same_side_books_an_unbooked_exit_and_then_opens(world: World) -> None:
    person = world.follower()
    first = world.open_position(person)
    world.exchange.move_price("19790")
    world.exchange.move_price("20000")

    second = world.open_position(person)

    assert world.stored(first).close_reason == "STOP"
    assert second.state is ExecutionState.PROTECTED
    assert len(world.account(person).stops) == 1


def test_account_that_cannot_be_closed_is_not_opened(world: World) -> None:
    person = world.follower()
    bought = world.open_position(person)
    world.plan_fault(person, "code", ORDER, times=1000, status=400, code=-1111, msg="no")

    sold = world.open_position(person, side=Side.SELL)

    assert (sold.state, sold.reason) == (ExecutionState.DENIED, "PREVIOUS_POSITION_OPEN")
    assert world.stored(bought).state is ExecutionState.CLOSING
    assert len(world.account(person).stops) == 1, "the stop stands until the position is gone"

    world.exchange.control("DELETE", "/paper/faults")
    world.deliver(bought, command=Command.RECONCILE)

    assert world.stored(bought).state is ExecutionState.CLOSED
    assert world.account(person).flat


def test_admin_close_is_verified_flat(world: World) -> None:
    person = world.follower()
    execution = world.open_position(person)

    world.deliver(execution, command=Command.CLOSE)

    execution = world.stored(execution)
    assert (execution.state, execution.close_reason) == (ExecutionState.CLOSED, "ADMIN")
    assert world.account(person).flat


def test_close_that_arrives_before_the_entry_opens_nothing(world: World) -> None:
    person = world.follower()
    execution = world.queue_execution(person, world.trigger())

    world.deliver(execution, command=Command.CLOSE)
    world.deliver(execution)

    assert world.stored(execution).reason == "CLOSE_REQUESTED"
    assert world.account(person).sent(ORDER) == 0


@pytest.mark.parametrize("kind", ["drop_before", "drop_after"])
def test_lost_answer_to_a_close_never_reverses_the_position(world: World, kind: str) -> None:
    person = world.follower()
    execution = world.open_position(person)
    world.plan_fault(person, kind, ORDER)

    world.deliver(execution, command=Command.CLOSE)

    assert world.stored(execution).state is ExecutionState.CLOSED
    assert world.account(person).flat
