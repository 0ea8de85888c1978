"""An entry that the exchange certainly did not take is tried again while its alert is fresh, and enters only once."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from shared.clock import utc_now
from shared.errors import (
    ClockSkewed,
    ExchangeError,
    ExchangeRejected,
    ExchangeThrottled,
    ExchangeUnavailable,
    OutcomeUnknown,
    WeightExhausted,
)
from shared.messages import Command
from shared.models.execution import Execution
from shared.models.order import OrderStatus
from shared.trading.execution import CloseReason, DenialReason, ExecutionState, Reason
from shared.trading.ids import Leg
from shared.trading.sides import Side
from tests.unit.functions.order_executor.harness import Harness

OVERLOADED = ExchangeUnavailable("Server is currently overloaded with other requests.", code=-1008)
UNAVAILABLE = ExchangeUnavailable("Service Unavailable")
TRIES = 3
"""How often one worker sends an entry."""
FRESH_FOR_S = 60


def not_placed(
    executor: Harness, *, times: int = TRIES, error: ExchangeError = OVERLOADED, **trigger: object
) -> Execution:
    """Let a worker send an entry that the exchange does not take; return it as it waits for its next try."""
    executor.account.fail("place", error, leg=Leg.ENTRY, times=times)
    execution = executor.handle(executor.queue(**trigger))  # type: ignore[arg-type]
    assert execution.state is ExecutionState.ENTERING
    [entry] = executor.orders(execution, Leg.ENTRY)
    assert entry.status is OrderStatus.NOT_PLACED
    return execution


def try_again(executor: Harness, execution: Execution) -> Execution:
    """Let another worker take the execution when it is due."""
    due_at = executor.now(execution).due_at
    assert due_at is not None
    executor.advance(max((due_at - utc_now()).total_seconds(), 0.0))
    return executor.handle(execution, Command.RECONCILE)


def entries(executor: Harness) -> int:
    return executor.account.count("place ENTRY")


@pytest.mark.parametrize("error", [OVERLOADED, UNAVAILABLE, ClockSkewed("ahead", code=-1021)], ids=type)
def test_entry_that_was_not_placed_enters_at_a_later_try(executor: Harness, error: ExchangeError) -> None:
    execution = not_placed(executor, error=error)
    [delay_s] = executor.sent.take_delays_of(execution)[-1:]
    assert 1 <= delay_s <= 3

    execution = try_again(executor, execution)

    assert execution.state is ExecutionState.PROTECTED
    assert entries(executor) == TRIES + 1
    assert executor.book.position == execution.filled_amount
    assert len(executor.orders(execution, Leg.ENTRY)) == 1, "no order had its id"
    assert len(executor.book.standing(Leg.STOP)) == 1


def test_entry_is_tried_until_its_alert_is_stale_and_then_ends(executor: Harness) -> None:
    execution = not_placed(executor, times=999)
    began_at = execution.received_at

    while execution.active:
        execution = try_again(executor, execution)

    assert (execution.state, execution.reason) == (ExecutionState.FAILED, Reason.EXCHANGE_UNAVAILABLE)
    assert entries(executor) > 4 * TRIES
    assert FRESH_FOR_S / 2 < (utc_now() - began_at).total_seconds() <= FRESH_FOR_S
    assert executor.slot().execution_id is None
    [entry] = executor.orders(execution, Leg.ENTRY)
    assert entry.status is OrderStatus.REJECTED


def test_entry_over_the_rate_limit_waits_as_long_as_the_exchange_asks(executor: Harness) -> None:
    execution = not_placed(executor, times=1, error=ExchangeThrottled("slow down", retry_after_s=20))
    [delay_s] = executor.sent.take_delays_of(execution)[-1:]
    assert 20 <= delay_s <= 22

    assert try_again(executor, execution).state is ExecutionState.PROTECTED

    assert executor.account.count("orders_since") == 0, "there is nothing to prove"


def test_entry_over_the_rate_limit_until_its_alert_is_stale_ends_at_once(executor: Harness) -> None:
    executor.account.fail("place", ExchangeThrottled("slow down", retry_after_s=61), leg=Leg.ENTRY)

    execution = executor.handle(executor.queue())

    assert (execution.state, execution.reason) == (ExecutionState.DENIED, DenialReason.WEIGHT_EXHAUSTED)


def test_answer_that_is_lost_at_a_later_try_is_looked_up_and_enters_once(executor: Harness) -> None:
    execution = not_placed(executor)
    executor.account.lose_answer("place", leg=Leg.ENTRY)

    execution = try_again(executor, execution)

    assert execution.state is ExecutionState.PROTECTED
    assert executor.book.position == execution.filled_amount
    assert entries(executor) == TRIES + 1


def test_entry_that_was_not_placed_and_then_proven_absent_is_still_sent_once_more(executor: Harness) -> None:
    execution = not_placed(executor)
    executor.account.fail("place", OutcomeUnknown("no answer"), leg=Leg.ENTRY)

    execution = try_again(executor, execution)

    assert execution.state is ExecutionState.PROTECTED
    assert [entry.status for entry in executor.orders(execution, Leg.ENTRY)] == [OrderStatus.ABSENT, OrderStatus.FILLED]
    assert executor.book.position == execution.filled_amount


@pytest.mark.parametrize("request_name", ["market_price", "position_amount", "open_orders"])
def test_reads_that_fail_too_cost_the_entry_a_try_and_no_more(executor: Harness, request_name: str) -> None:
    execution = not_placed(executor)
    executor.account.fail(request_name, UNAVAILABLE)

    execution = try_again(executor, execution)
    assert execution.state is ExecutionState.ENTERING
    assert entries(executor) == TRIES

    assert try_again(executor, execution).state is ExecutionState.PROTECTED


@pytest.mark.parametrize("retry_after_s", [20, FRESH_FOR_S + 1])
def test_entry_whose_next_try_finds_its_lane_without_weight_waits_or_ends_for_want_of_weight(
    executor: Harness, retry_after_s: int
) -> None:
    execution = not_placed(executor)
    executor.account.fail("market_price", WeightExhausted("lane-1", retry_after_s=retry_after_s))

    execution = try_again(executor, execution)

    assert entries(executor) == TRIES
    if retry_after_s < FRESH_FOR_S:
        assert try_again(executor, execution).state is ExecutionState.PROTECTED
    else:
        assert (execution.state, execution.reason) == (ExecutionState.DENIED, DenialReason.WEIGHT_EXHAUSTED)
        assert executor.slot().execution_id is None


# -- what ends it beforehand -------------------------------------------------------------------------------------------


def test_close_that_is_requested_meanwhile_ends_it(executor: Harness) -> None:
    execution = not_placed(executor)
    executor.request_close(execution)

    execution = try_again(executor, execution)

    assert (execution.state, execution.reason) == (ExecutionState.DENIED, DenialReason.CLOSE_REQUESTED)
    assert entries(executor) == TRIES


def test_newer_alert_ends_it_and_enters(executor: Harness) -> None:
    long = not_placed(executor)
    executor.advance(1)

    short = executor.open(Side.SELL)

    assert executor.now(long).reason == DenialReason.CLOSE_REQUESTED
    assert executor.book.position == -(short.filled_amount or 0)
    assert executor.slot().execution_id == short.id


def test_market_that_has_moved_away_meanwhile_ends_it(executor: Harness) -> None:
    execution = not_placed(executor, take_profits=[])
    executor.book.move_price(20150)

    execution = try_again(executor, execution)

    assert (execution.state, execution.reason) == (ExecutionState.DENIED, DenialReason.PRICE_MOVED)
    assert executor.book.position == 0


def test_position_that_the_owner_has_opened_meanwhile_ends_it(executor: Harness) -> None:
    execution = not_placed(executor)
    executor.book.trade_as_owner(Side.BUY, "0.2")

    execution = try_again(executor, execution)

    assert (execution.state, execution.reason) == (ExecutionState.DENIED, DenialReason.FOREIGN_POSITION)
    assert executor.book.position == Decimal("0.2")


def test_follower_that_is_switched_off_meanwhile_ends_it(executor: Harness) -> None:
    execution = not_placed(executor)
    executor.follower.active = False
    executor.follower.save()

    assert try_again(executor, execution).reason == DenialReason.FOLLOWER_INACTIVE


def test_worker_that_crashes_before_the_next_try_is_scheduled_is_replaced(executor: Harness) -> None:
    execution = not_placed(executor)
    # As after a crash: the dead-man message is all there is.
    execution.update(actions=[Execution.due_at.set(utc_now() + timedelta(seconds=10))])
    executor.advance(11)

    assert executor.handle(execution, Command.RECONCILE).state is ExecutionState.PROTECTED
    assert executor.now(execution).close_reason != CloseReason.ENTRY_UNKNOWN


# -- refused, and not known why ----------------------------------------------------------------------------------------


def refused_by_filters_that_cannot_be_read(executor: Harness, *, failing: str, times: int = 1) -> Execution:
    """Let the exchange have another step than the container has read, and a read that would show it fail."""
    executor.account.cached_filters = executor.account.symbol_filters
    executor.account.change_filters(step_size=Decimal("0.01"), market_step_size=Decimal("0.01"))
    # The account is read before the entry, and again to size it anew.
    executor.account.skip(failing, 1 if failing == "read" else 0)
    executor.account.fail(failing, UNAVAILABLE, times=times)
    return executor.queue(stop=Decimal("19801.3"))


@pytest.mark.parametrize("failing", ["exchange_info", "read"])
def test_entry_that_a_new_step_refuses_is_sized_anew_when_it_can_be_read(executor: Harness, failing: str) -> None:
    execution = executor.handle(refused_by_filters_that_cannot_be_read(executor, failing=failing))
    assert execution.state is ExecutionState.ENTERING
    assert entries(executor) == 1

    execution = try_again(executor, execution)

    assert execution.state is ExecutionState.PROTECTED
    assert entries(executor) == 2, "what was refused is not sent again unchanged"
    [entry] = executor.orders(execution, Leg.ENTRY)
    assert entry.amount is not None
    assert entry.amount % Decimal("0.01") == 0
    assert executor.book.position == entry.amount == execution.filled_amount


def test_entry_whose_new_step_cannot_be_read_is_not_sent_again_and_ends_as_refused(executor: Harness) -> None:
    execution = refused_by_filters_that_cannot_be_read(executor, failing="exchange_info", times=999)

    execution = executor.handle(execution)
    while execution.active:
        execution = try_again(executor, execution)

    assert execution.state is ExecutionState.REJECTED
    assert (execution.reason or "").startswith("EXCHANGE_")
    assert entries(executor) == 1
    assert executor.slot().execution_id is None


def test_refused_entry_whose_lane_has_no_weight_left_to_size_it_anew_ends_as_refused(executor: Harness) -> None:
    execution = executor.handle(refused_by_filters_that_cannot_be_read(executor, failing="exchange_info"))
    executor.account.fail("market_price", WeightExhausted("lane-1", retry_after_s=FRESH_FOR_S + 1))

    execution = try_again(executor, execution)

    assert execution.state is ExecutionState.REJECTED
    assert entries(executor) == 1


@pytest.mark.parametrize("code", [-4016, -4024])
def test_bound_outside_of_the_band_around_the_mark_price_is_refused_for_good(executor: Harness, code: int) -> None:
    executor.account.fail("place", ExchangeRejected("Limit price out of the band.", code=code), leg=Leg.ENTRY, times=99)

    execution = executor.handle(executor.queue())

    assert (execution.state, execution.reason) == (ExecutionState.REJECTED, f"EXCHANGE_{-code}")
    assert entries(executor) == 1
    assert executor.book.position == 0
    assert executor.slot().execution_id is None
