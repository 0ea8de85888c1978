"""What is left of ours, by the exchange's fills."""

from __future__ import annotations

from decimal import Decimal

from functions.order_executor import closing, position
from shared.trading.ids import Leg
from shared.trading.sides import Side
from tests.unit.functions.order_executor.harness import Harness

WHOLE = Decimal("0.750")


def left(executor: Harness) -> Decimal:
    return executor.run(position.left_of_ours(executor.session(executor.open())))


def test_whole_position_is_left_while_its_fill_is_not_listed_yet(executor: Harness) -> None:
    executor.account.lag("fills", reads=9)

    assert left(executor) == WHOLE


def test_filled_take_profits_reduce_what_is_left(executor: Harness) -> None:
    session = executor.session(executor.open())
    executor.book.move_price(20300)

    assert executor.run(position.left_of_ours(session)) == Decimal("0.250")


def test_triggered_stop_leaves_nothing(executor: Harness) -> None:
    session = executor.session(executor.open())
    executor.book.move_price(19800)

    assert executor.run(position.left_of_ours(session)) == 0


def test_owner_sells_what_they_bought_beside_ours_first(executor: Harness) -> None:
    session = executor.session(executor.open())
    executor.book.trade_as_owner(Side.BUY, "0.2")
    executor.book.trade_as_owner(Side.SELL, "0.3")

    assert executor.run(position.left_of_ours(session)) == Decimal("0.650")


def test_close_that_is_confirmed_counts_before_its_fill_is_listed(executor: Harness) -> None:
    session = executor.session(executor.open())
    executor.account.lag("fills", reads=9)
    executor.run(closing.reduce(session, Leg.CLOSE, Decimal("0.5")))

    assert executor.run(position.left_of_ours(session)) == Decimal("0.250")


def test_close_whose_fill_is_listed_counts_once(executor: Harness) -> None:
    session = executor.session(executor.open())
    executor.run(closing.reduce(session, Leg.CLOSE, Decimal("0.5")))

    assert executor.run(position.left_of_ours(session)) == Decimal("0.250")


def test_ended_position_shows_once_the_fills_do(executor: Harness) -> None:
    session = executor.session(executor.open())
    executor.account.lag("fills", reads=3)
    executor.book.move_price(19800)

    assert executor.run(position.wait_for_end(session, polls=2)) is None
    end = executor.run(position.wait_for_end(session))

    assert end is not None
    assert end.exit_price == Decimal(19800)
