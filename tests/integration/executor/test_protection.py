"""Never naked: the stop stands, or the position does not."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from shared.clock import utc_now
from shared.messages import Command
from shared.models.follower_performance import FollowerPerformance
from shared.models.order import Order, OrderStatus
from shared.models.trigger import Trigger
from shared.scheduling import DEAD_MAN_DELAYS_S, RECHECK_S
from shared.trading.execution import ExecutionState
from shared.trading.ids import Leg
from shared.trading.sides import StopType
from tests.integration.executor.world import ALGO_ORDER, World

NAKED_AT_MOST_MS = 5_000  # with a living worker


@pytest.mark.parametrize(
    "refusal",
    [
        {"kind": "code", "status": 400, "code": -4120, "msg": "no"},
        {"kind": "http", "status": 503, "msg": "Unknown error, please check your request or try again later."},
    ],
)
def test_position_whose_stop_is_refused_for_good_is_closed_within_the_bound(
    world: World, refusal: dict[str, object]
) -> None:
    person = world.follower()
    world.plan_fault(person, path=ALGO_ORDER, times=1000, **refusal)  # type: ignore[arg-type]

    execution = world.open_position(person)

    assert (execution.state, execution.close_reason) == (ExecutionState.CLOSED, "FLATTENED")
    assert world.account(person).flat
    assert execution.naked_ms is not None
    assert execution.naked_ms < NAKED_AT_MOST_MS


def test_position_whose_stop_would_trigger_at_once_is_closed(world: World) -> None:
    person = world.follower()
    world.plan_fault(person, "code", ALGO_ORDER, status=400, code=-2021, msg="Order would immediately trigger.")

    execution = world.open_position(person)

    assert (execution.state, execution.close_reason) == (ExecutionState.CLOSED, "FLATTENED")
    assert world.account(person).flat


@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "truncate"])
@pytest.mark.feeds("NakedTooLongAlarm")
def test_lost_answer_to_the_stop_leaves_one_stop(world: World, kind: str) -> None:
    person = world.follower()
    world.plan_fault(person, kind, ALGO_ORDER)

    execution = world.open_position(person)

    assert execution.state is ExecutionState.PROTECTED
    assert len(world.account(person).stops) == 1


@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "truncate"])
def test_lost_answer_to_the_targets_leaves_each_once(world: World, kind: str) -> None:
    person = world.follower()
    world.plan_target_fault(person, kind)

    execution = world.open_position(person)

    account = world.account(person)
    assert execution.state is ExecutionState.PROTECTED
    assert [target["price"] for target in account.targets] == ["20200.00", "20300.00", "20400.00"]


def test_targets_that_did_not_arrive_are_placed_by_the_next_reconciliation(world: World) -> None:
    person = world.follower()
    world.plan_target_fault(person, "http", times=6, status=503, msg="Service Unavailable.")
    execution = world.open_position(person)
    assert world.account(person).targets == []

    world.deliver(execution, command=Command.RECONCILE)

    assert len(world.account(person).targets) == 3


@pytest.mark.parametrize("kind", ["drop_before", "drop_after"])
def test_lost_answer_to_a_trailing_stop_is_looked_up_within_seconds(world: World, kind: str) -> None:
    person = world.follower()
    world.exchange.move_price("20050")
    trailing = {"type": "TRAILING_STOP_MARKET"}
    world.plan_fault(person, "code", ALGO_ORDER, parameters=trailing, status=400, code=-2021, msg="Would trigger.")
    world.plan_fault(person, kind, ALGO_ORDER, parameters=trailing)
    delayed = world.count_delayed("reconcile")

    execution = world.open_position(person, trailing_trigger=Decimal(45), callback_rate=Decimal(2))

    (order,) = [order for order in Order.query(execution.id) if order.leg is Leg.TRAILING]
    assert (execution.state, order.status) == (ExecutionState.PROTECTED, OrderStatus.INTENDED)
    assert execution.looked_at is None  # the watcher's next run does not wait with it either
    assert execution.due_at is not None
    assert execution.due_at <= utc_now() + timedelta(seconds=RECHECK_S)
    assert world.count_delayed("reconcile") == delayed + len(DEAD_MAN_DELAYS_S) + 1
    world.exchange.move_price("20000")
    world.wait_until_due(execution)

    assert world.deliver(execution, command=Command.RECONCILE) == []

    standing = [o for o in world.account(person).open_orders if o.get("orderType") == "TRAILING_STOP_MARKET"]
    assert [(o["clientAlgoId"], Decimal(o["activatePrice"] or 0)) for o in standing] == [(order.client_order_id, 0)]
    assert world.stored(execution).looked_at is not None


def test_refused_trailing_stop_costs_only_itself(world: World) -> None:
    person = world.follower()
    # The stop is the first conditional order, the trailing stop the second.
    trigger = world.trigger(trailing_trigger=Decimal(95), callback_rate=Decimal("0.1"))
    execution = world.queue_execution(person, trigger)
    world.plan_fault(person, "no_average", ALGO_ORDER)
    world.plan_fault(person, "code", ALGO_ORDER, status=400, code=-2007, msg="Invalid callBack rate.")

    world.deliver(execution)

    execution, account = world.stored(execution), world.account(person)
    trailing = [order for order in Order.query(execution.id) if order.leg is Leg.TRAILING]
    assert execution.state is ExecutionState.PROTECTED
    assert (len(account.stops), len(account.targets)) == (1, 3)
    assert [order.error for order in trailing] == ["-2007"]


def test_trailing_stop_covers_the_whole_amount(world: World) -> None:
    person = world.follower()

    execution = world.open_position(person, trailing_trigger=Decimal(95), callback_rate=Decimal(2))

    trailing = [o for o in world.account(person).open_orders if o.get("orderType") == "TRAILING_STOP_MARKET"]
    assert execution.state is ExecutionState.PROTECTED
    assert [(Decimal(o["quantity"]), o["callbackRate"], Decimal(o["activatePrice"])) for o in trailing] == [
        (Decimal("0.75"), trailing[0]["callbackRate"], Decimal(20095))
    ]


def test_limit_stop_has_a_backstop_behind_it(world: World) -> None:
    person = world.follower()

    execution = world.open_position(person, stop_type=StopType.LIMIT)

    conditional = [o for o in world.account(person).open_orders if o.get("algoType")]
    assert execution.state is ExecutionState.PROTECTED
    assert {(o["orderType"], Decimal(o["triggerPrice"]), Decimal(o["price"] or 0)) for o in conditional} == {
        ("STOP", Decimal(19800), Decimal("19766.6")),
        ("STOP_MARKET", Decimal("19733.3"), Decimal(0)),
    }
    # 1.5 % of 10,000 over the 266.7 to the backstop, which closes at any price.
    assert execution.amount == Decimal("0.582")


@pytest.mark.parametrize("stop_type", list(StopType))
def test_stop_that_fills_is_booked_and_leaves_no_order(world: World, stop_type: StopType) -> None:
    person = world.follower()
    execution = world.open_position(person, stop_type=stop_type)
    world.exchange.move_price("19790")

    world.deliver(execution, command=Command.RECONCILE)

    execution = world.stored(execution)
    performance = FollowerPerformance.find(person.record.id)
    trigger = Trigger.find(execution.trigger_id)
    assert (execution.state, execution.close_reason) == (ExecutionState.CLOSED, "STOP")
    assert world.account(person).flat
    assert execution.exit_price == 19790
    # (19790 - 20000) × 0.75, less 0.04 % of both sides
    assert execution.profit is not None
    assert performance is not None
    assert performance.total_profit == execution.profit
    assert performance.trades == 1
    assert trigger is not None
    assert not trigger.active
    assert world.slot(person).execution_id is None


def test_booking_the_same_end_twice_counts_once(world: World) -> None:
    person = world.follower()
    execution = world.open_position(person)
    world.exchange.move_price("19790")

    world.deliver(execution, command=Command.RECONCILE)
    world.deliver(execution, command=Command.RECONCILE)

    performance = FollowerPerformance.find(person.record.id)
    assert performance is not None
    assert performance.trades == 1


def test_position_closed_by_its_take_profits_leaves_no_stop(world: World) -> None:
    person = world.follower()
    execution = world.open_position(person)
    world.exchange.move_price("20400")

    world.deliver(execution, command=Command.RECONCILE)

    execution = world.stored(execution)
    assert (execution.state, execution.close_reason) == (ExecutionState.CLOSED, "TAKE_PROFIT")
    assert world.account(person).flat


def test_stop_cancelled_by_hand_is_placed_again(world: World) -> None:
    person = world.follower()
    execution = world.open_position(person)
    world.cancel_stops_as_owner(person)
    assert world.account(person).stops == []

    world.deliver(execution, command=Command.RECONCILE)

    assert world.stored(execution).state is ExecutionState.PROTECTED
    assert len(world.account(person).stops) == 1
