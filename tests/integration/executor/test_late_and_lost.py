"""Answers that come late, get lost or contradict each other: what one execution sent never touches another."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from pynamodb.exceptions import PutError, PynamoDBException, TransactWriteError

from functions.order_executor import booking, position, reconciling
from functions.order_executor.ledger import Ledger
from functions.order_executor.session import ExecutionSession
from shared.exchange.futures import FuturesAccount
from shared.exchange.venue_views import OrderView
from shared.messages import Command
from shared.models.execution import Execution
from shared.models.trigger import Trigger
from shared.order_dispatch import send_orders
from shared.trading.execution import ExecutionState
from shared.trading.sides import Side, StopType
from tests.integration.executor.world import ALGO_ORDER, ORDER, World

NAKED_AT_MOST_MS = 5_000


def test_close_that_arrives_late_spares_the_next_position(world: World) -> None:
    person = world.follower()
    bought = world.open_position(person)
    world.plan_fault(person, "late", ORDER, delayMs=3500)

    sold = world.open_position(person, side=Side.SELL)

    account = world.account(person)
    assert world.stored(bought).close_reason == "OPPOSITE"
    assert sold.state is ExecutionState.PROTECTED
    # The lease was held until the lost request could no longer be carried out, so the new position is whole.
    assert account.position == -(sold.filled_amount or 0) < 0
    assert len(account.stops) == 1


def test_close_leaves_what_the_owner_bought_beside_us(world: World) -> None:
    person = world.follower()
    execution = world.open_position(person)
    world.trade_as_owner(person, "BUY", "0.250")

    world.deliver(execution, command=Command.CLOSE)

    assert world.stored(execution).state is ExecutionState.CLOSED
    assert world.account(person).position == Decimal("0.250")
    assert world.account(person).open_orders == []


def test_fill_without_average_and_a_failing_look_up_still_gets_its_stop(world: World) -> None:
    person = world.follower()
    execution = world.queue_execution(person, world.trigger())
    world.plan_fault(person, "no_average", ORDER)
    world.plan_fault(person, "http", ORDER, "GET", times=2, status=503, msg="Unknown error")
    world.plan_fault(person, "http", ALGO_ORDER, status=503, msg="Unknown error")

    assert world.deliver(execution) == []

    assert world.stored(execution).state is ExecutionState.PROTECTED
    assert len(world.account(person).stops) == 1


def test_ledger_that_fails_after_the_fill_does_not_cost_the_stop(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    person = world.follower()
    execution = world.queue_execution(person, world.trigger())
    real, failures = Execution.change, iter([True])

    def fails_once(self: Execution, **values: object) -> None:
        if values.get("state") is ExecutionState.UNPROTECTED and next(failures, False):
            raise TransactWriteError("the ledger is away")
        real(self, **values)  # type: ignore[arg-type]

    monkeypatch.setattr(Execution, "change", fails_once)

    assert world.deliver(execution) == []

    assert world.stored(execution).state is ExecutionState.PROTECTED
    assert len(world.account(person).stops) == 1


def test_ledger_that_fails_does_not_keep_a_naked_position_open(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    person = world.follower()
    execution = world.queue_execution(person, world.trigger())
    world.plan_fault(person, "code", ALGO_ORDER, status=400, code=-2021, msg="Order would immediately trigger.")
    real = Execution.change

    def fails(self: Execution, **values: object) -> None:
        if values.get("state") in {ExecutionState.UNPROTECTED, ExecutionState.FLATTENING, ExecutionState.CLOSED}:
            raise TransactWriteError("the ledger is away")
        real(self, **values)  # type: ignore[arg-type]

    async def note_fails(self: Ledger, *orders: object) -> None:
        raise PutError("the ledger is away")

    with monkeypatch.context() as patch:
        patch.setattr(Execution, "change", fails)
        patch.setattr(Ledger, "save_orders", note_fails)
        world.deliver(execution)
        assert world.account(person).position == 0

    world.deliver(execution, command=Command.RECONCILE)
    world.deliver(execution, command=Command.RECONCILE)
    assert world.stored(execution).state is ExecutionState.CLOSED
    assert world.account(person).flat


def test_limit_stop_that_would_trigger_closes_the_position_though_its_backstop_stands(world: World) -> None:
    person = world.follower()
    world.plan_fault(person, "code", ALGO_ORDER, status=400, code=-2021, msg="Order would immediately trigger.")

    execution = world.open_position(person, stop_type=StopType.LIMIT)

    assert (execution.state, execution.close_reason) == (ExecutionState.CLOSED, "FLATTENED")
    assert world.account(person).flat


def test_position_whose_stop_is_never_answered_is_closed_within_the_bound(world: World) -> None:
    person = world.follower()
    world.plan_fault(person, "late", ALGO_ORDER, times=100, delayMs=60_000)
    world.plan_fault(person, "hang", ALGO_ORDER, "GET", times=100, delayMs=60_000)

    execution = world.open_position(person)

    assert (execution.state, execution.close_reason) == (ExecutionState.CLOSED, "FLATTENED")
    assert execution.naked_ms is not None
    assert execution.naked_ms < NAKED_AT_MOST_MS


def test_position_that_reads_flat_once_keeps_its_stop(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    person = world.follower()
    execution = world.open_position(person)

    async def flat(self: ExecutionSession) -> Decimal:
        return Decimal(0)

    with monkeypatch.context() as patch:
        patch.setattr(ExecutionSession, "position", flat)
        world.deliver(execution, command=Command.RECONCILE)

    assert world.stored(execution).state is ExecutionState.PROTECTED
    assert len(world.account(person).stops) == 1
    assert world.count_delayed("reconcile") >= 1


def test_flattening_does_not_trust_a_single_flat_read(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    person = world.follower()
    world.plan_fault(person, "code", ALGO_ORDER, status=400, code=-2021, msg="Order would immediately trigger.")

    async def flat(self: ExecutionSession) -> Decimal:
        return Decimal(0)

    with monkeypatch.context() as patch:
        patch.setattr(ExecutionSession, "position", flat)
        execution = world.open_position(person)

    assert execution.state is ExecutionState.CLOSED
    assert world.account(person).flat


def test_limit_stop_cancelled_by_hand_is_placed_again(world: World) -> None:
    person = world.follower()
    execution = world.open_position(person, stop_type=StopType.LIMIT)
    world.cancel_stops_as_owner(person)

    world.deliver(execution, command=Command.RECONCILE)

    standing = {order["orderType"] for order in world.account(person).open_orders if order.get("algoType")}
    assert standing == {"STOP", "STOP_MARKET"}


def test_lease_is_not_given_back_while_a_write_may_still_be_carried_out(world: World) -> None:
    person = world.follower()
    execution = world.queue_execution(person, world.trigger())
    world.plan_target_fault(person, "late", times=6, delayMs=3000)

    world.deliver(execution)

    assert world.stored(execution).state is ExecutionState.PROTECTED
    assert world.slot(person).lease_owner is not None


def test_trigger_ends_although_its_last_worker_crashed_before_recording_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = world.follower(balance="60")
    execution = world.queue_execution(person, world.trigger())
    with monkeypatch.context() as crashing:
        crashing.setattr(booking, "end_trigger_if_finished", lambda trigger_id: None)
        world.deliver(execution)
    trigger = Trigger.find(execution.trigger_id)
    assert trigger is not None
    assert trigger.active

    world.deliver(execution)

    trigger = Trigger.find(execution.trigger_id)
    assert trigger is not None
    assert not trigger.active


def test_target_that_filled_unseen_is_not_sent_again(world: World) -> None:
    person = world.follower()
    execution = world.queue_execution(person, world.trigger())
    world.plan_target_fault(person, "drop_after")
    world.plan_fault(person, "http", ORDER, "GET", times=3, status=503, msg="Unknown error")
    world.deliver(execution)
    world.exchange.move_price("20200")
    sold = world.account(person).position
    world.exchange.move_price("20100")

    world.deliver(execution, command=Command.RECONCILE)

    account = world.account(person)
    assert account.position == sold < Decimal("0.75")
    assert [target["price"] for target in account.targets] == ["20300.00", "20400.00"]


def test_admin_close_is_not_held_back_by_a_failed_message_of_the_key(world: World) -> None:
    execution = world.open_position(world.follower())

    send_orders([execution], Command.CLOSE, delivery="request")

    (sent,) = world.take_messages("orders")
    assert sent["group"] != execution.api_key_id


def test_position_that_the_owner_bought_after_our_stop_is_neither_sold_nor_adopted(world: World) -> None:
    person = world.follower()
    execution = world.open_position(person)
    world.exchange.move_price("19790")
    world.trade_as_owner(person, "BUY", "0.300")

    world.deliver(execution, command=Command.RECONCILE)

    execution = world.stored(execution)
    assert (execution.state, execution.close_reason) == (ExecutionState.CLOSED, "STOP")
    assert world.account(person).position == Decimal("0.300")
    assert world.account(person).open_orders == []


def test_flattening_that_another_worker_finishes_spares_what_the_owner_bought(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = world.follower()
    world.plan_fault(person, "code", ALGO_ORDER, status=400, code=-2021, msg="Order would immediately trigger.")

    async def no_end(session: ExecutionSession, **_: object) -> None:
        return None

    with monkeypatch.context() as patch:
        patch.setattr(position, "wait_for_end", no_end)
        execution = world.open_position(person)
    assert execution.state is ExecutionState.FLATTENING
    world.trade_as_owner(person, "BUY", "0.300")

    world.deliver(execution, command=Command.RECONCILE)

    assert world.stored(execution).state is ExecutionState.CLOSED
    assert world.account(person).position == Decimal("0.300")


@pytest.mark.parametrize("delay_ms", [1700, 2400])
def test_close_whose_answer_is_late_is_not_sent_twice(world: World, delay_ms: int) -> None:
    person = world.follower()
    execution = world.open_position(person)
    world.trade_as_owner(person, "BUY", "0.900")
    world.plan_fault(person, "late", ORDER, delayMs=delay_ms)

    world.deliver(execution, command=Command.CLOSE)

    assert world.stored(execution).state is ExecutionState.CLOSED
    assert world.account(person).position == Decimal("0.900")


def test_entry_is_not_sent_again_beside_a_position_that_the_owner_opened_meanwhile(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = world.follower()
    execution = world.queue_execution(person, world.trigger())
    world.plan_fault(person, "drop_before", ORDER)
    real = reconciling._may_resend

    async def after_the_owner_traded(session: ExecutionSession) -> bool:
        await asyncio.to_thread(world.trade_as_owner, person, "SELL", "0.500")
        return await real(session)

    monkeypatch.setattr(reconciling, "_may_resend", after_the_owner_traded)

    world.deliver(execution)

    assert world.stored(execution).state is ExecutionState.ENTRY_UNKNOWN
    assert world.account(person).position == Decimal("-0.500")


def test_admin_close_ends_an_entry_that_is_watched_for_a_late_fill(world: World) -> None:
    person = world.follower()
    world.plan_fault(person, "drop_before", ORDER, times=2)
    execution = world.open_position(person)
    assert execution.state is ExecutionState.ENTRY_UNKNOWN

    world.deliver(execution, command=Command.CLOSE)

    assert world.stored(execution).state is ExecutionState.CLOSED
    assert world.slot(person).execution_id is None


def test_position_that_cannot_be_closed_gets_its_stop_back(world: World) -> None:
    person = world.follower()
    execution = world.open_position(person)
    world.cancel_stops_as_owner(person)
    world.plan_fault(person, "code", ORDER, times=1000, status=400, code=-4131, msg="no")

    world.deliver(execution, command=Command.CLOSE)

    assert world.stored(execution).state is ExecutionState.CLOSING
    assert len(world.account(person).stops) == 1


def test_late_fill_gets_its_stop_after_a_lost_look_up(world: World) -> None:
    person = world.follower()
    world.plan_fault(
        person, "http", ORDER, status=503, msg="Unknown error, please check your request.", doneAfterMs=400
    )
    world.plan_fault(person, "truncate", ORDER, "GET")

    execution = world.open_position(person)

    assert execution.state is ExecutionState.PROTECTED
    assert execution.naked_ms is not None
    assert execution.naked_ms < 5_000
    assert len(world.account(person).fills_at_once) == 1


def test_late_fill_gets_its_stop_after_a_failed_write_of_the_unknown_entry(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = world.follower()
    world.plan_fault(
        person, "http", ORDER, status=503, msg="Unknown error, please check your request.", doneAfterMs=400
    )
    advance = Ledger.advance

    async def fail(ledger: Ledger, state: ExecutionState | None = None, **changes: Any) -> None:
        if state is ExecutionState.ENTRY_UNKNOWN:
            raise PynamoDBException("throttled")
        await advance(ledger, state, **changes)

    monkeypatch.setattr(Ledger, "advance", fail)

    execution = world.open_position(person)

    assert execution.state is ExecutionState.PROTECTED
    assert execution.naked_ms is not None
    assert execution.naked_ms < 5_000


def test_stop_that_the_lists_do_not_show_yet_is_cancelled_with_its_position(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = world.follower()
    # Of the two stops of a limit stop the second is refused for good, so the position is closed at once.
    execution = world.queue_execution(person, world.trigger(stop_type=StopType.LIMIT))
    world.plan_fault(person, "no_average", ALGO_ORDER)
    world.plan_fault(person, "code", ALGO_ORDER, status=400, code=-2021, msg="Order would immediately trigger.")

    async def show_nothing(_: FuturesAccount, __: str) -> tuple[OrderView, ...]:
        return ()

    monkeypatch.setattr(FuturesAccount, "open_orders", show_nothing)

    world.deliver(execution)

    assert world.stored(execution).close_reason == "FLATTENED"
    assert world.account(person).flat
