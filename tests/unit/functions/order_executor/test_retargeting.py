"""An update that names take-profits replaces those of the position; what has filled stays counted."""

from __future__ import annotations

import contextlib
from datetime import datetime
from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest

from shared.clock import utc_now
from shared.errors import LockstepError, OutcomeUnknown
from shared.models.egress_lane import EgressLane
from shared.models.execution import Execution
from shared.trading.execution import DenialReason, ExecutionState, Reason
from shared.trading.ids import TAKE_PROFIT_LEGS, Leg
from shared.trading.sides import Side
from tests.unit.functions.order_executor.harness import Crash, Harness, harness

WHOLE = Decimal("0.750")


def targets(executor: Harness) -> list[tuple[Decimal | None, Decimal]]:
    """Return price and amount of each standing take-profit, the lowest price first."""
    views = executor.book.standing(*TAKE_PROFIT_LEGS)
    return sorted(((view.price, view.remaining) for view in views), key=lambda one: one[0] or 0)


def priced(*prices: int, amount: str) -> list[tuple[Decimal, Decimal]]:
    return [(Decimal(price), Decimal(amount)) for price in prices]


def update(executor: Harness, *prices: int, fired_at: datetime | None = None, **asked: Any) -> Execution:
    executor.advance(1)
    wanted = [Decimal(price) for price in prices]
    return executor.handle(executor.queue_update(take_profits=wanted, fired_at=fired_at, **asked))


@pytest.mark.parametrize(("side", "prices"), [(Side.BUY, (20500, 20600)), (Side.SELL, (19400, 19500))])
def test_new_targets_take_the_place_of_the_old_ones(executor: Harness, side: Side, prices: tuple[int, ...]) -> None:
    held = executor.open(side)

    answered = update(executor, *prices)

    assert (answered.state, answered.reason, answered.detail) == (ExecutionState.DONE, Reason.APPLIED, held.id)
    assert targets(executor) == priced(*prices, amount="0.375")
    before = executor.book.copy()
    executor.reconcile(held)
    assert executor.book == before


def test_what_is_left_after_a_fill_is_planned_over_the_new_prices(executor: Harness) -> None:
    held = executor.open()
    executor.book.move_price(20200)
    update(executor, 20500, 20600)
    assert targets(executor) == priced(20500, 20600, amount="0.250")
    executor.book.move_price(20600)
    executor.advance(30)
    assert executor.reconcile(held).state is ExecutionState.CLOSED


def test_targets_that_the_market_has_passed_are_left_out(executor: Harness) -> None:
    held = executor.open()
    executor.book.move_price(20100)
    assert update(executor, 20050, 20500).reason == Reason.APPLIED
    assert targets(executor) == priced(20500, amount="0.750")
    assert executor.now(held).passed_targets == [Decimal(20050)]


def test_update_whose_every_target_is_passed_changes_nothing(executor: Harness) -> None:
    held = executor.open()
    before = targets(executor)
    assert update(executor, 19900, 20000).reason == DenialReason.TARGET_PASSED
    assert targets(executor) == before
    assert executor.now(held).targets_requested is None


def test_stop_of_the_same_update_moves_though_its_targets_are_passed(executor: Harness) -> None:
    executor.open()
    assert update(executor, 19950, stop=Decimal(19900)).reason == Reason.APPLIED
    assert [view.trigger_price for view in executor.book.standing(Leg.STOP)] == [Decimal(19900)]
    assert len(targets(executor)) == 3


@pytest.mark.parametrize("order", list(permutations([0, 1, 2])))
def test_targets_of_the_latest_update_win_in_whatever_order_they_come(
    executor: Harness, order: tuple[int, ...]
) -> None:
    held = executor.open()
    executor.advance(2)
    first = utc_now()
    executor.advance(2)
    second = utc_now()
    fired = [(20500, first), (20700, second), (20600, second)]
    for index in order:
        price, at = fired[index]
        update(executor, price, fired_at=at)
    executor.reconcile(held)
    assert targets(executor) == priced(20700, amount="0.750")


@pytest.mark.parametrize(("after", "moves"), [(1, True), (2, False)])
def test_target_that_filled_before_the_update_stays_counted(executor: Harness, after: int, moves: bool) -> None:
    held = executor.open()
    executor.book.move_price(20200)
    update(executor, 20400, 20600, breakeven_after=after)
    assert (executor.now(held).stop_moved_to is not None) is moves
    executor.book.move_price(20400)
    executor.reconcile(held)
    assert executor.now(held).stop_moved_to is not None


@pytest.mark.parametrize(("error", "done"), [(Crash(), False), (Crash(), True), (OutcomeUnknown("no answer"), False)])
def test_fault_at_any_request_ends_with_the_new_targets_for_what_is_left(
    tables: object, error: Exception, done: bool
) -> None:
    for requests_before in range(40):
        for lane in EgressLane.scan():
            lane.delete()  # the clock begins anew
        with harness() as executor:
            held = executor.open()
            executor.account.naked_after.clear()
            executor.book.move_price(20200)
            executor.advance(1)
            asked = executor.queue_update(take_profits=[Decimal(20500), Decimal(20600)])
            executor.account.skip("any", requests_before)
            executor.account.fail("any", error, done_after_s=0.0 if done else None)
            with contextlib.suppress(Crash, LockstepError):
                executor.handle(asked)
            struck = not executor.account.has_faults
            executor.account.clear_faults()
            executor.advance(130)
            assert executor.handle(asked).reason == Reason.APPLIED
            for _ in range(3):
                executor.advance(15)
                executor.reconcile(held)
            assert targets(executor) == priced(20500, 20600, amount="0.250"), requests_before
            assert executor.account.naked_after == []
        if not struck:
            break
    else:
        pytest.fail("the update did not end within forty requests")
