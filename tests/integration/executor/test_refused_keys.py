"""A refused key is taken out of use, unless our address is refused; its positions are still closed."""

from __future__ import annotations

from decimal import Decimal

from shared.messages import Command
from shared.models.exchange_key import ApiKeyStatus, ExchangeKey
from shared.models.trading_switch import TradingSwitch
from shared.trading.execution import ExecutionState
from tests.integration.executor.world import ORDER, Person, World

ACCOUNT = "/fapi/v2/account"
REFUSED = {"status": 401, "code": -2015, "msg": "Invalid API-key, IP, or permissions for action."}


def refuse(world: World, person: Person, path: str, method: str) -> None:
    world.plan_fault(person, "code", path, method, **REFUSED)


def status_of(person: Person) -> tuple[ApiKeyStatus, bool]:
    key = ExchangeKey.get(person.key.id)
    return key.api_key_status, key.active


def test_refused_key_is_taken_out_of_use(world: World) -> None:
    person = world.follower()
    refuse(world, person, ACCOUNT, "GET")

    execution = world.open_position(person)

    assert (execution.state, execution.reason) == (ExecutionState.DENIED, "KEY_UNAUTHORIZED")
    assert status_of(person) == (ApiKeyStatus.UNAUTHORIZED, False)
    assert ExchangeKey.get(person.key.id).deactivated_by_refusal


def test_key_that_may_read_but_not_trade_is_taken_out_of_use(world: World) -> None:
    person = world.follower()
    refuse(world, person, ORDER, "POST")

    execution = world.open_position(person)

    assert (execution.state, execution.reason) == (ExecutionState.REJECTED, "KEY_UNAUTHORIZED")
    assert status_of(person) == (ApiKeyStatus.UNAUTHORIZED, False)


def test_position_of_a_key_that_is_out_of_use_is_closed_as_soon_as_the_exchange_accepts_it(world: World) -> None:
    person = world.follower()
    execution = world.open_position(person)
    refuse(world, person, "/fapi/v1/openOrders", "GET")
    assert world.deliver(execution, command=Command.CLOSE) == []
    assert status_of(person) == (ApiKeyStatus.UNAUTHORIZED, False)
    assert world.stored(execution).active

    world.wait_until_due(execution)
    assert world.deliver(execution, command=Command.RECONCILE) == []

    assert world.stored(execution).close_reason == "ADMIN"
    assert world.account(person).flat


def test_many_refusals_halt_the_lane_and_leave_the_keys_alone(world: World) -> None:
    people = [world.follower() for _ in range(5)]
    holder = world.open_position(people[4])
    trigger = world.trigger()
    for person in people[:3]:
        refuse(world, person, ACCOUNT, "GET")
        assert world.deliver(world.queue_execution(person, trigger)) == []

    bystander = world.queue_execution(people[3], trigger)
    assert world.deliver(bystander) == []

    assert TradingSwitch.get("lane#lane-1").reason == "MASS_REFUSAL"
    assert [status_of(person)[1] for person in people] == [False, False, True, True, True]
    assert world.stored(bystander).reason == "HALTED"
    assert world.deliver(holder, command=Command.CLOSE) == []  # exits ignore the switch
    assert world.account(people[4]).position == Decimal(0)


def test_address_that_the_exchange_does_not_serve_halts_its_lane_and_no_key(world: World) -> None:
    holder, newcomer = world.follower(), world.follower()
    held = world.open_position(holder)
    execution = world.queue_execution(newcomer, world.trigger())
    world.exchange.control("PUT", "/paper/restrictions/127.0.0.1")
    try:
        world.deliver(execution)
        assert world.stored(execution).active
    finally:
        world.exchange.control("DELETE", "/paper/restrictions")

    assert world.deliver(execution) == []
    assert world.deliver(held, command=Command.CLOSE) == []

    assert TradingSwitch.get("lane#lane-1").reason == "ADDRESS_RESTRICTED"
    assert (world.stored(execution).state, world.stored(execution).reason) == (ExecutionState.DENIED, "HALTED")
    assert [status_of(person)[1] for person in (holder, newcomer)] == [True, True]
    assert world.account(holder).flat
