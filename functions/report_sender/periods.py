"""The periods of reports: whole weeks from Monday, and whole months; days are UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import assert_never

from shared.messages import Report

_DAY = timedelta(days=1)
_WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Period:
    """A week or a month."""

    report: Report
    first_day: date
    last_day: date

    @property
    def days(self) -> list[date]:
        """Every day of the period."""
        return [self.first_day + number * _DAY for number in range((self.last_day - self.first_day).days + 1)]

    @property
    def cause(self) -> str:
        """The cause of the period's notices: with kind and user, it identifies one report."""
        return f"{self.first_day.isoformat()}/{self.last_day.isoformat()}"


def last_period(report: Report, *, before: date) -> Period:
    """Return the last week or month that had ended when the day `before` began."""
    match report:
        case Report.WEEKLY:
            monday = before - before.weekday() * _DAY
            return Period(report, monday - _WEEK, monday - _DAY)
        case Report.MONTHLY:
            last_day = before.replace(day=1) - _DAY
            return Period(report, last_day.replace(day=1), last_day)
        case _:
            assert_never(report)
