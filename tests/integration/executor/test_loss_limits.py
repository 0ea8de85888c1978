"""A follower at its limit of losses opens nothing, trades again when the window has passed, and is closed if it chose.

Losses of earlier times are booked as the executor books them, with the times at which they were closed.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from functions.order_executor import loss_limits
from shared.clock import to_iso, utc_now
from shared.errors import OutcomeUnknown
from shared.exchange import gate
from shared.messages import Command
from shared.models import base
from shared.models.base import transact
from shared.models.execution import Execution
from shared.models.follower import Follower
from shared.models.performance_day import PerformanceDay, TradeLedger
from shared.models.position_slot import PositionSlot
from shared.trading.entry_settings import EntrySettings, LossLimit
from shared.trading.execution import ExecutionState
from shared.trading.sides import Side
from tests import builders
from tests.builders import saved
from tests.integration.executor.world import ORDER, Person, World

WALLET = Decimal(11507)
FIVE_A_DAY = LossLimit(day_pct=Decimal(5))
CLOSED_AT_ONE = LossLimit(day_pct=Decimal(1), close=True)


@pytest.fixture(autouse=True)
def prices_of_now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loss_limits, "_PRICES_AGE_S", 0.0)


@pytest.fixture
def busy_lane(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lane that has weight for entries and closes, and none for bookings."""
    monkeypatch.setattr(gate, "QUIET_PCT", 0)
    monkeypatch.setattr(gate, "SHARE_PCT", {**gate.SHARE_PCT, gate.Work.BOOKING: 0})


async def fail_to_read(*_: Any) -> Any:
    raise OutcomeUnknown("no answer")


def limited(world: World, limit: LossLimit) -> Person:
    person = world.follower()
    person.record.update(actions=[Follower.entry_settings.set(EntrySettings(loss_limit=limit))])
    return person


def book(person: Person, profit: str, *, hours_ago: float, quote: str = "USDT") -> None:
    """Book a result of another execution of the account, closed a while ago."""
    closed_at, amount = utc_now() - timedelta(hours=hours_ago), Decimal(profit)

    def write(transaction: Any) -> None:
        PerformanceDay.add(
            transaction,
            ledger=TradeLedger.STRATEGY,
            user_id=person.user.id,
            api_key_id=person.key.id,
            closed_at=closed_at,
            profit=amount,
            fee=Decimal(0),
            balance=WALLET + amount,
            quote=quote,
        )

    transact(write)


def hold_elsewhere(person: Person, *, entry_price: str, amount: str) -> Execution:
    """Store a long position of the account on ETH/USDT, as if another strategy had opened it."""
    held = saved(
        builders.execution(
            builders.trigger(symbol="ETH/USDT"),
            person.record,
            state=ExecutionState.PROTECTED,
            symbol="ETH/USDT",
            entry_price=Decimal(entry_price),
            filled_amount=Decimal(amount),
            taker_rate=Decimal("0.0005"),
        )
    )
    saved(PositionSlot(person.key.id, "ETH/USDT", execution_id=held.id, quantity=Decimal(amount)))
    return held


def test_follower_at_its_limit_is_denied_and_trades_again_when_the_window_has_passed(world: World) -> None:
    person = limited(world, FIVE_A_DAY)
    book(person, "-575.36", hours_ago=23)  # 5 % of 11,507 are 575.35

    denied = world.open_position(person)

    assert (denied.state, denied.reason) == (ExecutionState.DENIED, "LOSS_LIMIT")
    until = denied.received_at + timedelta(hours=1)
    assert denied.detail is not None
    assert denied.detail.startswith(f"until {to_iso(until)[:13]}")
    assert world.account(person).sent(ORDER) == 0

    later = limited(world, FIVE_A_DAY)
    book(later, "-575.36", hours_ago=24.001)
    assert world.open_position(later).state is ExecutionState.PROTECTED


def test_a_cent_less_than_the_limit_opens(world: World) -> None:
    person = limited(world, FIVE_A_DAY)
    book(person, "-575.34", hours_ago=1)
    book(person, "-900", hours_ago=1, quote="USDC")  # another wallet's

    assert world.open_position(person).state is ExecutionState.PROTECTED


def assert_losing_reversal_is_denied(world: World) -> None:
    """Turn a losing position around, and assert that its loss has reached the limit before the other half opens."""
    person = limited(world, LossLimit(day_pct=Decimal("0.1")))
    first = world.open_position(person)
    world.exchange.move_price("19950")

    second = world.open_position(person, side=Side.SELL, price=Decimal(19950), stop=Decimal(20150), take_profits=[])

    assert world.stored(first).state is ExecutionState.CLOSED
    assert (second.state, second.reason) == (ExecutionState.DENIED, "LOSS_LIMIT")
    assert world.account(person).flat


