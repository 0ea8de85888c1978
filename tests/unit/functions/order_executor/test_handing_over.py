"""Work that has come to a banned lane leaves by another that its key binds, before or after it has begun."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from functions.order_executor import handing_over, waiting
from shared.clock import utc_now
from shared.errors import AddressBanned, ExchangeThrottled, OrderRateExceeded
from shared.exchange import lanes
from shared.exchange.lanes import DEFAULT_LANE
from shared.messages import Command, OrderMessage
from shared.models.egress_lane import EgressLane
from shared.models.exchange_key import ExchangeKey
from shared.models.execution import Execution
from shared.models.position_slot import PositionSlot
from shared.order_dispatch import Routes
from shared.trading.execution import ExecutionState
from tests.unit.functions.order_executor.harness import Harness

SECOND = "lane-2"
BAN_S = 120.0


@pytest.fixture
def handed_over(executor: Harness, monkeypatch: pytest.MonkeyPatch) -> list[tuple[OrderMessage, str]]:
    """A second lane that the key binds too; the messages that are handed over, each with the lane that gets it."""
    EgressLane(SECOND, orders_queue_url="second").save()
    name_lanes(executor, DEFAULT_LANE, SECOND)
    taken: list[tuple[OrderMessage, str]] = []

    def keep(_: Routes, waiting: list[OrderMessage], *, lane: str, delivery: str) -> None:
        assert delivery
        taken.extend((message, lane) for message in waiting)

    monkeypatch.setattr(Routes, "send_messages", keep)
    return taken


def name_lanes(executor: Harness, *names: str) -> None:
    executor.key.update(actions=[ExchangeKey.egress_lanes.set(list(names))])


def ban(executor: Harness, lane: str = DEFAULT_LANE) -> None:
    EgressLane.ban(lane, until=utc_now() + timedelta(seconds=BAN_S))
    executor.run(forget_lanes())


async def forget_lanes() -> None:
    await lanes.flush()
    lanes.forget()


def close_is_done(execution: Execution) -> bool:
    return execution.state is ExecutionState.CLOSED or execution.exited_at is not None


def test_close_that_waits_in_a_banned_lanes_queue_leaves_by_the_other(
    executor: Harness, handed_over: list[tuple[OrderMessage, str]]
) -> None:
    execution = executor.open()
    ban(executor)

    executor.handle(execution, Command.CLOSE)

    [(message, lane)] = handed_over
    assert lane == SECOND
    assert (message.command, message.execution_id, message.handed_over) == (Command.CLOSE, execution.id, True)
    assert executor.account.book.position != 0
    # Not held any more, so that the other lane can begin at once.
    assert PositionSlot.get(executor.key.id, "BTC/USDT").lease_until <= utc_now()


def test_message_is_handed_over_once(executor: Harness, handed_over: list[tuple[OrderMessage, str]]) -> None:
    message = OrderMessage(Command.CLOSE, "execution", executor.key.id, "BTC/USDT", handed_over=True)
    ban(executor)

    async def pass_on() -> bool:
        await lanes.limiter_of(DEFAULT_LANE).refresh()
        return await handing_over.pass_on(message, executor.key, lane=DEFAULT_LANE)

    assert not executor.run(pass_on())
    assert handed_over == []


@pytest.mark.parametrize("case", ["not banned", "binds no other", "the other is banned for longer"])
def test_work_stays_where_it_is(executor: Harness, handed_over: list[tuple[OrderMessage, str]], case: str) -> None:
    execution = executor.open()
    if case != "not banned":
        ban(executor)
    if case == "binds no other":
        name_lanes(executor, DEFAULT_LANE)
    if case == "the other is banned for longer":
        EgressLane.ban(SECOND, until=utc_now() + timedelta(seconds=2 * BAN_S))

    execution = executor.handle(execution, Command.CLOSE)

    assert handed_over == []
    assert close_is_done(execution) is (case == "not banned")


def test_lane_that_a_key_does_not_bind_any_more_hands_its_work_over(
    executor: Harness, handed_over: list[tuple[OrderMessage, str]]
) -> None:
    message = OrderMessage(Command.CLOSE, "execution", executor.key.id, "BTC/USDT")

    assert executor.run(handing_over.pass_on(message, executor.key, lane="lane-3"))

    assert [lane for _, lane in handed_over] == [DEFAULT_LANE]


@pytest.mark.parametrize(
    ("error", "longest_s"),
    [
        (AddressBanned("banned", retry_after_s=BAN_S), 3),
        (ExchangeThrottled("too many requests", retry_after_s=30), 32),
        (OrderRateExceeded("too many orders", retry_after_s=30), 32),
    ],
)
def test_exit_that_a_ban_interrupts_comes_again_at_once_where_another_lane_can_take_it(
    executor: Harness, handed_over: list[Any], error: ExchangeThrottled, longest_s: float
) -> None:
    execution = executor.open()
    executor.request_close(execution)
    ledger = executor.ledger(execution)

    executor.run(waiting.wait_for_lane(ledger, error, lane=DEFAULT_LANE))

    due_at = executor.now(execution).due_at
    assert due_at is not None
    in_s = (due_at - utc_now()).total_seconds()
    assert in_s <= longest_s
    assert in_s >= 29 or longest_s == 3


@pytest.mark.parametrize("other_has_weight", [True, False])
def test_entry_without_weight_comes_again_at_once_where_another_lane_has_some(
    executor: Harness, handed_over: list[Any], other_has_weight: bool
) -> None:
    execution = executor.queue()
    if not other_has_weight:
        EgressLane(SECOND).update(actions=[EgressLane.weight_limit.set(1)])
    ledger = executor.ledger(execution)
    executor.sent.bodies.clear()

    error = ExchangeThrottled("no weight", retry_after_s=15)
    executor.run(waiting.postpone_entry(ledger, error, lane=DEFAULT_LANE))

    (delay_s,) = executor.sent.take_delays_of(execution)
    assert (delay_s <= 3) is other_has_weight
