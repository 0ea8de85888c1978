"""When a table is exported, and which failures are told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.table_exporter.due import INTERVAL_DAYS, OVERDUE, Decision, Export, ExportStatus, decide

AT = datetime(2026, 11, 29, 3, 40, tzinfo=UTC)
DAY = timedelta(days=1)

exports = st.lists(
    st.builds(
        Export, st.sampled_from(ExportStatus), st.integers(0, 90 * 86400).map(lambda s: AT - timedelta(seconds=s))
    ),
    unique_by=lambda one: one.started_at,
)


def test_table_without_exports_is_exported_at_once() -> None:
    assert decide([], AT) == Decision(begins=True)


@given(exports, st.randoms())
def test_order_in_which_exports_are_listed_changes_nothing(found: list[Export], random: object) -> None:
    shuffled = sorted(found, key=lambda one: hash((one.started_at, id(random))))
    assert decide(shuffled, AT) == decide(found, AT)


@given(exports)
def test_nothing_begins_beside_an_export_in_progress(found: list[Export]) -> None:
    latest = max(found, key=lambda one: one.started_at, default=None)
    if latest is not None and latest.status is ExportStatus.IN_PROGRESS:
        assert not decide(found, AT).begins


@pytest.mark.parametrize(("days", "begins"), [(1, False), (INTERVAL_DAYS - 1, False), (INTERVAL_DAYS, True)])
@pytest.mark.parametrize("late_s", [-30, 0, 30])
def test_completed_export_is_repeated_after_the_interval(days: int, late_s: int, *, begins: bool) -> None:
    started_at = AT - days * DAY + timedelta(seconds=late_s)
    assert decide([Export(ExportStatus.COMPLETED, started_at)], AT) == Decision(begins=begins)


def test_failed_export_is_told_and_repeated() -> None:
    failed = Export(ExportStatus.FAILED, AT - DAY, "S3NoSuchBucket")
    assert decide([failed, Export(ExportStatus.COMPLETED, AT - 2 * DAY)], AT) == Decision(True, "S3NoSuchBucket")
    assert decide([Export(ExportStatus.FAILED, AT - DAY)], AT).fault


@pytest.mark.parametrize(("age", "told"), [(OVERDUE, False), (OVERDUE + timedelta(seconds=1), True)])
def test_export_that_does_not_end_is_told(age: timedelta, *, told: bool) -> None:
    assert bool(decide([Export(ExportStatus.IN_PROGRESS, AT - age)], AT).fault) == told


@given(st.lists(st.sampled_from([ExportStatus.COMPLETED, ExportStatus.FAILED]), min_size=120, max_size=120))
def test_every_failure_is_told_once_and_the_gap_between_exports_stays_below_the_interval(
    outcomes: list[ExportStatus],
) -> None:
    """A daily run whose exports end before the next one, over four months."""
    found: list[Export] = []
    told = 0
    for day, outcome in enumerate(outcomes):
        decision = decide(found, AT + day * DAY)
        told += bool(decision.fault)
        if decision.begins:
            found.append(Export(outcome, AT + day * DAY))
    failed = [one for one in found if one.status is ExportStatus.FAILED]
    # The last day's failure is told the day after.
    assert told == len(failed) - (bool(failed) and failed[-1].started_at == AT + 119 * DAY)
    for one, following in pairwise(found):
        wait = DAY if one.status is ExportStatus.FAILED else INTERVAL_DAYS * DAY
        assert following.started_at - one.started_at == wait
