"""A close takes what is ours, all of it and no more, whatever stands in its way."""

from __future__ import annotations

from decimal import Decimal

import pytest

from functions.order_executor import closing
from functions.order_executor.closing import Closed
from shared.errors import AddressBanned, ExchangeRejected, ExchangeUnavailable, OutcomeUnknown, StopWouldTrigger
from shared.messages import Command
from shared.trading.execution import CloseReason, ExecutionState
from shared.trading.ids import Leg
from shared.trading.sides import Side, StopType
from tests.unit.functions.order_executor.harness import Harness

BANNED = AddressBanned("banned", retry_after_s=120)


def test_close_that_is_refused_because_the_stop_has_just_filled_ends_as_stopped(executor: Harness) -> None:
    execution = executor.open()
    executor.account.meanwhile("place", lambda: executor.book.move_price(19800), leg=Leg.CLOSE)

    execution = executor.handle(execution, Command.CLOSE)

    assert (execution.state, execution.close_reason) == (ExecutionState.CLOSED, CloseReason.STOP)
    assert executor.orders(execution, Leg.CLOSE)[0].error == "-2022"
    assert executor.book.position == 0


def test_overlapping_limit_stop_is_cancelled_for_the_second_close_and_its_backstop_stays(executor: Harness) -> None:
    execution = executor.open(stop_type=StopType.LIMIT)
    assert len(executor.book.standing(Leg.STOP, Leg.STOP_BACKSTOP)) == 2
    standing: list[Leg] = []

    def see_stops() -> None:
        standing.extend(leg for leg in (Leg.STOP, Leg.STOP_BACKSTOP) if executor.book.standing(leg))

    executor.account.fail("place", ExchangeRejected("overlap", code=-4118), leg=Leg.CLOSE)
    executor.account.meanwhile("place", see_stops, leg=Leg.CLOSE)
    execution = executor.handle(execution, Command.CLOSE)

    assert standing == [Leg.STOP_BACKSTOP]
    assert execution.state is ExecutionState.CLOSED
    assert executor.book.standing() == []


def test_limit_stop_stays_until_a_close_that_nothing_overlaps_has_filled(executor: Harness) -> None:
    execution = executor.open(stop_type=StopType.LIMIT)
    standing: list[int] = []

    def see_stops() -> None:
        standing.append(len(executor.book.standing(Leg.STOP, Leg.STOP_BACKSTOP)))

    executor.account.meanwhile("place", see_stops, leg=Leg.CLOSE)
    executor.handle(execution, Command.CLOSE)

    assert standing == [2]


def test_close_leaves_what_the_owner_holds_beside_ours(executor: Harness) -> None:
    execution = executor.open()
    executor.book.trade_as_owner(Side.BUY, "0.25")

    execution = executor.handle(execution, Command.CLOSE)

    assert execution.state is ExecutionState.CLOSED
    assert executor.book.position == Decimal("0.25")


def test_close_is_for_no_more_than_the_take_profits_have_left(executor: Harness) -> None:
    execution = executor.open()
    executor.book.move_price(20200)
    executor.book.trade_as_owner(Side.BUY, "0.25")

    execution = executor.handle(execution, Command.CLOSE)

    assert execution.state is ExecutionState.CLOSED
    assert executor.book.position == Decimal("0.25")


def test_close_without_an_answer_is_not_repeated_while_it_may_still_be_carried_out(executor: Harness) -> None:
    execution = executor.open()
    executor.book.trade_as_owner(Side.BUY, "0.75")
    executor.account.lose_answer("place", leg=Leg.CLOSE, done_after_s=1.2)

    execution = executor.handle(execution, Command.CLOSE)

    assert execution.state is ExecutionState.CLOSED
    assert executor.book.position == Decimal("0.75")


def test_close_that_never_arrived_is_repeated(executor: Harness) -> None:
    execution = executor.open()
    executor.account.fail("place", ExchangeUnavailable("overloaded"), leg=Leg.CLOSE, times=2)

    execution = executor.handle(execution, Command.CLOSE)

    assert execution.state is ExecutionState.CLOSED
    assert executor.book.position == 0


def test_ban_ends_a_deliberate_close_and_leaves_the_stop(executor: Harness) -> None:
    session = executor.session(executor.open())
    executor.account.fail("place", BANNED, leg=Leg.CLOSE)
    executor.account.fail("open_orders", BANNED)

    with pytest.raises(AddressBanned):
        executor.run(closing.close(session, leg=Leg.CLOSE, reason=CloseReason.ADMIN))

    assert session.execution.state is ExecutionState.CLOSING
    assert len(executor.book.standing(Leg.STOP)) == 1


def test_ban_does_not_end_a_flattening(executor: Harness) -> None:
    session = executor.session(executor.open())
    executor.account.fail("open_orders", BANNED, times=2)

    closed = executor.run(closing.close(session, leg=Leg.FLATTEN, reason=CloseReason.FLATTENED))

    assert closed is Closed.WHOLE
    assert executor.book.position == 0


def test_naked_position_is_flattened_before_anything_is_read(executor: Harness) -> None:
    executor.account.fail("place", StopWouldTrigger("", code=-2021), leg=Leg.STOP)
    executor.account.fail("open_orders", BANNED, times=99)
    executor.account.fail("position_amount", BANNED, times=99)
    executor.account.fail("fills", BANNED, times=99)

    executor.handle(executor.queue())

    assert executor.book.position == 0


def test_close_that_cannot_be_finished_leaves_the_position_with_its_stop(executor: Harness) -> None:
    execution = executor.open()
    (stop,) = executor.book.standing(Leg.STOP)
    executor.account.fail("place", ExchangeRejected("refused", code=-1111), leg=Leg.CLOSE, times=99)
    executor.account.meanwhile("open_orders", lambda: executor.book.cancel_as_owner(stop.client_order_id), skip=1)
    executor.sent.take_delays_of(execution)

    execution = executor.handle(execution, Command.CLOSE)

    assert execution.state is ExecutionState.CLOSING
    assert executor.book.position == execution.filled_amount
    assert len(executor.book.standing(Leg.STOP)) == 1
    assert len(executor.sent.take_delays_of(execution)) == 1


def test_orders_that_the_lists_do_not_show_yet_are_cancelled_at_the_end(executor: Harness) -> None:
    executor.account.lag("open_orders", reads=9)
    execution = executor.open()

    execution = executor.handle(execution, Command.CLOSE)

    assert execution.state is ExecutionState.CLOSED
    assert executor.book.standing() == []


def test_order_that_neither_list_nor_first_look_up_shows_is_cancelled_at_the_end(executor: Harness) -> None:
    executor.account.lag("open_orders", reads=9)
    executor.account.lag("find_order", reads=2)
    execution = executor.open()

    execution = executor.handle(execution, Command.CLOSE)

    assert execution.state is ExecutionState.CLOSED
    assert executor.book.standing() == []


def test_position_is_not_booked_while_an_order_that_the_lists_lack_cannot_be_looked_up(executor: Harness) -> None:
    executor.account.lag("open_orders", reads=9)
    execution = executor.open()
    executor.account.fail("find_order", OutcomeUnknown("HTTP 503"))

    with pytest.raises(OutcomeUnknown):
        executor.handle(execution, Command.CLOSE)
    assert executor.now(execution).active
    execution = executor.reconcile(execution)

    assert execution.state is ExecutionState.CLOSED
    assert executor.book.standing() == []
