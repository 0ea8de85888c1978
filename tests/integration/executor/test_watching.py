"""A look makes the exchange and our ledger agree: the stops as planned, the targets within what is left of ours."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from shared.exchange.futures import FuturesAccount
from shared.exchange.venue_views import OrderView
from shared.messages import Command
from shared.models.execution import Execution
from shared.models.order import Order, OrderStatus
from shared.trading.execution import ExecutionState
from shared.trading.ids import Leg
from shared.trading.sides import StopType
from tests.integration.executor.world import ALGO_ORDER, BATCH_ORDERS, ORDER, Person, World

A_QUIET_LOOK = 7
"""The weight of position and open orders."""


def look(world: World, execution: Execution) -> None:
    assert world.work(execution, command=Command.RECONCILE) == []


def of_leg(execution: Execution, leg: Leg) -> Order:
    return max((o for o in Order.query(execution.id) if o.leg is leg), key=lambda order: order.attempt)


def conditional(world: World, person: Person) -> set[tuple[str, Decimal, Decimal, bool]]:
    """Type, trigger, amount, and whether it closes the whole position, of what waits for its price."""
    return {
        (o["orderType"], Decimal(o["triggerPrice"]), Decimal(o["quantity"]), o["closePosition"])
        for o in world.books(person).open_orders
        if o.get("algoType")
    }


def put_in_place_of(world: World, person: Person, order: Order, **changes: str) -> None:
    """Cancel a conditional order of ours at the exchange, and place another under its id."""
    request = {"symbol": "BTCUSDT", "side": "SELL", "algoType": "CONDITIONAL", "workingType": "CONTRACT_PRICE"}

    def act(client: Any) -> None:
        client.fapiPrivateDeleteAlgoOrder({"clientAlgoId": order.client_order_id})
        client.fapiPrivatePostAlgoOrder(request | {"clientAlgoId": order.client_order_id} | changes)

    world.as_owner(person, act)


@pytest.mark.parametrize(
    ("sold", "targets"),
    [
        ("0.500", [("20200.00", "0.250")]),
        ("0.400", [("20200.00", "0.250"), ("20300.00", "0.100")]),
        ("0.600", [("20200.00", "0.150")]),
    ],
)
def test_take_profits_are_held_to_what_the_owner_has_left_the_nearest_first(
    world: World, sold: str, targets: list[tuple[str, str]]
) -> None:
    person = world.follower()
    execution = world.opened(person)
    world.trade_by_hand(person, "SELL", sold)

    look(world, execution)
    look(world, execution)

    assert [(order["price"], order["origQty"]) for order in world.books(person).targets] == targets
    assert len(world.books(person).stops) == 1
    assert world.slot(person).quantity == Decimal("0.75") - Decimal(sold)


def test_targets_that_never_arrived_are_sent_for_what_is_left_only(world: World) -> None:
    person = world.follower()
    world.fault(person, "http", BATCH_ORDERS, times=2, status=503, msg="Service Unavailable.")
    execution = world.opened(person)
    world.trade_by_hand(person, "SELL", "0.400")

    look(world, execution)

    targets = [(order["price"], order["origQty"]) for order in world.books(person).targets]
    assert targets == [("20200.00", "0.250"), ("20300.00", "0.100")]


def test_target_that_a_dead_worker_sent_is_not_sent_again_after_its_fill(world: World) -> None:
    person = world.follower()
    execution = world.opened(person)
    sent = of_leg(execution, Leg.TAKE_PROFIT_1)
    sent.update(actions=[Order.status.set(OrderStatus.INTENDED), Order.sent_at.remove()])
    world.exchange.move_price("20200")
    world.exchange.move_price("20100")

    look(world, execution)

    assert world.books(person).position == Decimal("0.5")
    assert of_leg(execution, Leg.TAKE_PROFIT_1).status is OrderStatus.FILLED
    assert world.books(person).sent(BATCH_ORDERS) == 1


def test_trailing_stop_that_a_dead_worker_sent_is_found_not_sent_again(world: World) -> None:
    person = world.follower()
    execution = world.opened(person, trailing_trigger=Decimal(950), callback_rate=Decimal(2))
    sent = of_leg(execution, Leg.TRAILING)
    sent.update(actions=[Order.status.set(OrderStatus.INTENDED), Order.sent_at.remove()])
    placed = world.books(person).sent(ALGO_ORDER)

    look(world, execution)

    assert of_leg(execution, Leg.TRAILING).status is OrderStatus.OPEN
    assert world.books(person).sent(ALGO_ORDER) == placed


def test_second_look_at_a_quiet_position_asks_for_position_and_orders_only(world: World) -> None:
    person = world.follower()
    execution = world.opened(person)
    look(world, execution)
    before = world.books(person).weight

    look(world, execution)

    assert world.books(person).weight - before == A_QUIET_LOOK


def test_limit_stop_for_less_than_the_position_is_replaced(world: World) -> None:
    person = world.follower()
    execution = world.opened(person, stop_type=StopType.LIMIT)
    stop = of_leg(execution, Leg.STOP)
    put_in_place_of(
        world, person, stop, type="STOP", quantity="0.300", triggerPrice="19800", price="19701", reduceOnly="true"
    )

    look(world, execution)

    assert conditional(world, person) == {
        ("STOP", Decimal(19800), Decimal("0.75"), False),
        ("STOP_MARKET", Decimal(19602), Decimal(0), True),
    }
    assert world.now(execution).state is ExecutionState.PROTECTED


def test_stop_at_another_price_is_put_back_where_it_was_planned(world: World) -> None:
    person = world.follower()
    execution = world.opened(person)
    stop = of_leg(execution, Leg.STOP)
    put_in_place_of(world, person, stop, type="STOP_MARKET", triggerPrice="19000", closePosition="true")

    look(world, execution)

    assert conditional(world, person) == {("STOP_MARKET", Decimal(19800), Decimal(0), True)}


def test_stop_that_one_list_lacks_is_not_placed_twice(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    person = world.follower()
    execution = world.opened(person)
    placed = world.books(person).sent(ALGO_ORDER)

    async def nothing(self: FuturesAccount, symbol: str) -> tuple[OrderView, ...]:
        return ()

    with monkeypatch.context() as patch:
        patch.setattr(FuturesAccount, "open_orders", nothing)
        look(world, execution)

    assert world.books(person).sent(ALGO_ORDER) == placed
    assert world.now(execution).state is ExecutionState.PROTECTED


def test_owners_own_stop_of_the_whole_position_does_not_keep_ours_away(world: World) -> None:
    person = world.follower()
    execution = world.opened(person)
    world.cancel_stops(person)
    request = {"symbol": "BTCUSDT", "side": "SELL", "algoType": "CONDITIONAL", "type": "STOP_MARKET"}
    own = request | {"triggerPrice": "19500", "closePosition": "true"}
    world.as_owner(person, lambda client: client.fapiPrivatePostAlgoOrder(own))

    look(world, execution)
    look(world, execution)

    assert conditional(world, person) == {
        ("STOP_MARKET", Decimal(19500), Decimal(0), True),
        ("STOP_MARKET", Decimal(19800), Decimal("0.75"), False),
    }
    world.exchange.move_price("19790")
    look(world, execution)
    assert world.now(execution).close_reason == "STOP"


def trailing_amounts(world: World, person: Person) -> list[Decimal]:
    orders = world.books(person).open_orders
    return [Decimal(o["quantity"]) for o in orders if o.get("orderType") == "TRAILING_STOP_MARKET"]


def test_trailing_stop_keeps_its_amount_while_nobody_elses_position_is_in_its_way(world: World) -> None:
    person = world.follower()
    execution = world.opened(person, trailing_trigger=Decimal(950), callback_rate=Decimal(2))
    world.exchange.move_price("20200")

    look(world, execution)
    assert trailing_amounts(world, person) == [Decimal("0.75")]

    world.trade_by_hand(person, "BUY", "0.250")
    look(world, execution)
    look(world, execution)
    assert trailing_amounts(world, person) == [Decimal("0.5")]
    assert world.books(person).position == Decimal("0.75")


def test_active_trailing_stop_that_must_shrink_stays_active(world: World) -> None:
    person = world.follower()
    execution = world.opened(person, trailing_trigger=Decimal(95), callback_rate=Decimal(2))
    world.exchange.move_price("20200")
    world.trade_by_hand(person, "BUY", "0.250")

    look(world, execution)

    trailing = [o for o in world.books(person).open_orders if o.get("orderType") == "TRAILING_STOP_MARKET"]
    assert [(Decimal(o["quantity"]), Decimal(o["activatePrice"])) for o in trailing] == [(Decimal("0.5"), Decimal(0))]


def test_limit_stop_that_a_gap_left_behind_is_caught_by_the_backstop(world: World) -> None:
    person = world.follower()
    execution = world.opened(person, stop_type=StopType.LIMIT)
    world.exchange.move_price("19650")
    assert world.books(person).position == Decimal("0.75")
    placed = world.books(person).sent(ALGO_ORDER)

    look(world, execution)

    assert world.now(execution).state is ExecutionState.PROTECTED
    assert world.books(person).sent(ALGO_ORDER) == placed
    assert conditional(world, person) == {("STOP_MARKET", Decimal(19602), Decimal(0), True)}

    world.exchange.move_price("19600")
    look(world, execution)
    execution = world.now(execution)
    assert (execution.close_reason, execution.exit_price) == ("STOP", Decimal(19600))
    assert world.books(person).flat


def test_what_a_look_left_undone_is_taken_up_by_the_next(world: World) -> None:
    person = world.follower()
    execution = world.opened(person)
    world.trade_by_hand(person, "SELL", "0.400")
    world.fault(person, "http", BATCH_ORDERS, times=2, status=503, msg="Service Unavailable.")
    look(world, execution)

    look(world, execution)

    targets = [(order["price"], order["origQty"]) for order in world.books(person).targets]
    assert targets == [("20200.00", "0.250"), ("20300.00", "0.100")]
    assert world.books(person).sent(ORDER) == 2  # the entry, and the owner's
