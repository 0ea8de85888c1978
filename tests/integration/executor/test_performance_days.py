"""Every booked position counts once in its user's day, in the write that books it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

from shared.messages import Command
from shared.models.base import transact
from shared.models.performance_day import PerformanceDay, TradeLedger
from shared.trading.execution import ExecutionState
from shared.trading.performance import AccountDay
from tests.integration.executor.world import FUNDED, Person, World


def booked(person: Person) -> list[AccountDay]:
    return list(PerformanceDay.since(TradeLedger.STRATEGY, person.user.id, None))


def test_booked_position_counts_once_in_its_day(world: World) -> None:
    person = world.follower()
    execution = world.open_position(person)
    world.exchange.move_price("19790")

    world.deliver(execution, command=Command.RECONCILE)
    world.deliver(execution, command=Command.RECONCILE)

    execution = world.stored(execution)
    assert execution.profit is not None
    (day,) = booked(person)
    assert day.account == person.key.id
    assert (day.profit, day.fee, day.lost) == (execution.profit, execution.fee, -execution.profit)
    assert (day.trades, day.winning_trades, day.losing_trades) == (1, 0, 1)
    assert day.closed_balance is not None
    assert day.opening_balance == day.closed_balance - day.profit
    assert abs(day.opening_balance - Decimal(FUNDED)) < Decimal("0.0001")


def test_position_that_never_opened_counts_in_no_day(world: World) -> None:
    person = world.follower()
    world.halt(on=True)
    execution = world.queue_execution(person, world.trigger())
    world.deliver(execution)
    assert world.stored(execution).state is ExecutionState.DENIED
    assert booked(person) == []


def test_results_that_are_booked_at_the_same_time_all_count(world: World) -> None:
    person = world.follower()

    def book_one(_: int) -> None:
        transact(
            lambda transaction: PerformanceDay.add(
                transaction,
                ledger=TradeLedger.MANUAL,
                user_id=person.user.id,
                api_key_id=person.key.id,
                closed_at=person.user.created_at,
                profit=Decimal("0.1"),
                fee=Decimal("0.01"),
                balance=None,
            )
        )

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(book_one, range(8)))

    (day,) = PerformanceDay.since(TradeLedger.MANUAL, person.user.id, None)
    assert (day.trades, day.profit, day.fee) == (8, Decimal("0.8"), Decimal("0.08"))
