"""The query of a user's own trade histories: a span of days, or a calendar year in a time zone, in JSON or CSV."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema

from shared.api.days import DaysQuery
from shared.api.fields import FaultMessage
from shared.api.formats import FormattedListQuery

_FIRST_YEAR, _LAST_YEAR = 2000, 2100
_DIGITS = re.compile(r"[0-9]{4}")
_ZONE = re.compile(r"[A-Za-z0-9_+/-]{1,64}")


def _parse_year(text: Any) -> int:
    if not isinstance(text, str) or not _DIGITS.fullmatch(text) or not _FIRST_YEAR <= int(text) <= _LAST_YEAR:
        raise ValueError("no year")
    return int(text)


def _check_zone(name: str) -> str:
    try:
        found = _ZONE.fullmatch(name) is not None and ZoneInfo(name) is not None
    except (KeyError, OSError) as error:
        raise ValueError("no time zone") from error
    if not found:
        raise ValueError("no time zone")
    return name


Year = Annotated[
    int,
    BeforeValidator(_parse_year),
    WithJsonSchema({"type": "integer", "minimum": _FIRST_YEAR, "maximum": _LAST_YEAR}),
    FaultMessage(f"must be year from {_FIRST_YEAR} to {_LAST_YEAR}"),
]

Zone = Annotated[
    str,
    AfterValidator(_check_zone),
    WithJsonSchema({"type": "string", "pattern": "^[A-Za-z0-9_+/-]{1,64}$", "example": "Europe/Berlin"}),
    FaultMessage("must be IANA time zone"),
]


class TradeHistoryQuery(DaysQuery, FormattedListQuery):
    """The query. With a `year`, `start` and `limit` are not used."""

    unbound: ClassVar[tuple[str, ...]] = ("format", "nextToken")

    year: Year | None = None
    zone: Zone = "UTC"

    @property
    def time_zone(self) -> ZoneInfo:
        """The zone in which the year is counted and times of a CSV are written."""
        return ZoneInfo(self.zone)

    @property
    def period(self) -> tuple[datetime, datetime]:
        """Return the year's start and its end, which is exclusive; of a span of days, the span's."""
        if self.year is None:
            return self.span
        start, end = (datetime(year, 1, 1, tzinfo=self.time_zone) for year in (self.year, self.year + 1))
        return start.astimezone(UTC), end.astimezone(UTC)
