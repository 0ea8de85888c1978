"""An execution's changes: one writer wins, the states' order holds, the end closes the books."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from shared.clock import utc_now
from shared.errors import LeaseLost, RecordChanged
from shared.models.execution import Execution
from shared.models.execution_event import ExecutionEvent
from shared.models.position_slot import PositionSlot
from shared.models.trigger_count import TriggerCount, shard_of
from shared.trading.execution import TRANSITIONS, DenialReason, ExecutionState
from shared.trading.ids import execution_id
from tests import builders
from tests.builders import saved

TRIGGER = "aa51c3f9-5b54-4927-98ef-d30ac182886c"
FOLLOWER = "0e2d26a1-4d6c-41a7-a3b2-02d7e2c3d9f5"
ID = execution_id(TRIGGER, FOLLOWER)


@pytest.fixture
def execution(tables: Any) -> Execution:
    execution = saved(builders.execution(builders.trigger(TRIGGER), builders.follower(FOLLOWER)))
    TriggerCount(TRIGGER, shard_of(ID)).update(actions=[TriggerCount.active.add(1)])
    return execution


def stored() -> Execution:
    found = Execution.find(ID)
    assert found is not None
    return found


def test_of_two_writers_that_read_the_same_record_one_loses(execution: Execution) -> None:
    other = stored()
    execution.change(state=ExecutionState.ENTERING)

    with pytest.raises(RecordChanged):
        other.change(state=ExecutionState.DENIED, reason=DenialReason.HALTED)

    assert stored().state is ExecutionState.ENTERING
    assert stored().reason is None


def test_every_change_of_state_leaves_one_event(execution: Execution) -> None:
    execution.change(state=ExecutionState.ENTERING)
    execution.change(state=ExecutionState.UNPROTECTED, filled_amount=Decimal("0.5"))
    execution.change(due_at=utc_now())

    events = list(ExecutionEvent.query(ID))
    assert [event.state for event in events] == ["ENTERING", "UNPROTECTED"]


def test_end_leaves_the_open_index_and_lowers_the_count_once(execution: Execution) -> None:
    assert TriggerCount.total_active(TRIGGER) == 1

    execution.change(state=ExecutionState.DENIED, reason=DenialReason.STALE, detail="90 s")

    found = stored()
    assert found.open_shard is None
    assert found.due_at is None
    assert not found.active
    assert (found.reason, found.detail) == ("STALE", "90 s")
    assert found.closed_at is not None
    assert TriggerCount.total_active(TRIGGER) == 0


def test_detail_without_a_reason_is_for_the_event_only(execution: Execution) -> None:
    execution.change(state=ExecutionState.ENTERING, detail="timed out")

    assert stored().detail is None
    assert [event.detail for event in ExecutionEvent.query(ID)] == ["timed out"]


@pytest.mark.parametrize(
    ("current", "following"),
    [(a, b) for a in ExecutionState for b in ExecutionState if b not in TRANSITIONS[a] and a is not b],
)
def test_transition_back_is_refused(execution: Execution, current: ExecutionState, following: ExecutionState) -> None:
    execution.state = current

    with pytest.raises(ValueError, match="no way"):
        execution.change(state=following)


def test_time_of_a_state_is_when_it_was_first_reached(execution: Execution) -> None:
    for state in (ExecutionState.ENTERING, ExecutionState.UNPROTECTED, ExecutionState.PROTECTED):
        execution.change(state=state)
    first = dict(stored().state_times)

    execution.change(state=ExecutionState.UNPROTECTED)
    execution.change(state=ExecutionState.PROTECTED)

    assert stored().state_times == first


def test_lease_is_held_by_one_and_fenced_against_the_last(tables: Any) -> None:
    first = PositionSlot.acquire(api_key_id="k", symbol="BTC/USDT", owner="a", lease_s=30)
    with pytest.raises(LeaseLost):
        PositionSlot.acquire(api_key_id="k", symbol="BTC/USDT", owner="b", lease_s=30)
    first.update(actions=[PositionSlot.lease_until.set(utc_now() - timedelta(seconds=1))])

    second = PositionSlot.acquire(api_key_id="k", symbol="BTC/USDT", owner="b", lease_s=30)

    assert second.fence > first.fence
    with pytest.raises(LeaseLost):
        first.renew(lease_s=30)
    first.release()
    held = PositionSlot.find("k", "BTC/USDT")
    assert held is not None
    assert held.lease_owner == "b"
