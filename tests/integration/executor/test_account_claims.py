"""Two keys of one account, several workers at once: one position."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from shared.models.execution import Execution
from shared.trading.execution import CloseReason, DenialReason, ExecutionState
from shared.trading.sides import Side
from tests.integration.executor.world import Person, World


def queue_for_both(world: World, people: Sequence[Person], side: Side) -> list[Execution]:
    """Queue one alert for each of the keys."""
    trigger = world.trigger(side)
    return [world.queue_execution(person, trigger) for person in people]


def deliver(world: World, executions: Sequence[Execution]) -> None:
    """Deliver a message for each of them side by side, and again if one fails, as the queue does."""
    world.wait_until(lambda: world.deliver(*executions) == [])


def entered_and_denied(world: World, executions: Sequence[Execution]) -> tuple[Execution, Execution]:
    """Return the one that has entered, and the one that was denied."""
    ends = [world.stored(execution) for execution in executions]
    assert {execution.state for execution in ends} == {ExecutionState.PROTECTED, ExecutionState.DENIED}
    return tuple(sorted(ends, key=lambda execution: execution.state is ExecutionState.DENIED))  # type: ignore[return-value]


@pytest.mark.parametrize("attempt", range(5))
def test_of_two_keys_of_one_account_exactly_one_enters(world: World, attempt: int) -> None:
    first = world.follower()
    people = [first, world.another_key_of(first)]
    executions = queue_for_both(world, people, Side.BUY)

    deliver(world, executions)

    entered, denied = entered_and_denied(world, executions)
    account = world.account(first)
    assert denied.reason == DenialReason.ACCOUNT_IN_USE
    assert account.position == entered.filled_amount
    assert len(account.fills_at_once) == 1
    assert len(account.stops) == 1


@pytest.mark.parametrize("attempt", range(3))
def test_opposite_alert_for_both_keys_leaves_one_position_on_the_other_side(world: World, attempt: int) -> None:
    first = world.follower()
    people = [first, world.another_key_of(first)]
    longs = queue_for_both(world, people, Side.BUY)
    deliver(world, longs)
    long, _ = entered_and_denied(world, longs)

    shorts = queue_for_both(world, people, Side.SELL)
    deliver(world, shorts)

    assert world.stored(long).close_reason == CloseReason.OPPOSITE
    ends = [world.stored(execution) for execution in shorts]
    held = sum(execution.filled_amount or 0 for execution in ends if execution.state is ExecutionState.PROTECTED)
    account = world.account(first)
    assert account.position == -held
    assert len(account.stops) == 1
    assert len(account.fills_at_once) == 3
