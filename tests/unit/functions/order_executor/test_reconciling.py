"""Begun work goes on from where a crashed worker left it: to a protected position, or to a booked end."""

from __future__ import annotations

import io
from dataclasses import replace
from decimal import Decimal

import pytest

from shared.errors import LeaseLost, OutcomeUnknown
from shared.messages import Command
from shared.scheduling import RECHECK_S
from shared.trading.execution import CloseReason, Desired, ExecutionState, Reason
from shared.trading.ids import Leg
from shared.trading.sides import Side
from tests.unit.functions.order_executor.harness import Crash, Harness
from tests.unit.trading.markets import BITCOIN

WHOLE = Decimal("0.750")
"""What an entry of 1.5 % of 10,000 USDT buys with its stop 200 USDT away."""

# -- an open position --------------------------------------------------------------------------------------------------


def test_position_whose_worker_lost_its_lease_before_the_stop_gets_the_stop_under_the_same_id(
    executor: Harness,
) -> None:
    executor.account.fail("place", LeaseLost("taken over"), leg=Leg.STOP)
    execution = executor.queue()
    with pytest.raises(LeaseLost):
        executor.handle(execution)
    assert executor.now(execution).state is ExecutionState.UNPROTECTED

    execution = executor.reconcile(execution)

    assert execution.state is ExecutionState.PROTECTED
    assert len(executor.book.standing(Leg.STOP)) == 1
    assert len(executor.orders(execution, Leg.STOP)) == 1


@pytest.mark.parametrize("read", ["position_amount", "fills", "open_orders", "find_order"])
def test_naked_position_of_a_crashed_worker_gets_its_stop_though_reads_fail(executor: Harness, read: str) -> None:
    executor.account.fail("place", LeaseLost("taken over"), leg=Leg.STOP)
    execution = executor.queue()
    with pytest.raises(LeaseLost):
        executor.handle(execution)
    executor.account.fail(read, OutcomeUnknown("HTTP 503"), times=2)

    execution = executor.reconcile(execution)

    assert not executor.account.has_faults
    assert execution.state is ExecutionState.PROTECTED
    assert len(executor.book.standing(Leg.STOP)) == 1


@pytest.mark.parametrize("read", ["find_order", "fills"])
def test_stop_that_the_owner_cancelled_is_placed_again_though_reads_fail(executor: Harness, read: str) -> None:
    execution = executor.reconcile(executor.open())
    (stop,) = executor.book.standing(Leg.STOP)
    executor.book.cancel_as_owner(stop.client_order_id)
    executor.account.fail(read, OutcomeUnknown("HTTP 503"), times=2)

    execution = executor.reconcile(execution)

    assert not executor.account.has_faults
    assert len(executor.book.standing(Leg.STOP)) == 1
    assert execution.state is ExecutionState.PROTECTED


def test_protected_position_in_order_is_left_as_it_is(executor: Harness) -> None:
    execution = executor.open()
    before, requests = executor.book.copy(), len(executor.account.requests)
    executor.advance(30)

    execution = executor.reconcile(execution)

    assert execution.state is ExecutionState.PROTECTED
    assert executor.book == before
    assert not [request for request in executor.account.requests[requests:] if request.startswith(("place", "cancel"))]


def test_stop_that_the_owner_cancelled_is_placed_again(executor: Harness) -> None:
    execution = executor.open()
    (stop,) = executor.book.standing(Leg.STOP)
    executor.book.cancel_as_owner(stop.client_order_id)

    execution = executor.reconcile(execution)

    (renewed,) = executor.book.standing(Leg.STOP)
    assert renewed.trigger_price == stop.trigger_price
    assert renewed.client_order_id != stop.client_order_id
    assert execution.state is ExecutionState.PROTECTED


def test_position_is_flattened_when_its_lost_stop_would_trigger_at_once(executor: Harness) -> None:
    execution = executor.open()
    (stop,) = executor.book.standing(Leg.STOP)
    executor.book.cancel_as_owner(stop.client_order_id)
    executor.book.move_price(19700)

    execution = executor.reconcile(execution)

    assert (execution.state, execution.close_reason) == (ExecutionState.CLOSED, CloseReason.FLATTENED)
    assert executor.book.position == 0


def test_protected_position_whose_close_is_requested_is_closed(executor: Harness) -> None:
    execution = executor.open()
    executor.request_close(execution)

    execution = executor.reconcile(execution)

    assert (execution.state, execution.close_reason) == (ExecutionState.CLOSED, CloseReason.ADMIN)
    assert executor.book.position == 0
    assert executor.book.standing() == []


