"""An entry whose outcome is unknown is looked up: filled, refused, or proven absent. Unknown is not failed."""

from __future__ import annotations

from decimal import Decimal
from functools import partial

import pytest

from shared.errors import OutcomeUnknown
from shared.models.order import OrderStatus
from shared.trading.execution import CloseReason, DenialReason, ExecutionState, Reason
from shared.trading.ids import Leg
from shared.trading.order_planning import OrderType, plan_entry
from shared.trading.sides import Side
from tests.unit.functions.order_executor.harness import Harness

WHOLE = Decimal("0.750")
"""What an entry buys with its stop 200 USDT away."""


def test_entry_that_filled_before_the_worker_crashed_is_protected(executor: Harness) -> None:
    execution = executor.crash("place", Leg.ENTRY, done=True)
    assert execution.state is ExecutionState.ENTERING

    execution = executor.reconcile(execution)

    assert execution.state is ExecutionState.PROTECTED
    assert executor.book.position == WHOLE
    assert len(executor.book.standing(Leg.STOP)) == 1
    assert executor.account.count("place ENTRY") == 1


def test_entry_that_expired_unfilled_is_denied_and_frees_the_slot(executor: Harness) -> None:
    executor.book.next_fill = Decimal(0)
    execution = executor.reconcile(executor.crash("place", Leg.ENTRY, done=True))

    assert (execution.state, execution.reason) == (ExecutionState.DENIED, DenialReason.PRICE_MOVED)
    assert executor.slot().execution_id is None
    assert executor.book.position == 0


def test_market_order_of_an_earlier_version_that_expired_unfilled_ends_as_rejected(executor: Harness) -> None:
    executor.book.next_fill = Decimal(0)
    execution = executor.crash("place", Leg.ENTRY, done=True)
    (entry,) = executor.orders(execution, Leg.ENTRY)
    entry.type, entry.price = OrderType.MARKET, None
    entry.save()

    execution = executor.reconcile(execution)

    assert (execution.state, execution.reason) == (ExecutionState.REJECTED, Reason.NOT_FILLED)
    assert executor.slot().execution_id is None


def test_absent_market_order_of_an_earlier_version_is_sent_once_more_as_it_was(executor: Harness) -> None:
    execution = executor.crash("place", Leg.ENTRY, done=False)
    (entry,) = executor.orders(execution, Leg.ENTRY)
    entry.type, entry.price = OrderType.MARKET, None
    entry.save()

    execution = executor.reconcile(execution)

    assert execution.state is ExecutionState.PROTECTED
    assert [order.type for order in executor.orders(execution, Leg.ENTRY)] == [OrderType.MARKET] * 2
    assert executor.book.position == WHOLE


@pytest.mark.parametrize(("side", "bound"), [(Side.BUY, Decimal(20010)), (Side.SELL, Decimal(19990))])
def test_entry_that_is_sent_once_more_has_the_same_bound(executor: Harness, side: Side, bound: Decimal) -> None:
    execution = executor.crash("place", Leg.ENTRY, done=False, side=side)
    executor.book.price = Decimal(20000) + side.sign * 5

    execution = executor.reconcile(execution)

    first, second = executor.orders(execution, Leg.ENTRY)
    assert (first.price, second.price) == (bound, bound)
    assert (first.amount, second.amount) == (WHOLE, WHOLE)


@pytest.mark.parametrize(("side", "bounds"), [(Side.BUY, ["20010.0", "20021.0"]), (Side.SELL, ["19990.0", "19979.1"])])
def test_entry_never_pays_more_than_its_bound(executor: Harness, side: Side, bounds: list[str]) -> None:
    for moved in (11, 33):
        move = partial(executor.book.move_price, 20000 + side.sign * moved)
        executor.account.meanwhile("place", move, leg=Leg.ENTRY)

    execution = executor.handle(executor.queue(side))

    assert [order.price for order in executor.orders(execution, Leg.ENTRY)] == [Decimal(bound) for bound in bounds]

    assert (execution.state, execution.reason) == (ExecutionState.DENIED, DenialReason.PRICE_MOVED)
    assert executor.book.position == 0
    assert executor.book.standing() == []
    assert executor.slot().execution_id is None


def test_unknown_entry_that_turns_out_unfilled_ends_with_its_reason(executor: Harness) -> None:
    executor.book.next_fill = Decimal(0)

    execution = executor.reconcile(executor.crash("place", Leg.ENTRY, done=True))

    assert (execution.state, execution.reason) == (ExecutionState.DENIED, DenialReason.PRICE_MOVED)
    assert executor.slot().execution_id is None


