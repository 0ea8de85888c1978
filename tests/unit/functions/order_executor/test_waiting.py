"""Work without weight in its lane waits: entries while their alert is fresh, exits while the lane is banned only."""

from __future__ import annotations

import pytest

from functions.order_executor import waiting
from functions.order_executor.ledger import Ledger
from shared.clock import utc_now
from shared.errors import AddressBanned, ExchangeThrottled
from shared.exchange import lanes
from shared.exchange.gate import Work
from shared.exchange.lanes import DEFAULT_LANE
from shared.exchange.server_clock import server_clock
from shared.messages import Command
from shared.trading.execution import DenialReason, Desired, ExecutionState
from shared.trading.sides import Side
from tests.unit.functions.order_executor.harness import Harness

FRESH_FOR_S = 60


@pytest.mark.parametrize("age_s", [0, 20, 40])
def test_entry_waits_while_its_alert_will_be_fresh(executor: Harness, age_s: int) -> None:
    execution = executor.queue()
    executor.advance(age_s)
    ledger = executor.ledger(execution)

    executor.run(waiting.postpone_entry(ledger, ExchangeThrottled("no weight", retry_after_s=15), lane=DEFAULT_LANE))

    execution = executor.now(execution)
    (delay_s,) = executor.sent.take_delays_of(execution)
    assert execution.state is ExecutionState.QUEUED
    assert 15 <= delay_s <= FRESH_FOR_S - age_s


@pytest.mark.rings("EntriesLeftOutAlarm")
def test_entry_whose_alert_will_be_stale_is_denied(executor: Harness) -> None:
    execution = executor.queue()
    executor.advance(45)
    ledger = executor.ledger(execution)

    executor.run(waiting.postpone_entry(ledger, ExchangeThrottled("no weight", retry_after_s=15), lane=DEFAULT_LANE))

    execution = executor.now(execution)
    assert (execution.state, execution.reason) == (ExecutionState.DENIED, DenialReason.WEIGHT_EXHAUSTED)
    assert executor.sent.take_delays_of(execution) == []


def begun(executor: Harness, state: ExecutionState, desired: Desired, *, protected: bool = True) -> Ledger:
    """Return the ledger of a position in some state, which has had its stop or not."""
    ledger = executor.ledger(executor.open())
    ledger.execution.state, ledger.execution.desired = state, desired
    if not protected:
        ledger.execution.protected_at = None
    return ledger


@pytest.mark.parametrize("desired", list(Desired))
@pytest.mark.parametrize("state", [ExecutionState.UNPROTECTED, ExecutionState.PROTECTED, ExecutionState.CLOSING])
def test_everything_waits_during_a_ban(executor: Harness, state: ExecutionState, desired: Desired) -> None:
    ledger = begun(executor, state, desired)
    executor.run(_banned())

    with pytest.raises(AddressBanned):
        executor.run(_admit(ledger))


@pytest.mark.parametrize(
    ("state", "desired", "protected", "waits_from"),
    [
        (ExecutionState.PROTECTED, Desired.OPEN, True, Work.LOOK),
        (ExecutionState.PROTECTED, Desired.CLOSED, True, Work.CLOSE),
        (ExecutionState.CLOSING, Desired.CLOSED, True, Work.CLOSE),
        (ExecutionState.CLOSING, Desired.CLOSED, False, None),
        (ExecutionState.UNPROTECTED, Desired.OPEN, False, None),
        (ExecutionState.ENTRY_UNKNOWN, Desired.OPEN, False, None),
        (ExecutionState.FLATTENING, Desired.OPEN, True, None),
    ],
)
def test_work_waits_by_its_urgency_and_a_position_that_may_have_no_stop_never(
    executor: Harness, state: ExecutionState, desired: Desired, protected: bool, waits_from: Work | None
) -> None:
    ledger, limiter = begun(executor, state, desired, protected=protected), lanes.limiter_of(DEFAULT_LANE)
    cap = limiter.weight.budget().cap(waits_from or Work.NAKED)
    limiter.record_usage(cap - 30, asked_at_ms=server_clock.now_ms())
    executor.run(_admit(ledger))

    limiter.record_usage(cap, asked_at_ms=server_clock.now_ms())

    if waits_from is None:
        executor.run(_admit(ledger))
    else:
        with pytest.raises(ExchangeThrottled):
            executor.run(_admit(ledger))


def test_close_that_must_wait_keeps_its_stop_and_comes_again(executor: Harness) -> None:
    execution = executor.open()
    stops = executor.book.open_orders
    lanes.limiter_of(DEFAULT_LANE).record_usage(2_400, asked_at_ms=server_clock.now_ms())

    execution = executor.handle(execution, Command.CLOSE)

    assert (execution.state, execution.desired) == (ExecutionState.PROTECTED, Desired.CLOSED)
    assert executor.book.open_orders == stops
    assert execution.due_at is not None
    executor.advance((execution.due_at - utc_now()).total_seconds() + 1)
    assert executor.handle(execution, Command.RECONCILE).state is ExecutionState.CLOSED


def test_opposite_alert_waits_with_its_close_and_the_position_keeps_its_stop(executor: Harness) -> None:
    long = executor.open(Side.BUY)
    stops = executor.book.open_orders
    lanes.limiter_of(DEFAULT_LANE).record_usage(2_400, asked_at_ms=server_clock.now_ms())

    short = executor.handle(executor.queue(Side.SELL))

    assert short.state is ExecutionState.QUEUED
    assert (executor.now(long).state, executor.now(long).desired) == (ExecutionState.PROTECTED, Desired.CLOSED)
    assert executor.book.open_orders == stops


@pytest.mark.parametrize(
    ("desired", "longest_s"),
    [(Desired.OPEN, 65), (Desired.CLOSED, 6)],
    ids=["a protected position lets others go first", "a close does not"],
)
def test_begun_work_comes_again_after_the_exchanges_pause(executor: Harness, desired: Desired, longest_s: int) -> None:
    held = executor.open()
    if desired is Desired.CLOSED:
        executor.advance(600)  # the close is new, however old the position is
    ledger = executor.ledger(held)
    if desired is Desired.CLOSED:
        executor.run(ledger.advance(desired=Desired.CLOSED))
    executor.sent.bodies.clear()

    executor.run(
        waiting.wait_for_lane(ledger, ExchangeThrottled("too many requests", retry_after_s=5), lane=DEFAULT_LANE)
    )

    due_at = executor.now(ledger.execution).due_at
    assert due_at is not None
    assert 4.9 <= (due_at - utc_now()).total_seconds() <= longest_s


async def _banned() -> None:
    lanes.limiter_of(DEFAULT_LANE).record_refusal(AddressBanned("banned", retry_after_s=120))
    await lanes.flush()


async def _admit(ledger: Ledger) -> None:
    async with waiting.admitted(ledger, DEFAULT_LANE):
        pass
    await lanes.flush()
