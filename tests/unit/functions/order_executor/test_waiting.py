"""Work without weight in its lane waits: entries while their alert is fresh, exits while the lane is banned only."""

from __future__ import annotations

import pytest

from functions.order_executor import waiting
from shared.clock import utc_now
from shared.errors import AddressBanned, ExchangeThrottled
from shared.exchange import lanes
from shared.exchange.lanes import DEFAULT_LANE
from shared.exchange.server_clock import server_clock
from shared.models.execution import Execution
from shared.trading.execution import DenialReason, Desired, ExecutionState
from tests import builders
from tests.unit.functions.order_executor.harness import Harness

FRESH_FOR_S = 60


@pytest.mark.parametrize("age_s", [0, 20, 40])
def test_entry_waits_while_its_alert_will_be_fresh(executor: Harness, age_s: int) -> None:
    execution = executor.queue()
    executor.advance(age_s)
    ledger = executor.ledger(execution)

    executor.run(waiting.postpone_entry(ledger, ExchangeThrottled("no weight", retry_after_s=15)))

    execution = executor.now(execution)
    (delay_s,) = executor.sent.take_delays_of(execution)
    assert execution.state is ExecutionState.QUEUED
    assert 15 <= delay_s <= FRESH_FOR_S - age_s


def test_entry_whose_alert_will_be_stale_is_denied(executor: Harness) -> None:
    execution = executor.queue()
    executor.advance(45)
    ledger = executor.ledger(execution)

    executor.run(waiting.postpone_entry(ledger, ExchangeThrottled("no weight", retry_after_s=15)))

    execution = executor.now(execution)
    assert (execution.state, execution.reason) == (ExecutionState.DENIED, DenialReason.WEIGHT_EXHAUSTED)
    assert executor.sent.take_delays_of(execution) == []


def an_execution(state: ExecutionState, desired: Desired) -> Execution:
    return builders.execution(builders.trigger(), builders.follower(), state=state, desired=desired)


@pytest.mark.parametrize("desired", list(Desired))
@pytest.mark.parametrize("state", [ExecutionState.UNPROTECTED, ExecutionState.PROTECTED, ExecutionState.CLOSING])
def test_everything_waits_during_a_ban(executor: Harness, state: ExecutionState, desired: Desired) -> None:
    executor.run(_banned())

    with pytest.raises(AddressBanned):
        executor.run(_check(an_execution(state, desired)))


@pytest.mark.parametrize(
    ("state", "desired", "waits"),
    [
        (ExecutionState.PROTECTED, Desired.OPEN, True),
        (ExecutionState.PROTECTED, Desired.CLOSED, False),
        (ExecutionState.UNPROTECTED, Desired.OPEN, False),
        (ExecutionState.ENTRY_UNKNOWN, Desired.OPEN, False),
        (ExecutionState.CLOSING, Desired.CLOSED, False),
        (ExecutionState.FLATTENING, Desired.OPEN, False),
    ],
)
def test_protected_position_alone_waits_while_the_lane_is_short_of_weight(
    executor: Harness,
    state: ExecutionState,
    desired: Desired,
    waits: bool,
) -> None:
    lanes.limiter_of(DEFAULT_LANE).record_usage(2_000, asked_at_ms=server_clock.now_ms())

    if waits:
        with pytest.raises(ExchangeThrottled):
            executor.run(_check(an_execution(state, desired)))
    else:
        executor.run(_check(an_execution(state, desired)))


@pytest.mark.parametrize(
    ("desired", "longest_s"),
    [(Desired.OPEN, 65), (Desired.CLOSED, 6)],
    ids=["a protected position lets others go first", "a close does not"],
)
def test_begun_work_comes_again_after_the_exchanges_pause(executor: Harness, desired: Desired, longest_s: int) -> None:
    ledger = executor.ledger(executor.open())
    if desired is Desired.CLOSED:
        executor.run(ledger.advance(desired=Desired.CLOSED))
    executor.sent.bodies.clear()

    executor.run(waiting.wait_for_lane(ledger, ExchangeThrottled("too many requests", retry_after_s=5)))

    due_at = executor.now(ledger.execution).due_at
    assert due_at is not None
    assert 4.9 <= (due_at - utc_now()).total_seconds() <= longest_s


async def _banned() -> None:
    lanes.limiter_of(DEFAULT_LANE).record_refusal(AddressBanned("banned", retry_after_s=120))
    await lanes.flush()


async def _check(execution: Execution) -> None:
    hold = await waiting.admit_begun(execution, DEFAULT_LANE)
    if hold is not None:
        hold.release()
    await lanes.flush()
