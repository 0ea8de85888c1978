"""A filled entry has its stop within moments, or its position is closed."""

from __future__ import annotations

from decimal import Decimal

import pytest
from pynamodb.exceptions import PynamoDBException

from shared.errors import AddressBanned, ExchangeRejected, OutcomeUnknown, StopWouldTrigger
from shared.models.order import OrderStatus
from shared.trading.execution import CloseReason, ExecutionState, Reason
from shared.trading.ids import TAKE_PROFIT_LEGS, Leg
from shared.trading.order_planning import OrderType
from shared.trading.sides import Side
from tests.unit.functions.order_executor.harness import Harness

NAKED_AT_MOST_MS = 5_000


def test_position_whose_stop_would_trigger_at_once_is_flattened(executor: Harness) -> None:
    executor.account.fail("place", StopWouldTrigger("", code=-2021), leg=Leg.STOP)

    execution = executor.handle(executor.queue())

    assert (execution.state, execution.close_reason) == (ExecutionState.CLOSED, CloseReason.FLATTENED)
    assert executor.book.position == 0
    assert executor.book.standing() == []
    assert executor.orders(execution, Leg.STOP)[0].error == "EXCHANGE_2021"


@pytest.mark.parametrize("code", [-4120, -4045, -1111])
def test_position_whose_stop_is_refused_for_good_is_flattened_without_sending_it_again(
    executor: Harness, code: int
) -> None:
    executor.account.fail("place", ExchangeRejected("refused", code=code), leg=Leg.STOP, times=99)

    execution = executor.handle(executor.queue())

    assert (execution.state, execution.close_reason) == (ExecutionState.CLOSED, CloseReason.FLATTENED)
    assert executor.book.position == 0
    assert executor.account.count("place STOP") == 1
    assert execution.naked_ms is not None
    assert execution.naked_ms < 500
    assert executor.orders(execution, Leg.STOP)[0].status is OrderStatus.REJECTED


@pytest.mark.parametrize("code", [-4509, -2022, -4118])
def test_stop_that_is_refused_before_the_position_is_seen_is_placed_under_the_same_id(
    executor: Harness, code: int
) -> None:
    executor.account.fail("place", ExchangeRejected("no position", code=code), leg=Leg.STOP)

    execution = executor.open()

    (stop,) = executor.book.standing(Leg.STOP)
    assert [order.client_order_id for order in executor.orders(execution, Leg.STOP)] == [stop.client_order_id]


def test_position_is_flattened_within_five_seconds_while_every_stop_goes_unanswered(executor: Harness) -> None:
    executor.account.fail("place", OutcomeUnknown("no answer"), leg=Leg.STOP, times=99)
    executor.account.fail("find_order", OutcomeUnknown("no answer"), leg=Leg.STOP, times=99)

    execution = executor.handle(executor.queue())

    assert executor.book.position == 0
    assert execution.close_reason == CloseReason.FLATTENED
    (flattening,) = [fill for fill in executor.book.fills.values() if fill.side is Side.SELL]
    assert execution.entry_filled_at is not None
    assert (flattening.at - execution.entry_filled_at).total_seconds() * 1000 <= NAKED_AT_MOST_MS


def test_stop_whose_answer_is_lost_is_found_and_not_placed_twice(executor: Harness) -> None:
    executor.account.lose_answer("place", leg=Leg.STOP)

    executor.open()

    assert executor.account.count("place STOP") == 1
    assert len(executor.book.standing(Leg.STOP)) == 1


def test_stop_that_is_answered_after_its_time_out_is_found(executor: Harness) -> None:
    executor.account.answer_late("place", after_s=10, leg=Leg.STOP)

    execution = executor.open()

    assert len(executor.book.standing(Leg.STOP)) == 1
    assert execution.naked_ms is not None
    assert execution.naked_ms < NAKED_AT_MOST_MS


def test_stop_that_never_arrived_is_placed_again_under_the_same_id(executor: Harness) -> None:
    executor.account.fail("place", OutcomeUnknown("no answer"), leg=Leg.STOP)

    execution = executor.open()

    (stop,) = executor.book.standing(Leg.STOP)
    assert [order.client_order_id for order in executor.orders(execution, Leg.STOP)] == [stop.client_order_id]


def test_stop_is_placed_by_amount_beside_the_owners_that_closes_the_position(executor: Harness) -> None:
    executor.account.meanwhile("place", lambda: executor.book.place_stop_as_owner(Side.SELL, 19000), leg=Leg.STOP)

    execution = executor.open()

    (stop,) = executor.book.standing(Leg.STOP)
    assert (stop.close_position, stop.reduce_only) == (False, True)
    assert stop.amount == execution.filled_amount
    assert stop.trigger_price == execution.stop
    assert executor.orders(execution, Leg.STOP)[0].status is OrderStatus.REJECTED


def test_failing_write_of_the_fill_neither_delays_the_stop_nor_loses_the_fill(executor: Harness) -> None:
    def fail_next_write() -> None:
        executor.failing_writes = 1

    executor.account.meanwhile("place", fail_next_write, leg=Leg.STOP)

    execution = executor.open()

    assert executor.failing_writes == 0
    assert executor.account.count("place STOP") == 1
    assert execution.filled_amount == executor.book.position
    assert len(executor.book.standing(*TAKE_PROFIT_LEGS)) == 3


def test_position_is_flattened_although_none_of_it_can_be_recorded(executor: Harness) -> None:
    def fail_stop_and_writes() -> None:
        executor.book.move_price(19700)
        executor.failing_writes = 99

    executor.account.meanwhile("place", fail_stop_and_writes, leg=Leg.STOP)
    execution = executor.queue()
    with pytest.raises(PynamoDBException):
        executor.handle(execution)

    assert executor.book.position == 0

    executor.failing_writes = 0
    executor.advance(15)
    execution = executor.reconcile(execution)
    assert (execution.state, execution.close_reason) == (ExecutionState.CLOSED, CloseReason.FLATTENED)


def test_exits_of_a_partial_fill_are_for_the_amount_that_filled(executor: Harness) -> None:
    executor.book.next_fill = Decimal("0.5")
    executor.account.fail("place", ExchangeRejected("margin", code=-2019), leg=Leg.ENTRY_REMAINDER)

    execution = executor.open()

    assert execution.filled_amount == Decimal("0.5")
    assert executor.slot().quantity == Decimal("0.5")
    targets = executor.book.standing(*TAKE_PROFIT_LEGS)
    assert sum(target.amount for target in targets) == Decimal("0.5")
    assert (execution.reason, execution.detail) == (Reason.FILLED_IN_PART, "0.5 of 0.750")


def test_targets_that_fail_cost_nothing_else_and_are_placed_by_the_next_reconciliation(executor: Harness) -> None:
    for leg in TAKE_PROFIT_LEGS:
        executor.account.fail("place", AddressBanned("banned", retry_after_s=5), leg=leg, times=2)
    execution = executor.open()
    assert [order.type for order in executor.book.standing()] == [OrderType.STOP_MARKET]

    executor.reconcile(execution)

    assert len(executor.book.standing(*TAKE_PROFIT_LEGS)) == 3