def test_unknown_entry_that_turns_out_unfilled_goes_out_once_more(executor: Harness) -> None:
    executor.book.next_fill = Decimal(0)
    executor.account.lose_answer("place", leg=Leg.ENTRY, done_after_s=0.5)

    execution = executor.handle(executor.queue())

    assert execution.state is ExecutionState.PROTECTED
    assert [order.filled for order in executor.orders(execution, Leg.ENTRY)] == [0, execution.filled_amount]
    assert executor.book.position == execution.filled_amount


def test_entry_that_never_arrived_is_sent_once_more_while_its_alert_is_fresh(executor: Harness) -> None:
    execution = executor.reconcile(executor.crash("place", Leg.ENTRY, done=False))

    assert execution.state is ExecutionState.PROTECTED
    assert executor.book.position == WHOLE
    assert [order.status for order in executor.orders(execution, Leg.ENTRY)] == [
        OrderStatus.ABSENT,
        OrderStatus.FILLED,
    ]


def test_entry_that_never_arrived_is_not_sent_again_beside_a_position_of_the_owners(executor: Harness) -> None:
    execution = executor.crash("place", Leg.ENTRY, done=False)
    executor.advance(40)
    executor.book.trade_as_owner(Side.BUY, "0.1")

    execution = executor.reconcile(execution)

    assert execution.state is ExecutionState.ENTRY_UNKNOWN
    assert executor.book.position == Decimal("0.1")


def test_entry_of_an_old_alert_that_never_arrived_is_watched_for_a_day(executor: Harness) -> None:
    execution = executor.crash("place", Leg.ENTRY, done=False)
    executor.advance(120)

    execution = executor.reconcile(execution)
    assert (execution.state, execution.reason) == (ExecutionState.ENTRY_UNKNOWN, CloseReason.ENTRY_UNKNOWN)
    assert executor.slot().execution_id == execution.id

    executor.advance(23 * 3600)
    execution = executor.reconcile(execution)
    assert execution.state is ExecutionState.ENTRY_UNKNOWN

    executor.advance(2 * 3600)
    execution = executor.reconcile(execution)
    assert execution.state is ExecutionState.CLOSED
    assert executor.slot().execution_id is None
    assert executor.account.count("place ENTRY") == 1


def test_absent_entry_whose_close_is_requested_ends_at_once(executor: Harness) -> None:
    execution = executor.crash("place", Leg.ENTRY, done=False)
    executor.request_close(execution)

    execution = executor.reconcile(execution)

    assert (execution.state, execution.reason) == (ExecutionState.CLOSED, CloseReason.ENTRY_UNKNOWN)
    assert executor.account.count("place ENTRY") == 1


def test_entry_whose_answer_is_lost_is_found_and_protected(executor: Harness) -> None:
    executor.account.lose_answer("place", leg=Leg.ENTRY, done_after_s=1.0)

    executor.open()

    assert executor.account.count("place ENTRY") == 1
    assert executor.book.position == WHOLE


def test_entry_that_no_look_up_could_find_is_protected_by_a_later_reconciliation(executor: Harness) -> None:
    executor.account.lose_answer("place", leg=Leg.ENTRY, done_after_s=1.0)
    executor.account.fail("find_order", OutcomeUnknown("no answer"), leg=Leg.ENTRY, times=99)
    execution = executor.queue()
    with pytest.raises(OutcomeUnknown):
        executor.handle(execution)
    assert executor.now(execution).state is ExecutionState.ENTRY_UNKNOWN
    executor.account.clear_faults()

    execution = executor.reconcile(execution)

    assert execution.state is ExecutionState.PROTECTED
    assert executor.account.count("place ENTRY") == 1
    assert executor.book.position == WHOLE


def test_late_fill_of_an_entry_that_was_proven_absent_is_flattened(executor: Harness) -> None:
    execution = executor.crash("place", Leg.ENTRY, done=False)
    executor.advance(120)
    execution = executor.reconcile(execution)
    entry = executor.orders(execution, Leg.ENTRY)[-1]
    executor.book.carry_out(plan_entry(side=execution.side, amount=WHOLE, bound=Decimal(20010)), entry.client_order_id)

    execution = executor.reconcile(execution)

    assert (execution.state, execution.close_reason) == (ExecutionState.CLOSED, CloseReason.FLATTENED)
    assert executor.book.position == 0
    assert executor.book.standing() == []


def test_late_fill_of_the_first_of_two_entries_is_flattened_and_the_second_kept(executor: Harness) -> None:
    execution = executor.reconcile(executor.crash("place", Leg.ENTRY, done=False))
    first = executor.orders(execution, Leg.ENTRY)[0]
    executor.book.carry_out(plan_entry(side=execution.side, amount=WHOLE, bound=Decimal(20010)), first.client_order_id)

    execution = executor.reconcile(execution)

    assert execution.state is ExecutionState.PROTECTED
    assert executor.book.position == WHOLE
