"""The entry: one position whatever the exchange does to the answer."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from shared.messages import Command
from shared.models.order import Order, OrderStatus
from shared.trading.execution import ExecutionState
from shared.trading.ids import Leg
from tests.integration.executor.world import ALGO_ORDER, ORDER, TARGETS, World

AMOUNT = Decimal("0.75")  # 11,507 USDT × 1.5 % ÷ (210 + 0.05 % of 39,810)


def test_position_is_sized_to_the_risk_with_stop_and_targets(world: World) -> None:
    person = world.follower()

    execution = world.open_position(person)

    account = world.account(person)
    assert execution.state is ExecutionState.PROTECTED
    assert account.position == AMOUNT
    assert [stop["triggerPrice"] for stop in account.stops] == ["19800.00"]
    assert [target["price"] for target in account.targets] == ["20200.00", "20300.00", "20400.00"]
    assert sum(Decimal(target["origQty"]) for target in account.targets) == AMOUNT
    assert execution.entry_price == 20000
    assert execution.naked_ms is not None


def test_amount_is_rounded_down_to_the_step(world: World) -> None:
    person = world.follower(balance="13371.62")

    execution = world.open_position(person, stop=Decimal("19700.1"))

    assert execution.amount == Decimal("0.608")  # 200.5743 ÷ 329.75505: 309.9, and 0.05 % of 39,710.1
    assert world.account(person).position == Decimal("0.608")


def test_every_order_is_on_record_under_the_id_that_the_exchange_knows(world: World) -> None:
    person = world.follower()

    execution = world.open_position(person)

    recorded = {order.client_order_id: order for order in Order.query(execution.id)}
    known = {order.get("clientOrderId") or order.get("clientAlgoId") for order in world.account(person).orders}
    assert set(recorded) == known
    assert {o.leg for o in recorded.values()} == {
        Leg.ENTRY,
        Leg.STOP,
        Leg.TAKE_PROFIT_1,
        Leg.TAKE_PROFIT_2,
        Leg.TAKE_PROFIT_3,
    }
    assert all(order.exchange_order_id for order in recorded.values())


def test_second_delivery_places_nothing(world: World) -> None:
    person = world.follower()
    execution = world.open_position(person)

    assert world.deliver(execution) == []

    account = world.account(person)
    assert account.position == AMOUNT
    assert [account.sent(path) for path in (ORDER, ALGO_ORDER)] == [1 + TARGETS, 1]


def test_four_workers_with_the_same_message_open_one_position(world: World) -> None:
    person = world.follower()
    execution = world.queue_execution(person, world.trigger())

    world.deliver_to_several_workers(execution, copies=4)

    account = world.account(person)
    assert (account.position, account.sent(ORDER), len(account.stops), len(account.targets)) == (
        AMOUNT,
        1 + TARGETS,
        1,
        TARGETS,
    )


@pytest.mark.parametrize("kind", ["drop_after", "truncate"])
def test_lost_answer_to_an_accepted_entry_leaves_one_position(world: World, kind: str) -> None:
    person = world.follower()
    world.plan_fault(person, kind, ORDER)

    execution = world.open_position(person)

    account = world.account(person)
    assert execution.state is ExecutionState.PROTECTED
    assert (account.position, account.sent(ORDER), len(account.stops)) == (AMOUNT, 1 + TARGETS, 1)


def test_entry_accepted_after_our_time_out_is_found_not_repeated(world: World) -> None:
    person = world.follower()
    world.plan_fault(person, "late", ORDER, delayMs=2200)

    execution = world.open_position(person)

    account = world.account(person)
    assert execution.state is ExecutionState.PROTECTED
    assert (account.position, account.sent(ORDER), len(account.stops)) == (AMOUNT, 1 + TARGETS, 1)


def test_entry_that_never_arrived_is_sent_once_more_under_a_new_id(world: World) -> None:
    person = world.follower()
    world.plan_fault(person, "drop_before", ORDER)

    execution = world.open_position(person)

    entries = [order for order in Order.query(execution.id) if order.leg is Leg.ENTRY]
    assert execution.state is ExecutionState.PROTECTED
    assert world.account(person).position == AMOUNT
    assert [(o.attempt, o.status) for o in sorted(entries, key=lambda o: o.attempt)] == [
        (1, OrderStatus.ABSENT),
        (2, OrderStatus.FILLED),
    ]


def test_entry_absent_twice_is_watched_until_the_next_alert(world: World) -> None:
    person = world.follower()
    world.plan_fault(person, "drop_before", ORDER, times=2)

    execution = world.open_position(person)

    assert (execution.state, execution.reason) == (ExecutionState.ENTRY_UNKNOWN, "ENTRY_UNKNOWN")
    assert execution.active
    assert world.account(person).flat

    following = world.open_position(person)

    execution = world.stored(execution)
    assert (execution.state, execution.reason) == (ExecutionState.CLOSED, "ENTRY_UNKNOWN")
    assert following.state is ExecutionState.PROTECTED
    assert world.account(person).position == AMOUNT


def test_entry_that_fills_after_it_was_proven_absent_is_flattened(world: World) -> None:
    person = world.follower()
    world.exchange.set(refuse_late_past_recv_window=False)
    # Refused as "unknown", twice, and the second one carried out long after its window: the exchange breaks its word.
    world.plan_fault(person, "drop_before", ORDER)
    world.plan_fault(person, "http", ORDER, status=503, msg="Unknown error", doneAfterMs=6500)
    execution = world.open_position(person)
    assert execution.state is ExecutionState.ENTRY_UNKNOWN
    world.wait_until(lambda: world.account(person).position == AMOUNT)

    world.deliver(execution, command=Command.RECONCILE)

    execution = world.stored(execution)
    assert (execution.state, execution.close_reason) == (ExecutionState.CLOSED, "FLATTENED")
    assert world.account(person).flat


def test_refused_entry_is_rejected_with_the_exchanges_code(world: World) -> None:
    person = world.follower()
    world.plan_fault(person, "code", ORDER, status=400, code=-2019, msg="Margin is insufficient.")

    execution = world.open_position(person)

    assert (execution.state, execution.reason) == (ExecutionState.REJECTED, "EXCHANGE_2019")
    assert world.account(person).flat
    assert world.slot(person).execution_id is None


def test_certainly_unplaced_entry_is_sent_again(world: World) -> None:
    person = world.follower()
    world.plan_fault(person, "http", ORDER, status=503, msg="Service Unavailable.")

    execution = world.open_position(person)

    assert execution.state is ExecutionState.PROTECTED
    assert world.account(person).position == AMOUNT


@pytest.mark.parametrize(
    "answer",
    [
        {"kind": "code", "status": 503, "code": -1008, "msg": "Server is currently overloaded with other requests."},
        {"kind": "http", "status": 503, "msg": "Service Unavailable."},
    ],
    ids=["-1008", "503"],
)
def test_entry_that_is_not_placed_for_seconds_enters_while_its_alert_is_fresh(
    world: World, answer: dict[str, Any]
) -> None:
    person = world.follower()
    world.plan_fault(person, path=ORDER, **(answer | {"times": 5}))
    execution = world.open_position(person)
    assert execution.state is ExecutionState.ENTERING
    assert world.account(person).position == 0

    while execution.state is ExecutionState.ENTERING:
        world.wait_until_due(execution)
        world.deliver(execution, command=Command.RECONCILE)
        execution = world.stored(execution)

    assert execution.state is ExecutionState.PROTECTED
    account = world.account(person)
    assert account.position == AMOUNT
    assert len(account.fills_at_once) == 1
    assert len(account.stops) == 1


def test_refused_timestamp_is_corrected_once(world: World) -> None:
    person = world.follower()
    world.plan_fault(person, "code", ORDER, status=400, code=-1021, msg="Timestamp for this request is outside.")

    execution = world.open_position(person)

    assert execution.state is ExecutionState.PROTECTED
    assert world.account(person).position == AMOUNT


def test_rest_of_a_partial_fill_is_entered_by_a_second_order(world: World) -> None:
    person = world.follower()
    world.plan_fault(person, "partial", ORDER)

    execution = world.open_position(person)

    account = world.account(person)
    assert execution.state is ExecutionState.PROTECTED
    assert execution.filled_amount == account.position == AMOUNT
    assert execution.reason is None
    assert sum(Decimal(target["origQty"]) for target in account.targets) == AMOUNT


def test_position_of_two_partial_fills_gets_exits_of_its_own_size(world: World) -> None:
    person = world.follower()
    world.plan_fault(person, "partial", ORDER)
    world.plan_fault(person, "partial", ORDER)

    execution = world.open_position(person)

    account = world.account(person)
    assert execution.state is ExecutionState.PROTECTED
    assert 0 < account.position < AMOUNT
    assert execution.filled_amount == account.position
    assert sum(Decimal(target["origQty"]) for target in account.targets) == account.position


def test_answer_without_average_price_is_completed(world: World) -> None:
    person = world.follower()
    world.plan_fault(person, "no_average", ORDER)

    execution = world.open_position(person)

    assert execution.entry_price == 20000
    assert len(world.account(person).targets) == 3


def test_entry_does_not_begin_without_time_for_its_stop(world: World) -> None:
    person = world.follower()
    execution = world.queue_execution(person, world.trigger())

    world.handle(execution, seconds_left=5)

    assert world.stored(execution).state is ExecutionState.QUEUED
    assert world.account(person).sent(ORDER) == 0
    (again,) = world.take_messages("orders")
    assert (again["command"], again["execution_id"]) == ("OPEN", execution.id)


def test_failed_record_is_delivered_again_soon(world: World) -> None:
    person = world.follower()
    execution = world.queue_execution(person, world.trigger())
    world.plan_fault(person, "http", "/fapi/v2/account", "GET", status=503, msg="Service Unavailable.")

    assert world.deliver(execution) == [execution.id]
    assert world.deliver(execution) == []

    assert world.stored(execution).state is ExecutionState.PROTECTED
