"""A stop that must make way for another goes only when that one stands, wherever a worker crashes."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest

from shared.errors import AddressBanned, LockstepError, OutcomeUnknown, StopWouldTrigger
from shared.models.execution import Execution
from shared.models.order import OrderStatus
from shared.trading.execution import CloseReason, ExecutionState
from shared.trading.ids import STOP_LEGS, Leg
from shared.trading.sides import Side, StopType
from tests.unit.functions.order_executor.harness import Crash, Harness, harness
from tests.unit.trading.markets import BITCOIN

Opening = Callable[[Harness], Execution]


def open_with_another_price_on_record(executor: Harness) -> Execution:
    """Leave what a worker leaves that crashes between placing a stop on a new tick and writing its price."""
    execution = executor.open()
    (order,) = executor.orders(execution, Leg.STOP)
    order.trigger_price = Decimal(19850)
    order.save()
    return execution


def open_with_another_backstop_on_record(executor: Harness) -> Execution:
    """Leave a limit stop in order, and a backstop that its record does not name."""
    execution = executor.open(stop_type=StopType.LIMIT)
    (order,) = executor.orders(execution, Leg.STOP_BACKSTOP)
    order.trigger_price = Decimal(19650)
    order.save()
    return execution


def open_beside_a_stop_of_the_owners(executor: Harness) -> Execution:
    """Leave a stop by amount, and no `closePosition` stop of the owner's any more that it would have to yield to."""
    executor.account.meanwhile("place", lambda: executor.book.place_stop_as_owner(Side.SELL, 19000), leg=Leg.STOP)
    execution = executor.open()
    (owners,) = [order for order in executor.book.standing() if order.client_order_id.startswith("web_")]
    executor.book.cancel_as_owner(owners.client_order_id)
    assert [stop.close_position for stop in executor.book.standing(Leg.STOP)] == [False]
    return execution


OPENINGS = [open_with_another_price_on_record, open_with_another_backstop_on_record, open_beside_a_stop_of_the_owners]


def prices_on_record(executor: Harness, execution: Execution) -> set[tuple[Leg, Decimal | None]]:
    return {(leg, orders[-1].trigger_price) for leg in STOP_LEGS if (orders := executor.orders(execution, leg))}


def assert_one_right_stop(executor: Harness, execution: Execution, prices: set[tuple[Leg, Decimal | None]]) -> None:
    standing = [(leg, stop) for leg in STOP_LEGS for stop in executor.book.standing(leg)]
    assert sorted((leg, stop.trigger_price) for leg, stop in standing) == sorted(prices)
    assert [stop.close_position for _, stop in standing].count(True) == 1
    assert prices_on_record(executor, execution) == prices
    assert executor.now(execution).state is ExecutionState.PROTECTED
    assert executor.book.position == executor.now(execution).filled_amount


@pytest.mark.parametrize("opening", OPENINGS)
def test_right_stop_replaces_the_standing_one_without_a_naked_moment(executor: Harness, opening: Opening) -> None:
    execution = opening(executor)
    prices = prices_on_record(executor, execution)
    executor.account.naked_after.clear()

    executor.reconcile(execution)

    assert executor.account.naked_after == []
    assert_one_right_stop(executor, execution, prices)
    before = executor.book.copy()
    executor.reconcile(execution)
    assert executor.book == before


@pytest.mark.parametrize("opening", OPENINGS)
@pytest.mark.parametrize("done", [False, True])
@pytest.mark.parametrize("error", [Crash(), OutcomeUnknown("no answer"), AddressBanned("banned", retry_after_s=1)])
def test_crash_at_any_request_leaves_the_position_guarded_and_ends_with_one_right_stop(
    tables: object, opening: Opening, done: bool, error: Exception
) -> None:
    crashes = 0
    for requests_before in range(40):
        with harness() as executor:
            execution = opening(executor)
            prices = prices_on_record(executor, execution)
            executor.account.naked_after.clear()
            executor.account.skip("any", requests_before)
            executor.account.fail("any", error, done_after_s=0.0 if done else None)
            try:
                executor.reconcile(execution)
            except (Crash, LockstepError):
                crashes += 1
            struck = not executor.account.has_faults
            executor.account.clear_faults()
            for _ in range(3):
                executor.advance(15)
                executor.account.cached_filters = replace(BITCOIN, tick_size=Decimal("0.01"))
                executor.reconcile(execution)
            assert executor.account.naked_after == [], requests_before
            assert_one_right_stop(executor, execution, prices)
        if not struck:
            break
    else:
        pytest.fail("the reconciliation did not end within forty requests")
    assert crashes >= 5 or not isinstance(error, Crash)


