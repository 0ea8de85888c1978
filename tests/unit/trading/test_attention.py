from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.trading.attention import NAKED_STATES, Concern, concern_about, may_concern
from shared.trading.execution import Desired, ExecutionState, is_active

INTERVAL = timedelta(seconds=600)
OPEN = [state for state in ExecutionState if is_active(state)]

spans = st.timedeltas(min_value=timedelta(days=-1), max_value=timedelta(days=400))


def s(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)


def about(state: ExecutionState, waiting: float, overdue: float, desired: Desired = Desired.OPEN) -> Concern | None:
    return concern_about(state, desired, waiting=s(waiting), overdue=s(overdue), look_interval=INTERVAL)


@pytest.mark.parametrize(
    ("state", "waiting", "overdue", "expected"),
    [
        (ExecutionState.UNPROTECTED, 4.9, -5, None),
        (ExecutionState.UNPROTECTED, 5, -5, Concern.NAKED),
        (ExecutionState.FLATTENING, 5, -5, Concern.NAKED),
        (ExecutionState.ENTRY_UNKNOWN, 3, 0, None),
        (ExecutionState.ENTRY_UNKNOWN, 3600, -10, Concern.UNKNOWN),
        (ExecutionState.QUEUED, 60, 20, None),
        (ExecutionState.QUEUED, 120, -1, Concern.NO_PROGRESS),
        (ExecutionState.ENTERING, 120, -1, Concern.NO_PROGRESS),
        (ExecutionState.CLOSING, 119, 60, None),
        (ExecutionState.CLOSING, 1, 181, Concern.NO_PROGRESS),
        (ExecutionState.PROTECTED, 10**6, 180, None),
        (ExecutionState.PROTECTED, 10**6, 780, None),
        (ExecutionState.PROTECTED, 10**6, 781, Concern.NO_PROGRESS),
    ],
)
def test_each_state_has_its_patience(
    state: ExecutionState, waiting: float, overdue: float, expected: Concern | None
) -> None:
    assert about(state, waiting, overdue) is expected


def test_a_close_that_was_asked_for_is_work() -> None:
    protected = ExecutionState.PROTECTED
    assert about(protected, 119, 180, Desired.CLOSED) is None
    assert about(protected, 119, 181, Desired.CLOSED) is Concern.NO_PROGRESS
    assert about(protected, 120, -1, Desired.CLOSED) is Concern.NO_PROGRESS


@given(st.sampled_from(OPEN), st.sampled_from(Desired), spans, spans, spans)
def test_a_concern_does_not_go_by_waiting_longer(
    state: ExecutionState, desired: Desired, waiting: timedelta, overdue: timedelta, more: timedelta
) -> None:
    first = concern_about(state, desired, waiting=waiting, overdue=overdue, look_interval=INTERVAL)
    later = concern_about(
        state, desired, waiting=waiting + abs(more), overdue=overdue + abs(more), look_interval=INTERVAL
    )
    assert first is None or later is first


@given(st.sampled_from(OPEN), spans, spans)
def test_what_concerns_is_not_passed_over_by_the_index(
    state: ExecutionState, waiting: timedelta, overdue: timedelta
) -> None:
    """Without the closes that were requested, which have an index of their own."""
    concern = concern_about(state, Desired.OPEN, waiting=waiting, overdue=overdue, look_interval=INTERVAL)
    assert concern is None or may_concern(state, overdue=overdue, look_interval=INTERVAL)
    assert (concern is Concern.NAKED) <= (state in NAKED_STATES)
