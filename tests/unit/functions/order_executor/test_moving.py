"""The stop moves to break-even after a target has filled; the old one goes only when the new one stands."""

from __future__ import annotations

import contextlib
import random
from decimal import Decimal
from typing import Any

import pytest

from shared.errors import AddressBanned, ExchangeRejected, LockstepError, OutcomeUnknown, StopWouldTrigger
from shared.models.execution import Execution
from shared.models.execution_event import ExecutionEvent
from shared.models.order import Order
from shared.trading.execution import CloseReason, ExecutionState
from shared.trading.ids import STOP_LEGS, Leg
from shared.trading.sides import Side, StopType
from tests.unit.functions.order_executor.harness import Crash, Harness, harness

BREAKEVEN = {Side.BUY: Decimal("20020.10"), Side.SELL: Decimal("19980.00")}
"""Entry at 20000 and fees of 0.05 % for each way, on the tick."""
FIRST = {Side.BUY: Decimal(19800), Side.SELL: Decimal(20200)}


def fill_target(executor: Harness, side: Side = Side.BUY, *, number: int = 1) -> None:
    """Let the market reach a target, and stay there."""
    executor.book.move_price(20000 + side.sign * (100 + 100 * number))


def opened(executor: Harness, side: Side = Side.BUY, **trigger: Any) -> Execution:
    return executor.open(side, **({"breakeven_after": 1} | trigger))


def triggers(executor: Harness) -> dict[Leg, list[Decimal | None]]:
    """Return the trigger prices of the standing stops."""
    return {leg: [view.trigger_price for view in executor.book.standing(leg)] for leg in STOP_LEGS}


def details(execution: Execution) -> list[str]:
    return [event.detail for event in ExecutionEvent.query(execution.id) if event.detail is not None]


def assert_moved(executor: Harness, execution: Execution, side: Side = Side.BUY) -> None:
    assert triggers(executor) == {Leg.STOP: [BREAKEVEN[side]], Leg.STOP_BACKSTOP: []}
    assert [view.close_position for view in executor.book.standing(Leg.STOP)] == [True]
    assert executor.now(execution).stop_moved_to == BREAKEVEN[side]
    assert executor.account.naked_after == []


@pytest.mark.parametrize("side", list(Side))
def test_stop_is_at_break_even_after_the_target_has_filled(executor: Harness, side: Side) -> None:
    execution = opened(executor, side)
    executor.account.naked_after.clear()
    executor.reconcile(execution)
    assert triggers(executor)[Leg.STOP] == [FIRST[side]]
    fill_target(executor, side)

    execution = executor.reconcile(execution)

    assert_moved(executor, execution, side)
    assert execution.state is ExecutionState.PROTECTED
    assert details(execution)[-1] == f"stop moved to {BREAKEVEN[side]:f}"
    before = executor.book.copy()
    assert executor.reconcile(execution).revision > execution.revision
    assert executor.book == before


def test_position_that_stops_at_break_even_loses_nothing(executor: Harness) -> None:
    execution = opened(executor)
    fill_target(executor)
    executor.reconcile(execution)
    executor.book.move_price(20020)

    executor.advance(30)
    execution = executor.reconcile(execution)

    assert (execution.state, execution.close_reason) == (ExecutionState.CLOSED, CloseReason.STOP)
    assert execution.profit is not None
    assert execution.profit > 0
    assert executor.book.standing() == []


def test_limit_stop_moves_with_its_backstop(executor: Harness) -> None:
    execution = opened(executor, stop_type=StopType.LIMIT)
    executor.account.naked_after.clear()
    old = triggers(executor)
    limits = [view.price for view in executor.book.standing(Leg.STOP)]
    fill_target(executor)

    executor.reconcile(execution)

    up = BREAKEVEN[Side.BUY] - 19800
    assert old == {Leg.STOP: [Decimal(19800)], Leg.STOP_BACKSTOP: [Decimal("19733.3")]}
    # What lies beyond the trigger is rounded down to the tick.
    assert triggers(executor) == {Leg.STOP: [19800 + up], Leg.STOP_BACKSTOP: [Decimal("19953.4")]}
    assert [view.price for view in executor.book.standing(Leg.STOP)] == [Decimal("19986.7")]
    assert limits == [Decimal("19766.6")]
    assert executor.account.naked_after == []