def test_close_that_a_crashed_worker_began_is_finished(executor: Harness) -> None:
    execution = executor.open()
    executor.account.fail("place", Crash(), leg=Leg.CLOSE)
    with pytest.raises(Crash):
        executor.handle(execution, Command.CLOSE)
    assert executor.now(execution).state is ExecutionState.CLOSING

    execution = executor.reconcile(execution)

    assert (execution.state, execution.close_reason) == (ExecutionState.CLOSED, CloseReason.ADMIN)
    assert executor.book.position == 0


def test_flattening_that_a_crashed_worker_began_is_finished(executor: Harness) -> None:
    executor.account.meanwhile("place", lambda: executor.book.move_price(19700), leg=Leg.STOP)
    execution = executor.crash("place", Leg.FLATTEN, done=False)
    assert execution.state is ExecutionState.FLATTENING

    execution = executor.reconcile(execution)

    assert (execution.state, execution.close_reason) == (ExecutionState.CLOSED, CloseReason.FLATTENED)
    assert executor.book.position == 0


@pytest.mark.parametrize(
    "state",
    [
        ExecutionState.QUEUED,
        ExecutionState.CLOSED,
        ExecutionState.DENIED,
        ExecutionState.REJECTED,
        ExecutionState.FAILED,
    ],
)
def test_work_that_is_not_begun_or_has_ended_is_left_alone(executor: Harness, state: ExecutionState) -> None:
    execution = executor.queue()
    execution.state = state
    execution.save()

    after = executor.reconcile(execution)

    assert after.revision == execution.revision
    assert executor.account.requests == ["exchange_info"]


# -- the end -----------------------------------------------------------------------------------------------------------


def test_position_that_is_flat_before_its_fills_show_it_is_booked_when_they_do(executor: Harness) -> None:
    execution = executor.open()
    executor.account.lag("fills", reads=2)
    executor.book.move_price(19800)
    executor.sent.take_delays_of(execution)

    execution = executor.reconcile(execution)
    assert execution.state is ExecutionState.PROTECTED
    assert execution.flat_since is not None
    assert executor.sent.take_delays_of(execution) == [RECHECK_S]

    execution = executor.reconcile(execution)
    assert (execution.state, execution.close_reason) == (ExecutionState.CLOSED, CloseReason.STOP)
    assert execution.exit_price == Decimal(19800)
    assert executor.book.standing() == []


def test_position_that_no_fill_explains_ends_after_ten_minutes(executor: Harness) -> None:
    execution = executor.open()
    executor.book.position = Decimal(0)

    execution = executor.reconcile(execution)
    executor.advance(9 * 60)
    execution = executor.reconcile(execution)
    assert execution.state is ExecutionState.PROTECTED

    executor.advance(2 * 60)
    execution = executor.reconcile(execution)
    assert (execution.state, execution.reason) == (ExecutionState.CLOSED, Reason.FILLS_UNKNOWN)
    assert executor.book.standing() == []
    assert executor.slot().execution_id is None


def test_dust_is_left_to_the_stop_and_reported_once(executor: Harness, log: io.StringIO) -> None:
    executor.account.symbol_filters = replace(BITCOIN, market_min_amount=Decimal("0.01"))
    execution = executor.open()
    executor.book.trade_as_owner(Side.SELL, "0.745")
    executor.request_close(execution)

    execution = executor.reconcile(execution)
    due_first = execution.due_at
    executor.advance(300)
    execution = executor.reconcile(execution)

    assert (execution.state, execution.reason) == (ExecutionState.CLOSING, Reason.DUST_LEFT)
    assert executor.book.position == Decimal("0.005")
    assert len(executor.book.standing(Leg.STOP)) == 1
    assert log.getvalue().count('"message":"dust_left"') == 1
    assert due_first is not None
    assert execution.due_at is not None
    assert (execution.due_at - due_first).total_seconds() >= 300


def test_position_on_a_symbol_that_is_no_longer_listed_is_booked(executor: Harness) -> None:
    execution = executor.open()
    executor.book.trade_as_owner(Side.SELL, str(WHOLE))
    executor.account.symbol_filters = None

    execution = executor.reconcile(execution)

    assert (execution.state, execution.close_reason) == (ExecutionState.CLOSED, CloseReason.MANUAL)
    assert execution.desired is Desired.OPEN
