"""What an entry left unfilled goes out once more, and is protected, or known not to have opened anything."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from shared.errors import ExchangeRejected, OutcomeUnknown
from shared.models.execution import Execution
from shared.models.follower import Follower
from shared.scheduling import RECHECK_S
from shared.trading.execution import CloseReason, DenialReason, ExecutionState, Reason
from shared.trading.ids import TAKE_PROFIT_LEGS, Leg
from shared.trading.order_planning import plan_entry
from shared.trading.sides import StopType
from tests.unit.functions.order_executor.harness import Crash, Harness

D = Decimal
WHOLE, PART = D("0.750"), D("0.300")


@pytest.fixture
def thin(executor: Harness) -> Harness:
    """A market that offers 0.300 BTC to the next entry, and everything to the one after."""
    executor.book.next_fill = PART
    return executor


def standing_targets(executor: Harness) -> Decimal:
    return sum((order.amount for order in executor.book.standing(*TAKE_PROFIT_LEGS)), D(0))


def test_rest_of_an_entry_fills_after_its_stop_stands_and_before_its_targets(thin: Harness) -> None:
    execution = thin.handle(thin.queue())

    assert execution.state is ExecutionState.PROTECTED
    assert thin.book.position == execution.filled_amount == thin.slot().quantity == WHOLE
    assert execution.reason is None
    writes = [request for request in thin.account.requests if request.startswith("place")]
    assert writes[:3] == ["place ENTRY", "place STOP", "place ENTRY_REMAINDER"]
    assert standing_targets(thin) == WHOLE
    assert [order.filled for order in thin.orders(execution, Leg.ENTRY, Leg.ENTRY_REMAINDER)] == [PART, WHOLE - PART]


def test_position_in_two_parts_is_naked_no_longer_than_one_in_one(thin: Harness) -> None:
    execution = thin.handle(thin.queue())
    assert set(thin.account.naked_after) <= {"place ENTRY", "place STOP", "find_order ENTRY"}
    assert execution.naked_ms is not None
    assert execution.naked_ms < 100


def test_entry_price_is_the_average_of_both_parts(thin: Harness) -> None:
    thin.account.meanwhile("place", lambda: thin.book.move_price(20_005), leg=Leg.STOP)
    execution = thin.handle(thin.queue())
    assert execution.filled_amount is not None
    assert execution.filled_amount > PART
    second = execution.filled_amount - PART
    assert execution.entry_price == (D(20_000) * PART + D(20_005) * second) / execution.filled_amount


def test_remainder_spends_what_a_worse_price_leaves_of_the_budget(thin: Harness) -> None:
    # 60 USDT up: the stop is 260 away in place of 200, and fees and bound move with it.
    thin.account.meanwhile("place", lambda: thin.book.move_price(20_050), leg=Leg.STOP)
    execution = thin.handle(thin.queue())
    assert execution.state is ExecutionState.PROTECTED
    assert execution.filled_amount is not None
    assert PART < execution.filled_amount < WHOLE
    assert (execution.reason, execution.detail) == (Reason.FILLED_IN_PART, f"{execution.filled_amount} of 0.750")
    assert standing_targets(thin) == execution.filled_amount


def test_market_that_has_moved_too_far_keeps_the_part(thin: Harness) -> None:
    thin.account.meanwhile("place", lambda: thin.book.move_price(20_070), leg=Leg.STOP)
    execution = thin.handle(thin.queue())
    assert (execution.state, execution.filled_amount) == (ExecutionState.PROTECTED, PART)
    assert execution.reason == Reason.FILLED_IN_PART
    assert thin.account.count("place ENTRY_REMAINDER") == 0
    assert standing_targets(thin) == PART


def test_alert_that_is_too_old_by_then_keeps_the_part(thin: Harness) -> None:
    thin.account.meanwhile("place", lambda: thin.advance(61), leg=Leg.STOP)
    execution = thin.handle(thin.queue())
    assert execution.filled_amount == PART
    assert thin.account.count("place ENTRY_REMAINDER") == 0


def test_follower_who_was_stopped_meanwhile_keeps_the_part(thin: Harness) -> None:
    thin.account.meanwhile("place", lambda: thin.follower.update(actions=[Follower.active.set(False)]), leg=Leg.STOP)
    execution = thin.handle(thin.queue())
    assert (execution.state, execution.filled_amount) == (ExecutionState.PROTECTED, PART)
    assert thin.account.count("place ENTRY_REMAINDER") == 0


def test_close_that_is_requested_before_it_closes_the_part(thin: Harness) -> None:
    execution = thin.queue()
    thin.account.meanwhile("prices", lambda: thin.request_close(execution))
    execution = thin.handle(execution)
    assert thin.account.count("place ENTRY_REMAINDER") == 0
    assert (execution.state, execution.filled_amount) == (ExecutionState.CLOSED, PART)
    assert thin.book.position == 0


def test_refused_remainder_keeps_the_part(thin: Harness) -> None:
    thin.account.fail("place", ExchangeRejected("margin", code=-2019), leg=Leg.ENTRY_REMAINDER)
    execution = thin.handle(thin.queue())
    assert (execution.state, execution.filled_amount) == (ExecutionState.PROTECTED, PART)
    assert execution.reason == Reason.FILLED_IN_PART
    assert standing_targets(thin) == PART


def test_prices_that_cannot_be_read_keep_the_part(thin: Harness) -> None:
    thin.account.fail("prices", OutcomeUnknown("HTTP 503"))
    execution = thin.handle(thin.queue())
    assert (execution.state, execution.filled_amount) == (ExecutionState.PROTECTED, PART)


def test_remainder_that_fills_nothing_keeps_the_part(thin: Harness) -> None:
    thin.account.meanwhile("place", lambda: thin.book.move_price(20_020), leg=Leg.ENTRY_REMAINDER)
    execution = thin.handle(thin.queue())
    assert (execution.state, execution.filled_amount) == (ExecutionState.PROTECTED, PART)
    assert execution.reason == Reason.FILLED_IN_PART
    assert standing_targets(thin) == PART


def test_it_is_sent_once_even_if_it_fills_in_part_as_well(thin: Harness) -> None:
    thin.account.meanwhile("place", lambda: setattr(thin.book, "next_fill", D("0.100")), leg=Leg.ENTRY_REMAINDER)
    execution = thin.handle(thin.queue())
    assert execution.filled_amount == thin.book.position == D("0.400")
    assert thin.account.count("place ENTRY_REMAINDER") == 1
    assert (execution.reason, execution.detail) == (Reason.FILLED_IN_PART, "0.400 of 0.750")


def test_rest_below_the_exchanges_minimum_is_not_sent(executor: Harness) -> None:
    executor.book.next_fill = WHOLE - D("0.0005")
    execution = executor.handle(executor.queue())
    assert executor.account.count("prices") == 0
    assert execution.state is ExecutionState.PROTECTED


# -- without an answer -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("done_after_s", [0.0, 1.0])
def test_remainder_without_an_answer_that_filled_is_part_of_the_position(thin: Harness, done_after_s: float) -> None:
    thin.account.lose_answer("place", leg=Leg.ENTRY_REMAINDER, done_after_s=done_after_s)
    execution = thin.handle(thin.queue())
    assert (execution.state, execution.filled_amount) == (ExecutionState.PROTECTED, WHOLE)
    assert execution.reason is None
    assert thin.book.position == standing_targets(thin) == WHOLE


def test_remainder_that_never_arrived_is_proven_absent_and_not_sent_again(thin: Harness) -> None:
    thin.account.fail("place", OutcomeUnknown("cut off"), leg=Leg.ENTRY_REMAINDER)
    execution = thin.handle(thin.queue())
    assert (execution.state, execution.filled_amount) == (ExecutionState.PROTECTED, PART)
    assert execution.reason == Reason.FILLED_IN_PART
    assert standing_targets(thin) == PART
    assert thin.account.count("place ENTRY_REMAINDER") == 1


def test_stop_that_triggers_before_the_second_fill_leaves_nothing_naked(thin: Harness) -> None:
    def gap() -> None:
        thin.book.move_price(19_790)  # through the stop at 19,800, and back to where the remainder fills
        thin.book.move_price(20_000)

    thin.account.meanwhile("place", gap, leg=Leg.ENTRY_REMAINDER)
    execution = thin.handle(thin.queue())
    assert thin.book.position == WHOLE - PART
    assert thin.book.guarded
    assert execution.state is ExecutionState.PROTECTED


def test_limit_stop_is_made_to_cover_both_parts(thin: Harness) -> None:
    execution = thin.handle(thin.queue(stop_type=StopType.LIMIT))
    assert execution.filled_amount == thin.book.position
    assert execution.filled_amount > PART
    (stop,) = thin.book.standing(Leg.STOP)
    (backstop,) = thin.book.standing(Leg.STOP_BACKSTOP)
    assert stop.amount == thin.book.position
    assert backstop.close_position


@pytest.mark.parametrize("done", [True, False])
def test_another_worker_finds_out_what_became_of_it_before_it_places_targets(thin: Harness, *, done: bool) -> None:
    execution = thin.crash("place", Leg.ENTRY_REMAINDER, done=done)
    assert execution.state is ExecutionState.UNPROTECTED
    assert thin.book.guarded
    thin.advance(10)

    execution = thin.reconcile(execution)

    amount = WHOLE if done else PART
    assert (execution.state, execution.filled_amount) == (ExecutionState.PROTECTED, amount)
    assert thin.book.position == standing_targets(thin) == amount
    assert thin.account.count("place ENTRY_REMAINDER") == 1


def test_no_target_is_placed_and_it_is_looked_up_again_while_that_is_not_known(thin: Harness) -> None:
    execution = thin.crash("place", Leg.ENTRY_REMAINDER, done=True)
    thin.sent.bodies.clear()
    thin.account.fail("find_order", OutcomeUnknown("HTTP 503"), leg=Leg.ENTRY_REMAINDER)

    execution = thin.reconcile(execution)

    assert (execution.state, execution.filled_amount) == (ExecutionState.PROTECTED, PART)
    assert standing_targets(thin) == 0
    assert thin.sent.take_delays_of(execution) == [RECHECK_S]
    thin.advance(RECHECK_S)
    execution = thin.reconcile(execution)
    assert (execution.filled_amount, standing_targets(thin)) == (WHOLE, WHOLE)


def test_close_ends_nothing_before_a_late_remainder_is_closed_as_well(thin: Harness) -> None:
    thin.account.fail("place", Crash(), leg=Leg.ENTRY_REMAINDER, done_after_s=2.0)
    execution = thin.queue()
    with pytest.raises(Crash):
        thin.handle(execution)
    thin.request_close(execution)

    execution = thin.reconcile(execution)

    assert execution.active
    thin.run(asyncio.sleep(10))
    execution = thin.reconcile(execution)
    assert (execution.state, execution.filled_amount) == (ExecutionState.CLOSED, WHOLE)
    assert thin.book.position == 0
    assert execution.close_reason == CloseReason.ADMIN
    assert not thin.book.open_orders


def test_stop_of_the_first_part_ends_nothing_while_the_remainder_may_fill(thin: Harness) -> None:
    execution = thin.crash("place", Leg.ENTRY_REMAINDER, done=False)
    thin.book.move_price(19_790)
    thin.advance(1)

    execution = thin.reconcile(execution)

    assert execution.active
    thin.advance(10)
    execution = thin.reconcile(execution)
    assert (execution.state, execution.close_reason) == (ExecutionState.CLOSED, CloseReason.STOP)


def fill_late(executor: Harness, execution: Execution) -> None:
    """Let the remainder that was proven absent fill after all."""
    (order,) = executor.orders(execution, Leg.ENTRY_REMAINDER)
    planned = plan_entry(side=execution.side, amount=WHOLE - PART, bound=D(20_010), leg=Leg.ENTRY_REMAINDER)
    executor.book.carry_out(planned, order.client_order_id)


@pytest.mark.parametrize("answered", [True, False])
@pytest.mark.parametrize(("keep_share", "left"), [(None, PART), ("0.5", PART / 2), ("0.01", D("0.003"))])
def test_remainder_that_fills_after_it_was_proven_absent_is_flattened_whole(
    thin: Harness, keep_share: str | None, left: Decimal, *, answered: bool
) -> None:
    thin.account.fail("place", OutcomeUnknown("cut off"), leg=Leg.ENTRY_REMAINDER)
    execution = thin.handle(thin.queue())
    thin.advance(20)
    if keep_share is not None:
        thin.handle(thin.queue_reduction(keep_share))
    assert thin.book.position == left
    fill_late(thin, execution)
    if not answered:
        thin.account.fail("place", OutcomeUnknown("no answer"), leg=Leg.FLATTEN)

    for _ in range(3):
        thin.advance(20)
        execution = thin.reconcile(execution)

    assert thin.book.position == thin.slot().quantity == left
    assert execution.state is ExecutionState.PROTECTED
    assert thin.book.guarded


def test_late_remainder_of_a_position_whose_stop_has_filled_is_flattened(thin: Harness) -> None:
    thin.account.fail("place", OutcomeUnknown("cut off"), leg=Leg.ENTRY_REMAINDER)
    execution = thin.handle(thin.queue())
    thin.advance(20)
    thin.book.move_price(19_790)
    thin.book.move_price(20_000)
    fill_late(thin, execution)
    for _ in range(3):
        thin.advance(20)
        execution = thin.reconcile(execution)
    assert thin.book.position == 0
    assert execution.state is ExecutionState.CLOSED


# -- an entry of which nothing has filled ------------------------------------------------------------------------------


def test_entry_of_which_nothing_filled_goes_out_once_more_from_a_fresh_price(executor: Harness) -> None:
    executor.account.meanwhile("place", lambda: executor.book.move_price(20_020), leg=Leg.ENTRY)
    execution = executor.handle(executor.queue())
    assert execution.state is ExecutionState.PROTECTED
    assert executor.account.count("place ENTRY") == 2
    first, second = executor.orders(execution, Leg.ENTRY)
    assert first.filled == 0
    assert second.filled == execution.filled_amount == execution.amount == executor.book.position
    assert execution.amount < WHOLE
    assert second.price > first.price


def test_entry_of_which_nothing_fills_twice_is_denied(executor: Harness) -> None:
    executor.account.meanwhile("place", lambda: executor.book.move_price(20_020), leg=Leg.ENTRY)
    executor.account.meanwhile("place", lambda: executor.book.move_price(20_040), leg=Leg.ENTRY)
    execution = executor.handle(executor.queue())
    assert (execution.state, execution.reason) == (ExecutionState.DENIED, DenialReason.PRICE_MOVED)
    assert executor.account.count("place ENTRY") == 2
    assert executor.book.position == 0
    assert executor.slot().execution_id is None


def test_entry_of_which_nothing_filled_is_denied_when_the_market_has_moved_too_far(executor: Harness) -> None:
    executor.account.meanwhile("place", lambda: executor.book.move_price(20_070), leg=Leg.ENTRY)
    execution = executor.handle(executor.queue())
    assert (execution.state, execution.reason) == (ExecutionState.DENIED, DenialReason.PRICE_MOVED)
    assert executor.account.count("place ENTRY") == 1
