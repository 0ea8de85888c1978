"""An entry first closes an older position on the other side, and opens nothing beside one that stays."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from functions.order_executor import prior_position
from shared.clock import utc_now
from shared.errors import AddressBanned, ExchangeRejected, ExchangeThrottled
from shared.models.follower import Follower
from shared.models.strategy_alerts import StrategyAlerts
from shared.trading.execution import CloseReason, DenialReason, Desired, ExecutionState
from shared.trading.ids import Leg
from shared.trading.place import PlaceInTime
from shared.trading.sides import Side
from tests.builders import saved
from tests.unit.functions.order_executor.harness import Harness


def test_opposite_position_is_closed_and_its_trigger_followed(executor: Harness) -> None:
    long = executor.open(Side.BUY)

    short = executor.open(Side.SELL)

    long = executor.now(long)
    assert (long.state, long.close_reason) == (ExecutionState.CLOSED, CloseReason.OPPOSITE)
    assert executor.book.position == -(short.filled_amount or 0)
    assert {order.side for order in executor.book.standing()} == {Side.BUY}


def test_position_on_the_same_side_is_kept_and_the_entry_denied(executor: Harness) -> None:
    first = executor.open()

    second = executor.handle(executor.queue())

    assert (second.state, second.reason) == (ExecutionState.DENIED, DenialReason.ALREADY_IN_POSITION)
    assert executor.now(first).state is ExecutionState.PROTECTED
    assert executor.book.position == executor.now(first).filled_amount


def test_position_on_the_same_side_that_has_ended_by_now_makes_room(executor: Harness) -> None:
    first = executor.open()
    executor.book.move_price(19800)

    second = executor.open(price=Decimal(19800), stop=Decimal(19600), take_profits=[])

    assert executor.now(first).close_reason == CloseReason.STOP
    assert executor.book.position == second.filled_amount


def test_position_of_another_strategy_on_the_same_key_is_foreign(executor: Harness) -> None:
    held = executor.open()
    other = saved(executor.another_follower())

    denied = executor.handle(executor.queue(Side.SELL, follower=other))

    assert (denied.state, denied.reason) == (ExecutionState.DENIED, DenialReason.FOREIGN_POSITION)
    assert executor.now(held).state is ExecutionState.PROTECTED
    assert executor.now(held).desired is Desired.OPEN


@pytest.mark.parametrize("method", ["open_orders", "fills"])
def test_banned_lane_postpones_both_the_close_and_the_entry(executor: Harness, method: str) -> None:
    long = executor.open(Side.BUY)
    short = executor.queue(Side.SELL)
    ledger = executor.ledger(short)
    executor.account.fail(method, AddressBanned("banned", retry_after_s=5))
    executor.sent.bodies.clear()

    with pytest.raises(ExchangeThrottled):
        executor.run(prior_position.make_room(ledger, executor.account))

    long = executor.now(long)
    assert long.desired is Desired.CLOSED
    assert long.due_at is not None
    assert long.due_at >= utc_now() + timedelta(seconds=4)
    # One should this worker crash, one when the exchange's pause is over.
    assert len(executor.sent.take_delays_of(long)) == 2
    assert executor.now(short).state is ExecutionState.QUEUED


def test_entry_that_waited_for_its_lane_closes_the_prior_position_when_it_comes_again(executor: Harness) -> None:
    long = executor.open(Side.BUY)
    executor.account.fail("open_orders", AddressBanned("banned", retry_after_s=5))
    short = executor.handle(executor.queue(Side.SELL))
    assert short.state is ExecutionState.QUEUED
    executor.advance(10)

    short = executor.handle(short)

    assert executor.now(long).close_reason == CloseReason.OPPOSITE
    assert short.state is ExecutionState.PROTECTED


def test_entry_is_denied_while_the_opposite_position_cannot_be_closed(executor: Harness) -> None:
    long = executor.open(Side.BUY)
    executor.account.fail("place", ExchangeRejected("refused", code=-1111), leg=Leg.CLOSE, times=99)

    short = executor.handle(executor.queue(Side.SELL))

    assert (short.state, short.reason) == (ExecutionState.DENIED, DenialReason.PREVIOUS_POSITION_OPEN)
    assert executor.now(long).state is ExecutionState.CLOSING
    assert executor.book.position == executor.now(long).filled_amount
    assert len(executor.book.standing(Leg.STOP)) == 1


# -- place in time -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", list(Side))
def test_entry_that_is_older_than_the_position_closes_and_opens_nothing(executor: Harness, side: Side) -> None:
    held = executor.open(Side.SELL, fired_at=utc_now())
    orders = executor.book.standing()

    older = executor.handle(executor.queue(side, fired_at=utc_now() - timedelta(seconds=20)))

    assert (older.state, older.reason) == (ExecutionState.DENIED, DenialReason.SUPERSEDED)
    assert (executor.now(held).state, executor.now(held).desired) == (ExecutionState.PROTECTED, Desired.OPEN)
    assert executor.book.standing() == orders
    assert executor.book.position == -(executor.now(held).filled_amount or 0)


def test_entry_older_than_the_position_opens_nothing_even_after_the_position_has_ended(executor: Harness) -> None:
    executor.open(Side.SELL, fired_at=utc_now())
    executor.book.move_price(20300)

    older = executor.handle(executor.queue(Side.BUY, fired_at=utc_now() - timedelta(seconds=20)))

    assert older.reason == DenialReason.SUPERSEDED
    assert executor.book.position == 0


def test_overtaken_alert_closes_not_even_what_is_older_than_itself(executor: Harness) -> None:
    long = executor.open(Side.BUY, fired_at=utc_now())
    executor.advance(60)
    again = executor.handle(executor.queue(Side.BUY, fired_at=utc_now()))
    assert again.reason == DenialReason.ALREADY_IN_POSITION

    late = executor.handle(executor.queue(Side.SELL, fired_at=utc_now() - timedelta(seconds=20), overtaken=True))

    assert (late.state, late.reason) == (ExecutionState.DENIED, DenialReason.SUPERSEDED)
    assert executor.now(long).state is ExecutionState.PROTECTED
    assert executor.book.position == executor.now(long).filled_amount


def test_alert_that_is_superseded_while_it_waits_still_closes(executor: Harness) -> None:
    long = executor.open(Side.BUY)
    executor.advance(10)
    short = executor.queue(Side.SELL)
    executor.advance(10)
    executor.queue(Side.BUY)

    short = executor.handle(short)

    assert short.reason == DenialReason.SUPERSEDED
    assert executor.now(long).close_reason == CloseReason.OPPOSITE


def test_opposite_alert_of_the_same_second_closes_when_it_came_later(executor: Harness) -> None:
    fired_at = utc_now()
    long = executor.open(Side.BUY, fired_at=fired_at)

    short = executor.open(Side.SELL, fired_at=fired_at)

    assert executor.now(long).close_reason == CloseReason.OPPOSITE
    assert executor.book.position == -(short.filled_amount or 0)


def test_record_of_an_earlier_version_is_compared_by_seq(executor: Harness) -> None:
    first, second = executor.queue(fired_at=utc_now()), executor.queue(fired_at=utc_now() - timedelta(seconds=20))
    StrategyAlerts(executor.strategy.id).update(
        actions=[StrategyAlerts.latest_alert_place.remove(), StrategyAlerts.latest_alert_seq.set(second.seq)]
    )

    assert executor.handle(first).reason == DenialReason.SUPERSEDED
    assert executor.handle(second).state is ExecutionState.PROTECTED


@pytest.mark.parametrize("of_strategy", [True, False])
def test_entry_that_fired_before_an_admins_close_is_denied_though_it_came_later(
    executor: Harness, of_strategy: bool
) -> None:
    closed = PlaceInTime.of_closing(received_at=utc_now(), seq=0, latest=None)
    executor.advance(3)
    late = executor.queue(fired_at=utc_now() - timedelta(seconds=5))
    newer = executor.queue(fired_at=utc_now())
    if of_strategy:
        StrategyAlerts(executor.strategy.id).update(actions=[StrategyAlerts.closed_place.set(closed)])
    else:
        executor.follower.update(actions=[Follower.closed_place.set(closed)])

    assert executor.handle(late).reason == DenialReason.CLOSE_REQUESTED
    assert executor.handle(newer).state is ExecutionState.PROTECTED


@pytest.mark.parametrize("of_strategy", [True, False])
def test_close_recorded_by_an_earlier_version_counts_by_seq(executor: Harness, of_strategy: bool) -> None:
    first, second = executor.queue(), executor.queue()
    if of_strategy:
        StrategyAlerts(executor.strategy.id).update(actions=[StrategyAlerts.closed_seq.set(first.seq)])
    else:
        executor.follower.update(actions=[Follower.closed_seq.set(first.seq)])

    assert executor.handle(first).reason == DenialReason.CLOSE_REQUESTED
    assert executor.handle(second).state is ExecutionState.PROTECTED


def test_entry_that_is_watched_for_a_late_fill_ends_before_the_next_one(executor: Harness) -> None:
    absent = executor.crash("place", Leg.ENTRY, done=False)
    executor.advance(120)
    assert executor.reconcile(absent).state is ExecutionState.ENTRY_UNKNOWN

    second = executor.open()

    assert executor.now(absent).state is ExecutionState.CLOSED
    assert executor.slot().execution_id == second.id