def test_own_booked_loss_counts_before_the_opposite_half_opens(world: World) -> None:
    assert_losing_reversal_is_denied(world)


def test_loss_that_the_reversal_leaves_unbooked_on_a_busy_lane_is_booked_first(world: World, busy_lane: None) -> None:
    assert_losing_reversal_is_denied(world)


def test_stop_that_was_left_unbooked_is_booked_before_the_next_entry(world: World, busy_lane: None) -> None:
    person = limited(world, LossLimit(day_pct=Decimal("0.1")))
    first = world.open_position(person)
    world.exchange.move_price("19790")
    world.exchange.move_price("20000")
    world.deliver(first, command=Command.RECONCILE)
    assert world.stored(first).exited_at is not None
    assert world.stored(first).active

    second = world.open_position(person)

    assert world.stored(first).close_reason == "STOP"
    assert (second.state, second.reason) == (ExecutionState.DENIED, "LOSS_LIMIT")


def test_entry_without_a_limit_does_not_wait_for_the_booking(world: World, busy_lane: None) -> None:
    person = world.follower()
    first = world.open_position(person)

    second = world.open_position(person, side=Side.SELL)

    assert second.state is ExecutionState.PROTECTED
    assert world.stored(first).exited_at is not None
    assert world.stored(first).active


def test_entry_waits_for_the_booking_of_a_position_on_another_symbol(world: World) -> None:
    person = limited(world, FIVE_A_DAY)
    held = hold_elsewhere(person, entry_price="1", amount="1")
    held.change(exited_at=utc_now())

    waiting = world.open_position(person)

    assert waiting.state is ExecutionState.QUEUED
    assert waiting.due_at is not None
    assert waiting.due_at > utc_now()
    assert world.account(person).sent(ORDER) == 0

    held.change(state=ExecutionState.CLOSED)
    book(person, "-575.36", hours_ago=0)
    world.deliver(waiting, command=Command.RECONCILE)

    assert (world.stored(waiting).state, world.stored(waiting).reason) == (ExecutionState.DENIED, "LOSS_LIMIT")


def test_open_loss_on_another_symbol_counts(world: World) -> None:
    person = limited(world, FIVE_A_DAY)
    hold_elsewhere(person, entry_price="100000", amount="1")  # many times what ETH costs

    denied = world.open_position(person)

    assert (denied.reason, denied.detail) == ("LOSS_LIMIT", "until open positions are closed")


def test_position_is_closed_when_the_limit_is_reached_and_the_follower_chose_so(world: World) -> None:
    person = limited(world, CLOSED_AT_ONE)
    execution = world.open_position(person)
    world.exchange.move_price("19900")  # 0.75 BTC lose 75 USDT, and 15 of fees: less than 115.07
    world.deliver(execution, command=Command.RECONCILE)
    assert world.stored(execution).state is ExecutionState.PROTECTED
    book(person, "-30", hours_ago=1)

    world.deliver(execution, command=Command.RECONCILE)

    closed = world.stored(execution)
    assert (closed.state, closed.close_reason) == (ExecutionState.CLOSED, "LOSS_LIMIT")
    assert world.account(person).flat


def test_position_stays_where_the_follower_did_not_choose_to_be_closed(world: World) -> None:
    person = limited(world, LossLimit(day_pct=Decimal(1)))
    execution = world.open_position(person)
    book(person, "-200", hours_ago=1)

    world.deliver(execution, command=Command.RECONCILE)

    assert world.stored(execution).state is ExecutionState.PROTECTED


def test_prices_that_cannot_be_read_keep_no_stop_from_being_repaired(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = limited(world, CLOSED_AT_ONE)
    execution = world.open_position(person)
    world.cancel_stops_as_owner(person)
    book(person, "-200", hours_ago=1)
    monkeypatch.setattr(loss_limits, "_prices", fail_to_read)

    assert world.deliver(execution, command=Command.RECONCILE) == []

    assert world.stored(execution).state is ExecutionState.PROTECTED
    assert len(world.account(person).stops) == 1


def test_limit_costs_no_further_request_for_our_records_and_none_without_it(world: World, monkeypatch: Any) -> None:
    asked: list[int] = []
    read = base.read_together

    def counted(*keys: Any) -> list[Any]:
        asked.append(len(keys))
        return read(*keys)

    monkeypatch.setattr("shared.admission.read_together", counted)
    world.open_position(world.follower())
    without, asked[:] = list(asked), []
    world.open_position(limited(world, FIVE_A_DAY))
    assert len(asked) == len(without)
    assert [number - 9 for number in asked] == without