@pytest.mark.parametrize("seed", range(30))
def test_crashes_one_after_the_other_leave_the_position_guarded(tables: object, seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311 - the same course in every run
    with harness() as executor:
        execution = dice.choice(OPENINGS)(executor)
        prices = prices_on_record(executor, execution)
        executor.account.naked_after.clear()
        for _ in range(dice.randint(2, 5)):
            executor.account.skip("any", dice.randint(0, 14))
            executor.account.fail("any", Crash(), done_after_s=dice.choice([0.0, None]))
            if dice.random() < 0.3:
                executor.account.lag("open_orders", reads=1)
            with contextlib.suppress(Crash, LockstepError):
                executor.reconcile(execution)
            executor.account.clear_faults()
            executor.advance(15)
        for _ in range(3):
            executor.reconcile(execution)
            executor.advance(15)
        assert executor.account.naked_after == []
        assert_one_right_stop(executor, execution, prices)


def test_standing_stop_stays_where_too_little_is_left_for_one_that_holds_its_place(executor: Harness) -> None:
    execution = open_with_another_price_on_record(executor)
    executor.account.change_filters(market_min_amount=Decimal(1))
    executor.account.cached_filters = executor.account.symbol_filters
    before = executor.book.copy()

    executor.reconcile(execution)

    assert executor.book == before


def test_position_is_flattened_when_the_market_is_beyond_the_right_stop(executor: Harness) -> None:
    execution = open_with_another_price_on_record(executor)
    executor.book.move_price(19840)
    executor.account.naked_after.clear()

    execution = executor.reconcile(execution)

    assert (execution.state, execution.close_reason) == (ExecutionState.CLOSED, CloseReason.FLATTENED)
    assert executor.account.naked_after == []
    assert executor.book.standing() == []


def test_stop_by_amount_stays_while_the_owners_closes_the_position(executor: Harness) -> None:
    executor.account.meanwhile("place", lambda: executor.book.place_stop_as_owner(Side.SELL, 19000), leg=Leg.STOP)
    execution = executor.open()
    before = executor.book.copy()

    executor.reconcile(execution)

    assert executor.book == before


def test_stop_that_a_crashed_worker_placed_without_a_record_keeps_its_client_id_to_itself(executor: Harness) -> None:
    execution = executor.open()
    (stop,) = executor.book.standing(Leg.STOP)
    executor.book.cancel_as_owner(stop.client_order_id)
    execution = executor.reconcile(execution)
    first, second = executor.orders(execution, Leg.STOP)
    second.delete()
    first.trigger_price = Decimal(19850)
    first.save()
    executor.account.naked_after.clear()

    executor.reconcile(execution)
    executor.reconcile(execution)

    assert executor.account.naked_after == []
    assert len(executor.book.standing(Leg.STOP)) == 1
    ids = [order.client_order_id for order in executor.orders(execution, Leg.STOP)]
    assert ids[:2] == [first.client_order_id, second.client_order_id]
    assert executor.orders(execution, Leg.STOP)[-1].status is OrderStatus.OPEN


def test_placeholder_is_refused_as_any_stop_beyond_the_market(executor: Harness) -> None:
    execution = open_with_another_price_on_record(executor)
    executor.account.fail("place", StopWouldTrigger("", code=-2021), leg=Leg.STOP)

    execution = executor.reconcile(execution)

    assert execution.close_reason == CloseReason.FLATTENED
