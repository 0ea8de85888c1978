"""The stop moves to break-even at the paper exchange, whatever a request comes to; it is never gone meanwhile."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from shared.messages import Command
from shared.models.execution import Execution
from shared.models.order import Order, OrderStatus
from shared.trading.execution import CloseReason, ExecutionState
from shared.trading.ids import STOP_LEGS, Leg
from shared.trading.sides import Side, StopType
from tests.integration.executor.world import ALGO_ORDER, Person, World

BREAKEVEN = Decimal("20020.1")
"""Entry at 20000 and fees of 0.05 % for each way, on the tick."""


def reconcile(world: World, execution: Execution) -> Execution:
    assert world.deliver(execution, command=Command.RECONCILE) == []
    return world.stored(execution)


def stops(world: World, person: Person) -> dict[str, tuple[Decimal, bool]]:
    """Return trigger and closePosition of each standing stop, by its type."""
    standing = [order for order in world.account(person).open_orders if order.get("algoType")]
    found = {order["orderType"]: (Decimal(order["triggerPrice"]), order["closePosition"]) for order in standing}
    assert len(found) == len(standing), standing
    return found


def open_with_filled_target(world: World, person: Person, **trigger: Any) -> Execution:
    """Open a position whose nearest target has filled a moment later."""
    execution = world.open_position(person, breakeven_after=1, **trigger)
    world.exchange.move_price("20200")
    return execution


def swapped_orders(execution: Execution) -> list[Order]:
    return sorted((o for o in Order.query(execution.id) if o.leg in STOP_LEGS), key=lambda order: order.attempt)


def test_stop_is_at_break_even_once_the_target_has_filled_and_ends_the_rest_without_a_loss(world: World) -> None:
    person = world.follower()
    execution = open_with_filled_target(world, person)

    execution = reconcile(world, execution)

    assert stops(world, person) == {"STOP_MARKET": (BREAKEVEN, True)}
    assert world.account(person).position == Decimal("0.5")
    assert execution.stop_moved_to == BREAKEVEN
    before = world.account(person).sent(ALGO_ORDER)
    reconcile(world, execution)
    assert world.account(person).sent(ALGO_ORDER) == before
    world.exchange.move_price("20020.1")
    execution = reconcile(world, execution)
    assert (execution.state, execution.close_reason) == (ExecutionState.CLOSED, CloseReason.STOP)
    assert execution.profit is not None
    assert execution.profit > 0
    assert world.account(person).flat


def test_short_position_stops_below_its_entry(world: World) -> None:
    person = world.follower()
    execution = world.open_position(person, side=Side.SELL, breakeven_after=1)
    world.exchange.move_price("19800")
    execution = reconcile(world, execution)
    assert stops(world, person) == {"STOP_MARKET": (Decimal(19980), True)}


def test_limit_stop_moves_with_its_backstop(world: World) -> None:
    person = world.follower()
    execution = open_with_filled_target(world, person, stop_type=StopType.LIMIT)
    reconcile(world, execution)
    assert stops(world, person) == {"STOP": (BREAKEVEN, False), "STOP_MARKET": (Decimal("19953.4"), True)}
    (stop,) = [order for order in world.account(person).open_orders if order.get("orderType") == "STOP"]
    assert Decimal(stop["quantity"]) == world.account(person).position


@pytest.mark.parametrize("kind", ["drop_before", "drop_after"])
@pytest.mark.parametrize("stop", [{"reduceOnly": "true"}, {"closePosition": "true"}], ids=["holder", "stop"])
def test_lost_request_or_answer_of_a_new_stop_leaves_one_stop_at_break_even(
    world: World, kind: str, stop: dict[str, str]
) -> None:
    person = world.follower()
    execution = open_with_filled_target(world, person)
    world.plan_fault(person, kind, ALGO_ORDER, parameters=stop)
    reconcile(world, execution)
    assert stops(world, person) == {"STOP_MARKET": (BREAKEVEN, True)}


def test_new_stop_that_is_never_answered_leaves_the_old_one_and_comes_later(world: World) -> None:
    person = world.follower()
    execution = open_with_filled_target(world, person)
    world.plan_fault(person, "http", ALGO_ORDER, times=100, status=503, msg="Service Unavailable.")

    execution = reconcile(world, execution)

    assert stops(world, person) == {"STOP_MARKET": (Decimal(19800), True)}
    assert execution.state is ExecutionState.PROTECTED
    assert world.count_delayed("reconcile") >= 1
    world.exchange.control("DELETE", "/paper/faults")
    reconcile(world, execution)
    assert stops(world, person) == {"STOP_MARKET": (BREAKEVEN, True)}


def test_break_even_that_the_market_has_passed_leaves_the_old_stop(world: World) -> None:
    person = world.follower()
    execution = open_with_filled_target(world, person)
    world.exchange.move_price("20010")

    execution = reconcile(world, execution)

    assert stops(world, person) == {"STOP_MARKET": (Decimal(19800), True)}
    assert execution.stop_moved_to is None
    assert execution.breakeven_passed == BREAKEVEN
    world.exchange.move_price("20100")
    execution = reconcile(world, execution)
    assert stops(world, person) == {"STOP_MARKET": (BREAKEVEN, True)}
    assert execution.breakeven_passed is None


def test_stop_that_the_exchange_refuses_leaves_the_old_one(world: World) -> None:
    person = world.follower()
    execution = open_with_filled_target(world, person)
    world.plan_fault(person, "code", ALGO_ORDER, status=400, code=-2021, msg="Order would immediately trigger.")

    execution = reconcile(world, execution)

    assert stops(world, person) == {"STOP_MARKET": (Decimal(19800), True)}
    assert execution.stop_moved_to is None
    assert execution.breakeven_passed == BREAKEVEN
    assert [order.status for order in swapped_orders(execution)] == [OrderStatus.OPEN, OrderStatus.REJECTED]
    assert swapped_orders(execution)[-1].leg is Leg.STOP
