"""Executors of two lanes at work on one execution: the lease is the lock, whichever queue a message came by."""

from __future__ import annotations

from decimal import Decimal

import pytest

from shared.messages import Command
from shared.models.egress_lane import EgressLane
from shared.models.exchange_key import ExchangeKey
from shared.models.execution import Execution
from shared.models.order import Order
from shared.trading.execution import ExecutionState
from shared.trading.ids import Leg
from tests.integration.executor.world import ALGO_ORDER, ORDER, TARGETS, Person, World

LANES = ["lane-1", "lane-2"]
AMOUNT = Decimal("0.75")


@pytest.fixture
def person(world: World) -> Person:
    """A follower whose key binds two lanes."""
    EgressLane(LANES[1], orders_queue_url="no message is sent to it here").save()
    person = world.follower()
    person.key.update(actions=[ExchangeKey.egress_lanes.set(LANES)])
    return person


def now(execution: Execution) -> Execution:
    return Execution.get(execution.id, consistent_read=True)


def test_entry_that_both_lanes_received_opens_one_position(world: World, person: Person) -> None:
    execution = world.queue_execution(person, world.trigger())

    world.deliver_by_lanes(execution, [(lane, Command.OPEN) for lane in LANES * 2])

    account = world.account(person)
    assert (account.position, account.sent(ORDER), account.sent(ALGO_ORDER)) == (AMOUNT, 1 + TARGETS, 1)
    assert (len(account.stops), len(account.targets)) == (1, TARGETS)
    assert now(execution).state is ExecutionState.PROTECTED


def test_close_that_both_lanes_received_closes_once(world: World, person: Person) -> None:
    execution = world.open_position(person)

    world.deliver_by_lanes(execution, [(lane, Command.CLOSE) for lane in LANES * 2])

    closes = [order for order in Order.query(execution.id) if order.leg is Leg.CLOSE]
    assert len(closes) == 1
    assert world.account(person).position == 0
    world.wait_until(lambda: not now(execution).may_be_at_exchange)


def test_reconciliation_by_one_lane_disturbs_no_entry_by_the_other(world: World, person: Person) -> None:
    execution = world.queue_execution(person, world.trigger())

    world.deliver_by_lanes(execution, list(zip(LANES, (Command.OPEN, Command.RECONCILE), strict=True)))

    account = world.account(person)
    assert (account.position, account.sent(ORDER), len(account.stops)) == (AMOUNT, 1 + TARGETS, 1)


def test_position_belongs_to_the_lane_by_which_it_was_entered(world: World, person: Person) -> None:
    execution = world.queue_execution(person, world.trigger())

    world.deliver_by_lanes(execution, [("lane-2", Command.OPEN)])

    entered = now(execution)
    assert (entered.egress_lane, entered.named_lanes) == ("lane-2", tuple(LANES))
