"""An update moves the stop at the paper exchange: at once, once, and never away from the market."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from shared.clock import utc_now
from shared.messages import Command
from shared.models.execution import Execution
from shared.trading.execution import DenialReason, ExecutionState, Reason
from shared.trading.sides import TriggerAction
from tests.integration.executor.world import ALGO_ORDER, Person, World


def stop_of(world: World, person: Person) -> Decimal:
    (stop,) = world.account(person).stops
    return Decimal(stop["triggerPrice"])


def update(world: World, person: Person, **asked: Any) -> Execution:
    """Let the executor carry out an update that is received in the second after its entry."""
    trigger = world.trigger(action=TriggerAction.UPDATE, at=utc_now() + timedelta(seconds=1), **asked)
    execution = world.queue_execution(person, trigger)
    assert world.deliver(execution) == []
    return world.stored(execution)


def test_update_moves_the_stop_and_a_second_one_of_the_same_content_sends_nothing(world: World) -> None:
    person = world.follower()
    held = world.open_position(person)

    answered = update(world, person, stop=Decimal(19900))

    assert (answered.state, answered.reason, answered.detail) == (ExecutionState.DONE, Reason.APPLIED, held.id)
    assert stop_of(world, person) == Decimal(19900)
    sent = world.account(person).sent(ALGO_ORDER)
    assert update(world, person, stop=Decimal(19900)).reason == Reason.STOP_NOT_TIGHTER
    assert update(world, person, stop=Decimal(19850)).reason == Reason.STOP_NOT_TIGHTER
    assert world.account(person).sent(ALGO_ORDER) == sent


def test_stop_beyond_the_market_is_answered_and_leaves_the_old_one(world: World) -> None:
    person = world.follower()
    world.open_position(person)
    assert update(world, person, stop=Decimal(20010)).reason == Reason.STOP_PASSED
    assert update(world, person, stop_at_breakeven=True).reason == Reason.STOP_PASSED
    assert stop_of(world, person) == Decimal(19800)


@pytest.mark.parametrize("prices", [("19900", "19950"), ("19950", "19900")])
def test_two_updates_swapped_or_not_leave_the_nearest_stop(world: World, prices: tuple[str, str]) -> None:
    person = world.follower()
    world.open_position(person)
    for price in prices:
        update(world, person, stop=Decimal(price))
    assert stop_of(world, person) == Decimal(19950)


@pytest.mark.parametrize("kind", ["drop_before", "drop_after"])
def test_lost_request_or_answer_leaves_one_stop_at_the_new_price(world: World, kind: str) -> None:
    person = world.follower()
    world.open_position(person)
    world.plan_fault(person, kind, ALGO_ORDER)
    update(world, person, stop=Decimal(19900))
    assert stop_of(world, person) == Decimal(19900)


def test_market_that_passes_the_new_stop_meanwhile_leaves_the_old_one(world: World) -> None:
    person = world.follower()
    held = world.open_position(person)
    world.plan_fault(person, "code", ALGO_ORDER, status=400, code=-2021, msg="Order would immediately trigger.")

    assert update(world, person, stop=Decimal(19900)).reason == Reason.APPLIED

    assert stop_of(world, person) == Decimal(19800)
    assert world.deliver(held, command=Command.RECONCILE) == []
    assert stop_of(world, person) == Decimal(19800)
    assert world.stored(held).state is ExecutionState.PROTECTED


def test_new_targets_take_the_place_of_the_old_ones_for_what_is_left(world: World) -> None:
    person = world.follower()
    held = world.open_position(person)
    world.exchange.move_price("20200")
    world.plan_target_fault(person, "drop_after")

    answered = update(world, person, take_profits=[Decimal(20500), Decimal(20600)], breakeven_after=1)

    assert (answered.reason, answered.detail) == (Reason.APPLIED, held.id)
    account = world.account(person)
    assert [(order["price"], order["origQty"]) for order in account.targets] == [
        ("20500.00", "0.250"),
        ("20600.00", "0.250"),
    ]
    assert stop_of(world, person) == Decimal("20020.1")  # the target that filled before stays counted
    assert update(world, person, take_profits=[Decimal(20100)]).reason == DenialReason.TARGET_PASSED
