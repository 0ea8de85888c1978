"""A fill that the exchange has confirmed with its order counts, also while the list of fills lacks it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from functions.order_executor import position
from shared.messages import Command
from shared.models.execution import Execution
from shared.trading.execution import ExecutionState
from tests.unit.functions.order_executor.harness import Harness


def open_in_two_fills(executor: Harness) -> Execution:
    """Open a position of 0.75 by a fill of 0.5 and one of 0.25, which the exchange does not list yet."""
    execution = executor.open()
    ((number, fill),) = executor.book.fills.items()
    executor.book.fills[number] = replace(fill, amount=Decimal("0.5"))
    executor.book.fills[number + 10_000] = replace(fill, amount=fill.amount - Decimal("0.5"))
    executor.account.unlisted.add(number + 10_000)
    return execution


def test_position_is_not_booked_while_a_fill_of_its_entry_is_unlisted(executor: Harness) -> None:
    execution = open_in_two_fills(executor)
    executor.book.move_price(19_790)

    execution = executor.handle(execution, Command.RECONCILE)

    assert execution.active
    executor.account.unlisted.clear()
    executor.advance(15)
    execution = executor.handle(execution, Command.RECONCILE)
    assert (execution.state, execution.close_reason) == (ExecutionState.CLOSED, "STOP")
    assert execution.filled_amount == Decimal("0.75")
    assert execution.profit is not None
    assert execution.fee is not None
    assert execution.profit == Decimal("0.75") * (19_790 - 20_000) - execution.fee


def test_fill_that_was_listed_hours_late_is_found(executor: Harness) -> None:
    execution = open_in_two_fills(executor)
    executor.advance(24 * 3600)
    execution = executor.handle(execution, Command.RECONCILE)  # stores the fill that is listed
    executor.advance(3600)
    executor.book.move_price(19_790)
    executor.account.unlisted.clear()

    execution = executor.handle(execution, Command.RECONCILE)
    assert execution.active  # the list begins an hour before what is stored
    executor.advance(90)
    execution = executor.handle(execution, Command.RECONCILE)

    assert (execution.state, execution.filled_amount) == (ExecutionState.CLOSED, Decimal("0.75"))


def test_unlisted_fill_of_the_entry_is_left_to_close(executor: Harness) -> None:
    execution = open_in_two_fills(executor)
    session = executor.session(execution)
    assert executor.run(position.left_of_ours(session)) == Decimal("0.75")


@pytest.mark.parametrize("listed", [False, True])
def test_close_is_for_the_whole_amount_whatever_is_listed(executor: Harness, listed: bool) -> None:
    execution = open_in_two_fills(executor)
    if listed:
        executor.account.unlisted.clear()
    executor.handle(execution, Command.CLOSE)
    assert executor.book.position == 0
