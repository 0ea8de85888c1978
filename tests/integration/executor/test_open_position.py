"""A reconciliation repairs an open position: the stops as planned, the targets within what is left of ours."""

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
from tests.integration.executor.world import ALGO_ORDER, ORDER, TARGETS, Person, World

QUIET_RECONCILIATION_WEIGHT = 7
"""The weight of position and open orders."""


def reconcile(world: World, execution: Execution) -> None:
    assert world.deliver(execution, command=Command.RECONCILE) == []


def of_leg(execution: Execution, leg: Leg) -> Order:
    return max((o for o in Order.query(execution.id) if o.leg is leg), key=lambda order: order.attempt)


def conditional(world: World, person: Person) -> set[tuple[str, Decimal, Decimal, bool]]:
    """Return type, trigger, amount and closePosition of each conditional order."""
    return {
        (o["orderType"], Decimal(o["triggerPrice"]), Decimal(o["quantity"]), o["closePosition"])
        for o in world.account(person).open_orders
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
def test_take_profits_shrink_to_what_the_owner_has_left_the_farthest_first(
    world: World, sold: str, targets: list[tuple[str, str]]
) -> None:
    person = world.follower()
    execution = world.open_position(person)
    world.trade_as_owner(person, "SELL", sold)

    reconcile(world, execution)
    reconcile(world, execution)

    assert [(order["price"], order["origQty"]) for order in world.account(person).targets] == targets
    assert len(world.account(person).stops) == 1
    assert world.slot(person).quantity == Decimal("0.75") - Decimal(sold)


def test_targets_that_never_arrived_are_sent_for_what_is_left_only(world: World) -> None:
    person = world.follower()
    world.plan_target_fault(person, "http", times=6, status=503, msg="Service Unavailable.")
    execution = world.open_position(person)
    world.trade_as_owner(person, "SELL", "0.400")

    reconcile(world, execution)

    targets = [(order["price"], order["origQty"]) for order in world.account(person).targets]
    assert targets == [("20200.00", "0.250"), ("20300.00", "0.100")]


def test_target_that_a_crashed_worker_sent_is_not_sent_again_after_its_fill(world: World) -> None:
    person = world.follower()
    execution = world.open_position(person)
    sent = of_leg(execution, Leg.TAKE_PROFIT_1)
    sent.update(actions=[Order.status.set(OrderStatus.INTENDED), Order.sent_at.remove()])
    world.exchange.move_price("20200")
    world.exchange.move_price("20100")

    reconcile(world, execution)

    assert world.account(person).position == Decimal("0.5")
    assert of_leg(execution, Leg.TAKE_PROFIT_1).status is OrderStatus.FILLED
    assert world.account(person).sent(ORDER) == 1 + TARGETS


def test_trailing_stop_that_a_crashed_worker_sent_is_found_and_not_sent_again(world: World) -> None:
    person = world.follower()
    execution = world.open_position(person, trailing_trigger=Decimal(950), callback_rate=Decimal(2))
    sent = of_leg(execution, Leg.TRAILING)
    sent.update(actions=[Order.status.set(OrderStatus.INTENDED), Order.sent_at.remove()])
    placed = world.account(person).sent(ALGO_ORDER)

    reconcile(world, execution)

    assert of_leg(execution, Leg.TRAILING).status is OrderStatus.OPEN
    assert world.account(person).sent(ALGO_ORDER) == placed


def test_second_reconciliation_of_an_unchanged_position_reads_position_and_orders_only(world: World) -> None:
    person = world.follower()
    execution = world.open_position(person)
    reconcile(world, execution)
    before = world.account(person).weight

    reconcile(world, execution)

    assert world.account(person).weight - before == QUIET_RECONCILIATION_WEIGHT


def test_limit_stop_for_less_than_the_position_is_replaced(world: World) -> None:
    person = world.follower()
    execution = world.open_position(person, stop_type=StopType.LIMIT)
    stop = of_leg(execution, Leg.STOP)
    put_in_place_of(
        world, person, stop, type="STOP", quantity="0.300", triggerPrice="19800", price="19766.6", reduceOnly="true"
    )

    reconcile(world, execution)

    assert conditional(world, person) == {
        ("STOP", Decimal(19800), Decimal("0.582"), False),
        ("STOP_MARKET", Decimal("19733.3"), Decimal(0), True),
    }
    assert world.stored(execution).state is ExecutionState.PROTECTED


def test_stop_at_another_price_is_put_back_where_it_was_planned(world: World) -> None:
    person = world.follower()
    execution = world.open_position(person)
    stop = of_leg(execution, Leg.STOP)
    put_in_place_of(world, person, stop, type="STOP_MARKET", triggerPrice="19000", closePosition="true")

    reconcile(world, execution)

    assert conditional(world, person) == {("STOP_MARKET", Decimal(19800), Decimal(0), True)}


def test_stop_that_one_list_lacks_is_not_placed_twice(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    person = world.follower()
    execution = world.open_position(person)
    placed = world.account(person).sent(ALGO_ORDER)

    async def nothing(self: FuturesAccount, symbol: str) -> tuple[OrderView, ...]:
        return ()

    with monkeypatch.context() as patch:
        patch.setattr(FuturesAccount, "open_orders", nothing)
        reconcile(world, execution)

    assert world.account(person).sent(ALGO_ORDER) == placed
    assert world.stored(execution).state is ExecutionState.PROTECTED


def test_owners_stop_of_the_whole_position_does_not_keep_ours_from_being_placed(world: World) -> None:
    person = world.follower()
    execution = world.open_position(person)
    world.cancel_stops_as_owner(person)
    request = {"symbol": "BTCUSDT", "side": "SELL", "algoType": "CONDITIONAL", "type": "STOP_MARKET"}
    own = request | {"triggerPrice": "19500", "closePosition": "true"}
    world.as_owner(person, lambda client: client.fapiPrivatePostAlgoOrder(own))

    reconcile(world, execution)
    reconcile(world, execution)

    assert conditional(world, person) == {
        ("STOP_MARKET", Decimal(19500), Decimal(0), True),
        ("STOP_MARKET", Decimal(19800), Decimal("0.75"), False),
    }
    world.exchange.move_price("19790")
    reconcile(world, execution)
    assert world.stored(execution).close_reason == "STOP"


def trailing_amounts(world: World, person: Person) -> list[Decimal]:
    orders = world.account(person).open_orders
    return [Decimal(o["quantity"]) for o in orders if o.get("orderType") == "TRAILING_STOP_MARKET"]


def test_trailing_stop_keeps_its_amount_while_the_owner_holds_nothing_beside_ours(world: World) -> None:
    person = world.follower()
    execution = world.open_position(person, trailing_trigger=Decimal(950), callback_rate=Decimal(2))
    world.exchange.move_price("20200")

    reconcile(world, execution)
    assert trailing_amounts(world, person) == [Decimal("0.75")]

    world.trade_as_owner(person, "BUY", "0.250")
    reconcile(world, execution)
    reconcile(world, execution)
    assert trailing_amounts(world, person) == [Decimal("0.5")]
    assert world.account(person).position == Decimal("0.75")


def test_active_trailing_stop_that_must_shrink_stays_active(world: World) -> None:
    person = world.follower()
    execution = world.open_position(person, trailing_trigger=Decimal(95), callback_rate=Decimal(2))
    world.exchange.move_price("20200")
    world.trade_as_owner(person, "BUY", "0.250")

    reconcile(world, execution)

    trailing = [o for o in world.account(person).open_orders if o.get("orderType") == "TRAILING_STOP_MARKET"]
    assert [(Decimal(o["quantity"]), Decimal(o["activatePrice"])) for o in trailing] == [(Decimal("0.5"), Decimal(0))]


def test_position_whose_limit_stop_a_gap_skipped_is_closed_by_the_backstop(world: World) -> None:
    person = world.follower()
    execution = world.open_position(person, stop_type=StopType.LIMIT)
    world.exchange.move_price("19750")
    assert world.account(person).position == Decimal("0.582")
    placed = world.account(person).sent(ALGO_ORDER)

    reconcile(world, execution)

    assert world.stored(execution).state is ExecutionState.PROTECTED
    assert world.account(person).sent(ALGO_ORDER) == placed
    assert conditional(world, person) == {("STOP_MARKET", Decimal("19733.3"), Decimal(0), True)}

    world.exchange.move_price("19700")
    reconcile(world, execution)
    execution = world.stored(execution)
    assert (execution.close_reason, execution.exit_price) == ("STOP", Decimal(19700))
    assert world.account(person).flat


def test_repair_that_one_reconciliation_left_undone_is_done_by_the_next(world: World) -> None:
    person = world.follower()
    execution = world.open_position(person)
    world.trade_as_owner(person, "SELL", "0.400")
    world.plan_target_fault(person, "http", times=2, status=503, msg="Service Unavailable.")
    reconcile(world, execution)

    reconcile(world, execution)

    targets = [(order["price"], order["origQty"]) for order in world.account(person).targets]
    assert targets == [("20200.00", "0.250"), ("20300.00", "0.100")]
    assert len(world.account(person).fills_at_once) == 2  # the entry, and the owner's
