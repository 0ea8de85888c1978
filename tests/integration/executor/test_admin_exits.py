"""An admin's exits on their whole way: the endpoint's use case, the fan-out, the executor, the exchange."""

from __future__ import annotations

from decimal import Decimal

from functions.admin_strategy_follower.ordering import place_exit
from functions.admin_strategy_follower.schemas import ExitOrder, QueuedExit
from functions.trigger_fanout.service import fan_out
from shared.messages import Command, TriggerMessage
from shared.models.execution import Execution
from shared.trading.execution import ExecutionState
from shared.trading.exits import Exit
from shared.trading.ids import execution_id
from shared.trading.sides import TriggerAction
from shared.trading.updates import Update
from shared.worker import run_async
from tests.integration.executor.world import Person, World

HALF = Exit(TriggerAction.REDUCE, keep_share=Decimal("0.5"))
NEARER = Exit(TriggerAction.UPDATE, update=Update(stop=Decimal(19900)))


def order(world: World, person: Person, asked: Exit, *, for_all: bool = False) -> QueuedExit:
    """Place an exit for one follower or for all, and fan it out."""
    chosen = ExitOrder.model_validate({"allFollowers": for_all})
    answer = place_exit(person.record, asked, chosen, repeatable=None)
    run_async(fan_out(TriggerMessage(answer["triggerId"], world.strategy.id), delivery="1"))
    return answer


def carried_out(world: World, answer: QueuedExit, person: Person) -> Execution:
    """Let the executor carry out a follower's part of the exit; return its execution."""
    execution = Execution.get(execution_id(answer["triggerId"], person.record.id))
    assert world.deliver(execution) == []
    return world.stored(execution)


def held_by_two(world: World) -> list[tuple[Person, Execution]]:
    """Open the positions of two followers by one alert."""
    people, trigger = [world.follower(), world.follower()], world.trigger()
    executions = [world.queue_execution(person, trigger) for person in people]
    assert world.deliver(*executions) == []
    return list(zip(people, map(world.stored, executions), strict=True))


def stops_of(world: World, person: Person) -> list[Decimal]:
    return [Decimal(stop["triggerPrice"]) for stop in world.account(person).stops]


def test_reduction_and_stop_reach_the_named_follower_only(world: World) -> None:
    (named, bought), (other, untouched) = held_by_two(world)
    before = stops_of(world, other)

    for asked in (HALF, NEARER):
        answer = order(world, named, asked)
        assert [item["strategyFollowId"] for item in answer["items"]] == [named.record.id]
        done = carried_out(world, answer, named)
        assert (done.id, done.state, done.reason, done.detail) == (
            answer["items"][0]["id"],
            ExecutionState.DONE,
            "APPLIED",
            bought.id,
        )
        assert Execution.find(execution_id(answer["triggerId"], other.record.id)) is None

    for execution in (bought, untouched):
        assert world.deliver(execution, command=Command.RECONCILE) == []
    assert world.account(named).position == bought.filled_amount / 2
    assert stops_of(world, named) == [19900]
    assert world.account(other).position == untouched.filled_amount
    assert stops_of(world, other) == before != [19900]
    assert world.stored(untouched).state is ExecutionState.PROTECTED


def test_reduction_for_all_reaches_every_follower(world: World) -> None:
    held = held_by_two(world)

    answer = order(world, held[0][0], HALF, for_all=True)

    assert answer["items"] == []
    for person, bought in held:
        assert carried_out(world, answer, person).detail == bought.id
        assert world.account(person).position == bought.filled_amount / 2