@pytest.mark.parametrize(("number", "filled", "moves"), [(2, 1, False), (2, 2, True), (1, 2, True), (4, 2, False)])
def test_stop_waits_for_its_own_target(executor: Harness, number: int, filled: int, moves: bool) -> None:
    execution = opened(executor, breakeven_after=number)
    fill_target(executor, number=filled)

    execution = executor.reconcile(execution)

    assert (execution.stop_moved_to is not None) is moves


def test_stop_without_the_wish_stays(executor: Harness) -> None:
    execution = executor.open()
    fill_target(executor)
    execution = executor.reconcile(execution)
    assert triggers(executor)[Leg.STOP] == [FIRST[Side.BUY]]
    assert executor.account.count("market_price") == 0


def test_target_that_its_owner_cancelled_moves_nothing(executor: Harness) -> None:
    execution = opened(executor)
    (target,) = executor.book.standing(Leg.TAKE_PROFIT_1)
    executor.book.cancel_as_owner(target.client_order_id)
    executor.book.move_price(20250)

    execution = executor.reconcile(execution)

    assert execution.stop_moved_to is None
    assert triggers(executor)[Leg.STOP] == [FIRST[Side.BUY]]


def test_trailing_stop_stays_beside_the_moved_stop(executor: Harness) -> None:
    execution = opened(executor, trailing_trigger=Decimal(300), callback_rate=Decimal("0.5"))
    executor.account.naked_after.clear()
    fill_target(executor)
    executor.reconcile(execution)
    assert_moved(executor, execution)
    assert len(executor.book.standing(Leg.TRAILING)) == 1


# -- a price that the market has passed --------------------------------------------------------------------------------


def test_break_even_that_the_market_has_passed_is_recorded_once_and_the_old_stop_stays(executor: Harness) -> None:
    execution = opened(executor)
    executor.account.naked_after.clear()
    fill_target(executor)
    executor.book.move_price(20010)
    placed = executor.account.count("place STOP")

    for _ in range(2):
        execution = executor.reconcile(execution)

    assert triggers(executor)[Leg.STOP] == [FIRST[Side.BUY]]
    assert execution.state is ExecutionState.PROTECTED
    assert execution.stop_moved_to is None
    assert [d for d in details(execution) if "stop" in d] == ["stop not moved to 20020.10: the market has passed it"]
    assert executor.account.count("place STOP") == placed
    exits = execution.watched_exits()
    assert exits is not None
    assert exits.above == BREAKEVEN[Side.BUY]  # so that the watcher notices that the market is back
    executor.book.move_price(20100)
    execution = executor.reconcile(execution)
    assert_moved(executor, execution)
    assert execution.breakeven_passed is None


@pytest.mark.parametrize("stop_type", list(StopType))
def test_stop_that_the_exchange_refuses_leaves_the_old_one(executor: Harness, stop_type: StopType) -> None:
    execution = opened(executor, stop_type=stop_type)
    executor.account.naked_after.clear()
    before = triggers(executor)
    fill_target(executor)
    executor.account.fail("place", StopWouldTrigger("", code=-2021), leg=Leg.STOP)

    execution = executor.reconcile(execution)

    assert triggers(executor) == before
    assert execution.state is ExecutionState.PROTECTED
    assert execution.stop_moved_to is None
    assert execution.breakeven_passed == BREAKEVEN[Side.BUY]
    executor.reconcile(execution)
    assert executor.now(execution).stop_moved_to == BREAKEVEN[Side.BUY]
    assert {leg: len(prices) for leg, prices in triggers(executor).items()} == {
        leg: len(prices) for leg, prices in before.items()
    }
    assert executor.account.naked_after == []


def test_market_that_falls_while_the_old_stop_makes_way_closes_by_the_new_one(executor: Harness) -> None:
    execution = opened(executor)
    executor.account.naked_after.clear()
    fill_target(executor)
    executor.account.meanwhile("cancel", lambda: executor.book.move_price(20015), leg=Leg.STOP)

    for _ in range(2):
        with contextlib.suppress(LockstepError):
            execution = executor.reconcile(execution)
        executor.advance(15)

    assert execution.state is ExecutionState.CLOSED
    assert not executor.book.position
    assert executor.account.naked_after == []
    assert executor.book.standing() == []


