"""A closed position is booked when its lane has slack, and the next entry does not wait for that."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shared.clock import utc_now
from shared.errors import ExchangeThrottled
from shared.exchange import gate, lanes
from shared.exchange.gate import Work
from shared.exchange.lanes import DEFAULT_LANE
from shared.exchange.server_clock import server_clock
from shared.messages import Command
from shared.models.execution import Execution
from shared.models.follower_performance import FollowerPerformance
from shared.trading.execution import CloseReason, ExecutionState, Reason
from shared.trading.sides import Side
from tests.unit.functions.order_executor.harness import Harness


def use(pct: int) -> None:
    """Let the exchange have counted a share of the lane's weight."""
    limiter = lanes.limiter_of(DEFAULT_LANE)
    limiter.record_usage(limiter.weight.limit * pct // 100, asked_at_ms=server_clock.now_ms())


def close_on_a_busy_lane(executor: Harness) -> Execution:
    execution = executor.open()
    executor.advance(120)
    use(gate.QUIET_PCT + 1)
    return executor.handle(execution, Command.CLOSE)


def handle_when_due(executor: Harness, execution: Execution) -> Execution:
    due_at = executor.now(execution).due_at
    assert due_at is not None
    executor.advance(max((due_at - utc_now()).total_seconds(), 0) + 1)
    return executor.handle(execution, Command.RECONCILE)


def test_close_on_a_busy_lane_is_booked_later_without_reading_anything_before(executor: Harness) -> None:
    execution = close_on_a_busy_lane(executor)

    assert executor.book.position == 0
    assert not executor.book.open_orders
    assert execution.state is ExecutionState.CLOSING
    assert execution.profit is None
    asked = executor.account.requests
    assert asked.count("fills") == 1
    assert "wallet_balance" not in asked
    assert "position_amount" not in asked

    execution = handle_when_due(executor, execution)

    assert (execution.state, execution.close_reason) == (ExecutionState.CLOSED, CloseReason.ADMIN)
    assert execution.profit is not None
    assert executor.slot().execution_id is None


def test_next_entry_does_not_wait_for_the_booking_and_keeps_the_slot(executor: Harness) -> None:
    long = executor.open(Side.BUY)
    executor.advance(60)
    use(gate.QUIET_PCT + 1)

    short = executor.handle(executor.queue(Side.SELL))

    assert short.state is ExecutionState.PROTECTED
    assert executor.now(long).state is ExecutionState.CLOSING
    stops = executor.book.open_orders

    long = handle_when_due(executor, long)

    assert (long.state, long.close_reason) == (ExecutionState.CLOSED, CloseReason.OPPOSITE)
    assert executor.slot().execution_id == short.id
    assert executor.slot().quantity == short.filled_amount
    assert executor.book.open_orders == stops
    assert abs(executor.book.position) == short.filled_amount


def test_what_was_left_unbooked_is_what_an_immediate_booking_books(executor: Harness) -> None:
    at_once = executor.handle(executor.open(), Command.CLOSE)
    later = handle_when_due(executor, close_on_a_busy_lane(executor))

    assert (later.profit, later.fee, later.exit_price) == (at_once.profit, at_once.fee, at_once.exit_price)
    performance = FollowerPerformance.find(later.follower_id)
    assert performance is not None
    assert performance.trades == 2


def test_booking_waits_until_the_lane_has_slack(executor: Harness) -> None:
    execution = close_on_a_busy_lane(executor)
    limiter = lanes.limiter_of(DEFAULT_LANE)
    due_at = execution.due_at
    assert due_at is not None
    executor.advance((due_at - utc_now()).total_seconds())
    limiter.record_usage(limiter.weight.budget().cap(Work.BOOKING), asked_at_ms=server_clock.now_ms())

    execution = executor.handle(execution, Command.RECONCILE)

    assert execution.state is ExecutionState.CLOSING
    assert execution.due_at is not None
    assert execution.due_at > utc_now()
    assert handle_when_due(executor, execution).state is ExecutionState.CLOSED


def test_stop_that_filled_is_left_unbooked_by_an_entry_on_a_full_lane(executor: Harness) -> None:
    """The same side again: the older position has ended at its stop, and its booking does not fit."""
    first = executor.open(Side.BUY)
    executor.advance(60)
    executor.book.move_price(19_000)
    executor.book.move_price(20_000)
    use(80)

    second = executor.handle(executor.queue(Side.BUY))

    assert second.state is ExecutionState.PROTECTED
    assert executor.now(first).profit is None
    first = handle_when_due(executor, first)
    if first.active:  # in the same minute
        first = handle_when_due(executor, first)
    assert (first.state, first.close_reason) == (ExecutionState.CLOSED, CloseReason.STOP)
    assert executor.slot().execution_id == second.id


def test_unbooked_position_survives_a_failing_booking(executor: Harness) -> None:
    execution = close_on_a_busy_lane(executor)
    executor.account.fail("wallet_balance", ExchangeThrottled("429", retry_after_s=5))

    execution = handle_when_due(executor, execution)
    assert execution.state is ExecutionState.CLOSING

    assert handle_when_due(executor, execution).state is ExecutionState.CLOSED


@pytest.mark.rings("AttentionAlarm")
def test_unbooked_position_whose_fills_never_show_ends_unexplained(executor: Harness) -> None:
    execution = close_on_a_busy_lane(executor)
    executor.book.fills.clear()
    began = utc_now()
    while execution.active and utc_now() - began < timedelta(minutes=30):
        execution = handle_when_due(executor, execution)

    assert (execution.state, execution.reason) == (ExecutionState.CLOSED, Reason.FILLS_UNKNOWN)
    assert utc_now() - began > timedelta(minutes=10)


def test_order_of_the_closed_position_that_is_still_listed_does_not_keep_the_next_entry_out(executor: Harness) -> None:
    """The lists of open orders are late, and the older execution is not booked."""
    executor.open(Side.BUY)
    executor.advance(60)
    use(gate.QUIET_PCT + 1)
    short = executor.queue(Side.SELL)
    executor.account.lag("read", reads=1)

    assert executor.handle(short).state is ExecutionState.PROTECTED
