"""Positions are looked at when the market may have touched them, and all of them within the interval, evenly."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.trading.looks import RUN, Position, choose_looks

NOW = datetime.fromisoformat("2026-01-01T12:00:00+00:00")
INTERVAL = timedelta(minutes=10)

positions = st.lists(
    st.builds(
        Position,
        execution_id=st.uuids().map(str),
        looked_at=st.one_of(st.none(), st.integers(0, 900).map(lambda s: NOW - timedelta(seconds=s))),
        touched=st.booleans(),
    ),
    unique_by=lambda one: one.execution_id,
    max_size=60,
)


@given(positions, st.integers(-50, 100))
def test_touched_positions_and_those_at_the_end_of_the_interval_are_always_chosen(
    found: list[Position], slack: int
) -> None:
    chosen = choose_looks(found, now=NOW, interval=INTERVAL, slack=slack)

    assert len(set(chosen)) == len(chosen)
    for one in found:
        if one.touched or one.looked_at is None or NOW - one.looked_at >= INTERVAL - RUN:
            assert one.execution_id in chosen


@given(positions, st.integers(-50, 100))
def test_no_position_is_passed_by_one_that_was_looked_at_later(found: list[Position], slack: int) -> None:
    chosen = set(choose_looks(found, now=NOW, interval=INTERVAL, slack=slack))

    looked_at = {one.execution_id: one.looked_at for one in found if one.looked_at is not None and not one.touched}
    passed = [at for execution_id, at in looked_at.items() if execution_id not in chosen]
    taken = [at for execution_id, at in looked_at.items() if execution_id in chosen]
    assert not passed or not taken or max(taken) <= min(passed)


@given(positions)
def test_everything_is_chosen_while_the_lane_has_slack(found: list[Position]) -> None:
    assert len(choose_looks(found, now=NOW, interval=INTERVAL, slack=len(found))) == len(found)


@pytest.mark.parametrize("count", [1, 7, 100, 1_000])
def test_on_a_full_lane_each_position_is_looked_at_within_the_interval_and_evenly(count: int) -> None:
    """All were opened together, and the lane never has slack."""
    looked_at = {f"{number:04}": NOW for number in range(count)}
    longest, chosen_in_a_run = timedelta(0), []
    for minute in range(1, 41):
        now = NOW + minute * RUN
        found = [Position(execution_id, at, touched=False) for execution_id, at in looked_at.items()]
        chosen = choose_looks(found, now=now, interval=INTERVAL, slack=0)
        chosen_in_a_run.append(len(chosen))
        for execution_id in chosen:
            longest = max(longest, now - looked_at[execution_id])
            looked_at[execution_id] = now

    assert longest <= INTERVAL - RUN
    assert max(chosen_in_a_run) <= count // 9 + 1


def test_touched_positions_use_the_slack_first() -> None:
    quiet = [Position(f"q{number}", NOW - RUN, touched=False) for number in range(20)]
    touched = [Position(f"t{number}", NOW - RUN, touched=True) for number in range(8)]

    chosen = choose_looks([*quiet, *touched], now=NOW, interval=INTERVAL, slack=10)

    assert chosen[:8] == [one.execution_id for one in touched]
    assert len(chosen) == 8 + 3  # two of the slack are left, and three of twenty are due evenly
