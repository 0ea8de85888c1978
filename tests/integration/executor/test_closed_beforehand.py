"""A close that comes before the fan-out has written an execution reaches it all the same."""

from __future__ import annotations

import pytest

from functions.admin_strategy_follower import closing
from shared.trading.execution import ExecutionState
from tests.integration.executor.world import ORDER, World


@pytest.mark.parametrize("whole_strategy", [True, False])
def test_entry_of_a_trigger_accepted_before_the_close_is_denied(world: World, whole_strategy: bool) -> None:
    person = world.follower()
    trigger = world.trigger()
    if whole_strategy:
        assert closing.close_all(world.strategy, delivery="request-1") == {"items": []}
    else:
        assert closing.close_one(person.record, delivery="request-1") == {"items": []}
    # Only now does the fan-out come to the follower.
    execution = world.queue_execution(person, trigger)

    world.deliver(execution)

    execution = world.stored(execution)
    assert (execution.state, execution.reason) == (ExecutionState.DENIED, "CLOSE_REQUESTED")
    assert world.account(person).sent(ORDER) == 0


def test_entry_of_a_trigger_accepted_after_the_close_goes_through(world: World) -> None:
    person = world.follower()
    world.trigger()
    closing.close_one(person.record, delivery="request-1")
    execution = world.queue_execution(person, world.trigger())

    world.deliver(execution)

    assert world.stored(execution).state is ExecutionState.PROTECTED
