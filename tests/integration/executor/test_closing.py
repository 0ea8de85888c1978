"""A close can be repeated at every step: cancelled, closed reduce-only, verified, the stop last."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from functions.order_executor import booking, closing
from functions.order_executor.session import ExecutionSession
from shared.clock import utc_now
from shared.exchange import markets, responses
from shared.messages import Command
from shared.models.execution_event import ExecutionEvent
from shared.models.follower_performance import FollowerPerformance
from shared.models.order import Order, OrderStatus
from shared.trading.execution import ExecutionState
from shared.trading.filters import SymbolFilters
from shared.trading.sides import StopType
from tests.integration.executor.world import ORDER, TARGETS, Person, World

TRAILING = {"trailing_trigger": Decimal(950), "callback_rate": Decimal(2)}


def book(world: World, person: Person) -> FollowerPerformance:
    found = FollowerPerformance.find(person.record.id)
    assert found is not None
    return found


@pytest.mark.parametrize("stop_type", list(StopType))
def test_close_that_standing_orders_make_the_exchange_refuse_succeeds(world: World, stop_type: StopType) -> None:
    person = world.follower()
    execution = world.open_position(person, stop_type=stop_type, **TRAILING)
    world.exchange.set(refuse_overlapping_close=True, overlap_counts_conditional=True)

    world.deliver(execution, command=Command.CLOSE)

    execution = world.stored(execution)
    assert (execution.state, execution.close_reason) == (ExecutionState.CLOSED, "ADMIN")
    assert world.account(person).flat


def test_flattening_that_standing_orders_make_the_exchange_refuse_succeeds(world: World) -> None:
    person = world.follower()
    execution = world.open_position(person, stop_type=StopType.LIMIT, **TRAILING)
    world.exchange.set(refuse_overlapping_close=True, overlap_counts_conditional=True)
    world.cancel_stops_as_owner(person)
    # Neither stop can be put back any more: below the stop, above the backstop.
    world.exchange.move_price("19700")

    world.deliver(execution, command=Command.RECONCILE)

    execution = world.stored(execution)
    assert (execution.state, execution.close_reason) == (ExecutionState.CLOSED, "FLATTENED")
    assert world.account(person).flat


def test_close_that_the_owners_orders_overlap_takes_the_rest_and_keeps_the_stop(world: World) -> None:
    person = world.follower()
    execution = world.open_position(person)
    own = {"type": "LIMIT", "price": "20800", "timeInForce": "GTC", "reduceOnly": "true"}
    world.trade_as_owner(person, "SELL", "0.250", **own)
    world.exchange.set(refuse_overlapping_close=True)

    world.deliver(execution, command=Command.CLOSE)

    account = world.account(person)
    assert world.stored(execution).state is ExecutionState.CLOSING
    assert account.position == Decimal("0.250")
    assert len(account.stops) == 1
    assert [order["origQty"] for order in account.targets] == ["0.250"]

    world.exchange.set(refuse_overlapping_close=False)
    world.deliver(execution, command=Command.RECONCILE)
    assert world.stored(execution).state is ExecutionState.CLOSED


class DiedError(Exception):
    """The worker crashes here: nothing after it happens."""


Step = tuple[Any, str]


@pytest.mark.parametrize("done_first", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(
    "step",
    [
        (ExecutionSession, "cancel"),
        (ExecutionSession, "place"),
        (ExecutionSession, "read_fills"),
        (closing, "clear"),
        (booking, "_record_order_ends"),
        (booking, "_write"),
    ],
    ids=lambda step: step[1],
)
def test_close_whose_worker_crashes_at_any_step_is_finished_and_counts_once(
    world: World, monkeypatch: pytest.MonkeyPatch, step: Step, done_first: bool
) -> None:
    person = world.follower()
    execution = world.open_position(person)
    owner, name = step
    real = getattr(owner, name)

    async def crash(*args: Any, **values: Any) -> None:
        if done_first:
            await real(*args, **values)
        raise DiedError

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, crash)
        world.deliver(execution, command=Command.CLOSE)
    assert world.account(person).position == 0 or len(world.account(person).stops) == 1

    world.deliver(execution, command=Command.RECONCILE)
    world.deliver(execution, command=Command.RECONCILE)

    execution = world.stored(execution)
    assert (execution.state, execution.close_reason) == (ExecutionState.CLOSED, "ADMIN")
    assert world.account(person).flat
    assert (book(world, person).trades, book(world, person).total_profit) == (1, execution.profit)
    assert len(world.account(person).fills_at_once) == 2
    assert not [o for o in Order.query(execution.id) if o.status in {OrderStatus.INTENDED, OrderStatus.OPEN}]


@pytest.fixture
def coarse_market_orders(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Let the symbol's filters change: from now on market orders are for whole bitcoins."""
    read = responses.symbol_filters

    def changed(market: dict[str, Any], *, symbol: str) -> SymbolFilters:
        return replace(read(market, symbol=symbol), market_min_amount=Decimal(1))

    def change() -> None:
        monkeypatch.setattr(responses, "symbol_filters", changed)
        markets.forget()

    yield change
    markets.forget()


def test_rest_that_no_market_order_can_close_is_left_to_its_stop_and_reported_once(
    world: World, coarse_market_orders: Callable[[], None]
) -> None:
    person = world.follower()
    execution = world.open_position(person)
    coarse_market_orders()
    rechecks = world.count_delayed("reconcile")

    world.deliver(execution, command=Command.CLOSE)
    world.deliver(execution, command=Command.RECONCILE)

    execution = world.stored(execution)
    assert (execution.state, execution.reason) == (ExecutionState.CLOSING, "DUST_LEFT")
    assert len(world.account(person).stops) == 1
    assert world.account(person).sent(ORDER) == 1 + TARGETS
    assert world.count_delayed("reconcile") == rechecks
    assert len([event for event in ExecutionEvent.query(execution.id) if event.reason == "DUST_LEFT"]) == 1

    world.exchange.move_price("19790")
    world.deliver(execution, command=Command.RECONCILE)
    execution = world.stored(execution)
    assert (execution.state, execution.close_reason) == (ExecutionState.CLOSED, "STOP")
    assert world.account(person).flat


@pytest.mark.parametrize(
    ("price", "command", "at_most"),
    [("19790", Command.RECONCILE, 21), ("20400", Command.RECONCILE, 17), (None, Command.CLOSE, 27)],
    ids=["stop-out", "take-profits", "admin close"],
)
def test_end_of_a_position_costs_little_of_the_addresss_weight(
    world: World, price: str | None, command: Command, at_most: int
) -> None:
    person = world.follower()
    execution = world.open_position(person)
    # Orders of a moment ago are looked up by their ids, because the lists may be late; these are older.
    for order in Order.query(execution.id):
        order.update(actions=[Order.sent_at.set(utc_now() - timedelta(minutes=1))])
    if price is not None:
        world.exchange.move_price(price)
    before = world.account(person).weight

    world.deliver(execution, command=command)

    assert world.stored(execution).state is ExecutionState.CLOSED
    spent = world.account(person).weight - before
    assert spent <= at_most
