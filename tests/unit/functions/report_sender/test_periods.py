"""The week or month of a report."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.report_sender.periods import last_period
from shared.messages import Report

DAYS = st.dates(min_value=date(2000, 1, 1), max_value=date(2100, 12, 31))


@pytest.mark.parametrize("day", ["2022-09-12", "2022-09-13", "2022-09-18"])
def test_the_last_week_is_from_monday_to_sunday(day: str) -> None:
    assert last_period(Report.WEEKLY, before=date.fromisoformat(day)).cause == "2022-09-05/2022-09-11"


@pytest.mark.parametrize(
    ("day", "cause"),
    [
        ("2022-10-01", "2022-09-01/2022-09-30"),
        ("2022-10-31", "2022-09-01/2022-09-30"),
        ("2024-03-01", "2024-02-01/2024-02-29"),
        ("2023-01-01", "2022-12-01/2022-12-31"),
    ],
)
def test_the_last_month_is_whole(day: str, cause: str) -> None:
    assert last_period(Report.MONTHLY, before=date.fromisoformat(day)).cause == cause


@given(DAYS, st.sampled_from(Report))
def test_period_has_ended_and_the_next_one_follows_it(day: date, report: Report) -> None:
    period = last_period(report, before=day)
    assert period.last_day < day
    following = last_period(report, before=period.last_day + timedelta(days=32))
    while following.first_day > period.last_day + timedelta(days=1):
        following = last_period(report, before=following.first_day)
    assert following.first_day == period.last_day + timedelta(days=1)
    assert (period.days[0], period.days[-1]) == (period.first_day, period.last_day)
