"""What a look records for the watcher: the nearest prices at which something may happen to the position."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from shared.clock import utc_now
from shared.models.execution import Execution
from shared.trading.execution import ExecutionState
from shared.trading.ids import STOP_LEGS, TAKE_PROFIT_LEGS, Leg
from shared.trading.sides import Side, StopType
from tests.unit.functions.order_executor.harness import Harness

WHOLE = Decimal("0.750")


def looked_at(executor: Harness, execution: Execution) -> Execution:
    executor.advance(30)
    return executor.reconcile(execution)


def stops(executor: Harness) -> list[Decimal]:
    return [view.trigger_price for view in executor.book.standing(*STOP_LEGS) if view.trigger_price is not None]


def targets(executor: Harness) -> list[Decimal]:
    return [view.price for view in executor.book.standing(*TAKE_PROFIT_LEGS) if view.price is not None]


def test_look_records_the_stop_and_the_nearest_target(executor: Harness) -> None:
    execution = looked_at(executor, executor.open(Side.BUY))

    exits = execution.watched_exits()

    assert exits is not None
    assert (exits.below, exits.above) == (max(stops(executor)), min(targets(executor)))
    assert 0 <= (utc_now() - exits.looked_at).total_seconds() < 2


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("stop_type", list(StopType))
def test_position_is_watched_from_its_entry_as_from_its_first_look(
    executor: Harness, side: Side, stop_type: StopType
) -> None:
    trailing: dict[str, Any] = {"trailing_trigger": Decimal(300), "callback_rate": Decimal("0.5")}
    execution = executor.open(side, stop_type=stop_type, **trailing)

    from_entry = execution.watched_exits()

    assert from_entry is not None
    assert (utc_now() - from_entry.looked_at).total_seconds() < 2
    from_look = looked_at(executor, execution).watched_exits()
    assert from_look is not None
    assert replace(from_entry, looked_at=from_look.looked_at, liquidation=None) == from_look
    assert from_entry.liquidation is not None  # by the entry's own estimate, until the exchange's price is read
    assert (execution.stop - from_entry.liquidation) * side.sign > 0


def test_position_that_another_worker_protects_has_no_prices_before_its_first_look(executor: Harness) -> None:
    execution = executor.crash("place", Leg.ENTRY, done=True)
    executor.advance(20)

    execution = executor.reconcile(execution)

    assert execution.state is ExecutionState.PROTECTED
    assert execution.watched_exits() is None


def test_first_look_at_an_unchanged_position_reads_no_fills(executor: Harness) -> None:
    execution = executor.open(Side.BUY)
    before = executor.account.count("fills")

    looked_at(executor, execution)

    assert executor.account.count("fills") == before


def test_first_look_finds_a_target_that_has_filled_since_the_entry(executor: Harness) -> None:
    execution = executor.open(Side.BUY)
    executor.book.move_price(20200)

    looked_at(executor, execution)

    assert executor.slot().quantity == executor.book.position < WHOLE


def test_short_position_has_its_stop_above(executor: Harness) -> None:
    exits = looked_at(executor, executor.open(Side.SELL)).watched_exits()

    assert exits is not None
    assert (exits.below, exits.above) == (max(targets(executor)), min(stops(executor)))


def test_filled_target_is_watched_no_longer(executor: Harness) -> None:
    execution = looked_at(executor, executor.open(Side.BUY))
    nearest = min(targets(executor))
    executor.book.move_price(int(nearest))

    exits = looked_at(executor, execution).watched_exits()

    assert exits is not None
    assert exits.above == min(targets(executor)) > nearest


def test_trailing_stop_is_watched_with_its_activation_price(executor: Harness) -> None:
    execution = executor.open(Side.BUY, trailing_trigger=Decimal(300), callback_rate=Decimal("0.5"))

    exits = looked_at(executor, execution).watched_exits()

    assert exits is not None
    assert exits.trailing is not None
    assert exits.trailing.callback_pct == Decimal("0.5")
    assert exits.trailing.activation is not None
    assert exits.trailing.placed_at == executor.now(execution).protected_at


def test_triggered_limit_stop_that_rests_is_looked_at_each_time(executor: Harness) -> None:
    execution = looked_at(executor, executor.open(Side.BUY, stop_type=StopType.LIMIT))
    assert execution.watched_exits() is not None
    trigger = max(stops(executor))
    executor.book.move_price(int(trigger) - 40)  # beyond the limit, not as far as the backstop

    execution = looked_at(executor, execution)

    assert execution.state is ExecutionState.PROTECTED
    assert execution.watched_exits() is None


def test_first_look_finds_a_target_that_the_owner_has_bought_back(executor: Harness) -> None:
    """The position is as large as it was, and what is ours of it is not."""
    execution = executor.open(Side.BUY)
    executor.book.move_price(20200)
    executor.book.trade_as_owner(Side.BUY, str(WHOLE - executor.book.position))

    looked_at(executor, execution)

    assert executor.book.position == WHOLE
    assert executor.slot().quantity == WHOLE * 2 / 3
