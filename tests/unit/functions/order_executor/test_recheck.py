"""Work that cannot wait for the watcher's next run gets one message of its own, and work that can gets none."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

import pytest

from functions.order_executor import recheck
from functions.order_executor.lease import Lease
from functions.order_executor.ledger import Ledger
from shared.clock import utc_now
from shared.models.order import Order, OrderStatus
from shared.scheduling import RECHECK_S, WATCH_INTERVAL_S
from shared.trading.execution import ExecutionState
from shared.trading.ids import Leg
from shared.trading.order_planning import OrderType
from shared.trading.sides import Side
from tests import builders
from tests.unit.functions.order_executor.harness import Harness

S = ExecutionState


def a_ledger(state: ExecutionState, *entries: OrderStatus, **values: Any) -> Ledger:
    """Return the ledger of an execution in this state, with an entry of each status."""
    now = utc_now()
    execution = builders.execution(builders.trigger(), builders.follower(), state=state, **values)
    orders = {
        str(number): Order(
            execution_id=execution.id,
            client_order_id=str(number),
            leg=Leg.ENTRY,
            attempt=number,
            type=OrderType.MARKET,
            side=Side.BUY,
            status=status,
            created_at=now,
            updated_at=now,
        )
        for number, status in enumerate(entries, start=1)
    }
    return Ledger(execution=execution, lease=cast("Lease", None), orders=orders)


@pytest.mark.parametrize(
    ("state", "entries", "needed"),
    [
        (S.QUEUED, [], False),
        (S.ENTERING, [OrderStatus.INTENDED], True),
        (S.ENTRY_UNKNOWN, [OrderStatus.INTENDED], True),
        (S.ENTRY_UNKNOWN, [OrderStatus.ABSENT], False),
        (S.ENTRY_UNKNOWN, [OrderStatus.ABSENT, OrderStatus.INTENDED], True),
        (S.UNPROTECTED, [OrderStatus.FILLED], True),
        (S.PROTECTED, [OrderStatus.FILLED], False),
        (S.CLOSING, [OrderStatus.FILLED], True),
        (S.FLATTENING, [OrderStatus.FILLED], True),
        (S.CLOSED, [OrderStatus.FILLED], False),
        (S.DENIED, [], False),
        (S.REJECTED, [OrderStatus.REJECTED], False),
        (S.FAILED, [], False),
    ],
)
def test_recheck_is_needed_while_an_unprotected_position_may_be_open(
    state: ExecutionState,
    entries: list[OrderStatus],
    needed: bool,
) -> None:
    assert recheck.is_needed(a_ledger(state, *entries)) is needed


def test_dust_is_left_to_the_watcher() -> None:
    assert not recheck.is_needed(a_ledger(S.CLOSING, OrderStatus.FILLED, dust_left=True))


def test_recheck_moves_due_at_and_sends_one_message_for_it(executor: Harness) -> None:
    execution = executor.open()
    ledger = executor.ledger(execution)
    executor.sent.take_delays_of(execution)

    executor.run(recheck.schedule_recheck(ledger, after_s=30))

    due_at = executor.now(execution).due_at
    assert due_at is not None
    assert timedelta(seconds=29) < due_at - utc_now() <= timedelta(seconds=30)
    assert executor.sent.take_delays_of(execution) == [30]


def test_recheck_after_the_watchers_next_run_is_left_to_it(executor: Harness) -> None:
    execution = executor.open()
    ledger = executor.ledger(execution)
    executor.sent.take_delays_of(execution)

    executor.run(recheck.schedule_recheck(ledger, after_s=WATCH_INTERVAL_S))

    due_at = executor.now(execution).due_at
    assert due_at is not None
    assert due_at - utc_now() > timedelta(seconds=WATCH_INTERVAL_S - 1)
    assert executor.sent.take_delays_of(execution) == []


def test_rechecks_grow_rarer_the_longer_a_state_lasts(executor: Harness) -> None:
    execution = executor.open()
    ledger = executor.ledger(execution)
    executor.sent.take_delays_of(execution)

    executor.run(recheck.schedule_recheck(ledger))
    executor.advance(100)
    executor.run(recheck.schedule_recheck(ledger))

    first, second = executor.sent.take_delays_of(execution)
    assert first == RECHECK_S
    assert 25 <= second < WATCH_INTERVAL_S
