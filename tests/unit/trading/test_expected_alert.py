from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.trading.expected_alert import overdue_since

NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)
times = st.integers(0, 10**6).map(lambda seconds: NOON - timedelta(seconds=seconds))


def minutes(count: float) -> datetime:
    return NOON + timedelta(minutes=count)


@pytest.mark.parametrize(
    ("last_alert_at", "changed_at", "now", "since"),
    [
        (minutes(0), minutes(-99), minutes(60), None),
        (minutes(0), minutes(-99), minutes(60.1), minutes(0)),
        # Changed or switched on since: the wait begins then.
        (minutes(0), minutes(30), minutes(90), None),
        (minutes(0), minutes(30), minutes(91), minutes(30)),
        (None, minutes(0), minutes(60), None),
        (None, minutes(0), minutes(61), minutes(0)),
    ],
)
def test_alert_is_overdue_after_its_time(
    last_alert_at: datetime | None, changed_at: datetime, now: datetime, since: datetime | None
) -> None:
    found = overdue_since(expect_every_min=60, last_alert_at=last_alert_at, changed_at=changed_at, now=now)
    assert found == since


@given(st.none() | times, times)
def test_nothing_is_overdue_where_nothing_is_expected(last_alert_at: datetime | None, changed_at: datetime) -> None:
    assert overdue_since(expect_every_min=None, last_alert_at=last_alert_at, changed_at=changed_at, now=NOON) is None


@given(st.integers(1, 44640), st.none() | times, times, st.integers(0, 10**6))
def test_one_wait_has_one_beginning_however_often_it_is_judged(
    expected: int, last_alert_at: datetime | None, changed_at: datetime, later_s: int
) -> None:
    def judge(now: datetime) -> datetime | None:
        return overdue_since(expect_every_min=expected, last_alert_at=last_alert_at, changed_at=changed_at, now=now)

    first, second = judge(NOON), judge(NOON + timedelta(seconds=later_s))
    assert first is None or first == second
    assert second is None or NOON + timedelta(seconds=later_s) - second > timedelta(minutes=expected)
