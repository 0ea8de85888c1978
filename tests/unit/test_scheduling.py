"""When an execution is due next."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import scheduling
from shared.scheduling import DEAD_MAN_DELAYS_S, RECHECK_S, WATCH_INTERVAL_S

NOW = datetime(2022, 9, 9, 1, 57, 36, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


@pytest.fixture(autouse=True)
def _now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduling, "utc_now", lambda: NOW)


def test_due_in_is_so_many_seconds_from_now() -> None:
    assert scheduling.due_in(90) == after(90)


def test_second_dead_man_message_comes_after_the_first_has_had_time_to_crash() -> None:
    first, second = DEAD_MAN_DELAYS_S

    assert scheduling.due_by_dead_man(NOW) == after(first)
    assert first < second


def test_reconciled_work_is_due_before_the_watchers_next_run() -> None:
    due_at = scheduling.due_by_next_run()

    assert not scheduling.is_due(due_at, NOW)
    assert scheduling.is_due(due_at, after(WATCH_INTERVAL_S))


@pytest.mark.parametrize(("seconds", "due"), [(-1, True), (0, True), (0.001, False)])
def test_work_is_due_from_its_time_on(seconds: float, due: bool) -> None:
    assert scheduling.is_due(after(seconds), NOW) is due


def test_work_without_a_time_is_never_due() -> None:
    assert not scheduling.is_due(None, NOW)
    assert not scheduling.is_due_for_dead_man(None, NOW)


@pytest.mark.parametrize(("seconds", "due"), [(-1, True), (0, True), (1, True), (1.001, False)])
def test_dead_man_message_may_come_a_second_early(seconds: float, due: bool) -> None:
    assert scheduling.is_due_for_dead_man(after(seconds), NOW) is due


@pytest.mark.parametrize(
    ("delay_s", "step"), [(-5, 1), (0, 1), (59, 1), (60, 2), (179, 2), (180, 3), (419, 3), (420, 4)]
)
def test_overdue_steps_double(delay_s: float, step: int) -> None:
    assert scheduling.overdue_step(NOW, after(delay_s)) == step


@given(delay_s=st.integers(-600, 1_000_000))
def test_overdue_step_is_the_number_of_doubling_spans_begun(delay_s: int) -> None:
    steps, span, ends_at_s = 1, 1, WATCH_INTERVAL_S
    while delay_s >= ends_at_s:
        steps, span = steps + 1, span * 2
        ends_at_s += span * WATCH_INTERVAL_S

    assert scheduling.overdue_step(NOW, after(delay_s)) == steps


@pytest.mark.parametrize(
    ("age_s", "pause_s"),
    [(0, RECHECK_S), (40, RECHECK_S), (100, 25), (240, WATCH_INTERVAL_S), (9_999, WATCH_INTERVAL_S)],
)
def test_pause_grows_with_the_age_of_the_state_up_to_the_watchers_interval(age_s: float, pause_s: float) -> None:
    assert scheduling.back_off_s(after(-age_s), least_s=RECHECK_S) == pause_s


def test_pause_of_a_state_without_a_time_is_the_least() -> None:
    assert scheduling.back_off_s(None, least_s=1) == 1


@pytest.mark.parametrize(("age_s", "needed"), [(0, True), (60, True), (60.001, False)])
def test_dead_man_message_is_needed_while_the_alert_is_fresh(age_s: float, needed: bool) -> None:
    assert scheduling.needs_dead_man(after(-age_s), NOW, max_alert_age_s=60) is needed