# -- faults ------------------------------------------------------------------------------------------------------------


def open_with_filled_target(executor: Harness, stop_type: StopType) -> Execution:
    execution = opened(executor, stop_type=stop_type)
    executor.account.naked_after.clear()
    fill_target(executor)
    return execution


def assert_at_break_even(executor: Harness, execution: Execution, stop_type: StopType) -> None:
    backstop = [Decimal("19953.4")] if stop_type is StopType.LIMIT else []
    assert triggers(executor) == {Leg.STOP: [BREAKEVEN[Side.BUY]], Leg.STOP_BACKSTOP: backstop}
    stops = [view for leg in STOP_LEGS for view in executor.book.standing(leg)]
    assert [view.close_position for view in stops].count(True) == 1
    assert executor.account.naked_after == []
    assert executor.now(execution).state is ExecutionState.PROTECTED


@pytest.mark.parametrize("stop_type", list(StopType))
@pytest.mark.parametrize(
    ("error", "done"),
    [
        (Crash(), False),
        (Crash(), True),
        (OutcomeUnknown("no answer"), False),
        (OutcomeUnknown("no answer"), True),
        (AddressBanned("banned", retry_after_s=1), False),
        (StopWouldTrigger("", code=-2021), False),
        (ExchangeRejected("", code=-1008), False),
    ],
)
def test_fault_at_any_request_leaves_the_position_guarded_and_the_stop_arrives(
    tables: object, stop_type: StopType, error: Exception, done: bool
) -> None:
    for requests_before in range(60):
        with harness() as executor:
            execution = open_with_filled_target(executor, stop_type)
            executor.account.skip("any", requests_before)
            executor.account.fail("any", error, done_after_s=0.0 if done else None)
            with contextlib.suppress(Crash, LockstepError):
                executor.reconcile(execution)
            struck = not executor.account.has_faults
            executor.account.clear_faults()
            for _ in range(4):
                executor.advance(15)
                executor.reconcile(execution)
            assert_at_break_even(executor, execution, stop_type)
        if not struck:
            break
    else:
        pytest.fail("the reconciliation did not end within sixty requests")


@pytest.mark.parametrize("seed", range(12))
def test_crashes_one_after_the_other_leave_the_position_guarded(tables: object, seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311 - the same course in every run
    stop_type = dice.choice(list(StopType))
    with harness() as executor:
        execution = open_with_filled_target(executor, stop_type)
        for _ in range(dice.randint(2, 5)):
            executor.account.skip("any", dice.randint(0, 14))
            executor.account.fail("any", Crash(), done_after_s=dice.choice([0.0, None]))
            if dice.random() < 0.3:
                executor.account.lag("open_orders", reads=1)
            with contextlib.suppress(Crash, LockstepError):
                executor.reconcile(execution)
            executor.account.clear_faults()
            executor.advance(15)
        for _ in range(4):
            executor.reconcile(execution)
            executor.advance(15)
        assert_at_break_even(executor, execution, stop_type)


def test_time_out_of_the_new_stop_is_tried_again_soon(executor: Harness) -> None:
    execution = open_with_filled_target(executor, StopType.MARKET)
    executor.sent.take_delays_of(execution)
    executor.account.fail("place", OutcomeUnknown("no answer"), leg=Leg.STOP, times=100)

    execution = executor.reconcile(execution)

    assert triggers(executor)[Leg.STOP] == [FIRST[Side.BUY]]
    assert execution.state is ExecutionState.PROTECTED
    assert executor.sent.take_delays_of(execution) == [10]
    executor.account.clear_faults()
    executor.advance(10)
    executor.reconcile(execution)
    assert_moved(executor, execution)


def test_intent_is_on_record_before_the_new_stop_is_sent(executor: Harness) -> None:
    execution = open_with_filled_target(executor, StopType.MARKET)
    seen: list[tuple[Decimal | None, list[Order]]] = []

    def look() -> None:
        seen.append((executor.now(execution).stop_moved_to, executor.orders(execution, Leg.STOP)))

    executor.account.meanwhile("place", look, leg=Leg.STOP)
    executor.reconcile(execution)

    ((moved_to, orders),) = seen
    assert moved_to == BREAKEVEN[Side.BUY]
    assert orders[-1].stop_moved_to == moved_to
