"""Lists of days: `start` and `limit` define a span of UTC days, which is answered in pages. Knows no table."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, ClassVar, Generic, TypedDict, TypeVar

from pydantic import BeforeValidator, Field, WithJsonSchema

from shared.api.fields import FaultMessage, Limit
from shared.api.paging import Cursor, Page
from shared.api.requests import ListQuery, Query
from shared.clock import from_iso, to_iso, utc_now

PAGE_ITEMS = 100
"""The size of a page; `limit` counts days."""

FOREVER = datetime.max.replace(tzinfo=UTC, microsecond=0)
_DAY = timedelta(days=1)

T = TypeVar("T")


def _parse_time(text: Any) -> datetime:
    if not isinstance(text, str):
        raise ValueError("not a text")  # noqa: TRY004 - pydantic takes a ValueError for a fault
    try:
        return from_iso(text.strip())
    except OverflowError as error:
        raise ValueError("no such time in UTC") from error


Start = Annotated[
    datetime,
    BeforeValidator(_parse_time),
    WithJsonSchema({"anyOf": [{"type": "string", "format": "date"}, {"type": "string", "format": "date-time"}]}),
    FaultMessage("must be date or datetime"),
]
"""A date or a datetime, in UTC unless it has an offset."""


class DaysListing(TypedDict, Generic[T]):
    """A documented list of days: `nextToken` is always there."""

    items: list[T]
    nextToken: str | None


class SinceQuery(Query):
    """A query with an optional first day."""

    start: Start | None = None

    @property
    def first_day(self) -> str | None:
        """The UTC day that the query starts with, `2022-06-01`; None for everything."""
        return None if self.start is None else self.start.date().isoformat()


class DaysQuery(ListQuery):
    """A span of UTC days: `limit` of them from `start`, which is inclusive, else the last ones, today's included.

    The token is bound to the limit too, because that is no size of pages here.
    """

    unbound: ClassVar[tuple[str, ...]] = ("nextToken",)

    start_at: Annotated[Start | None, FaultMessage("must be date or datetime")] = Field(default=None, alias="start")
    limit: Limit = 30

    @property
    def span(self) -> tuple[datetime, datetime]:
        """Return the span's start, and its end, which is exclusive."""
        cursor = self.next_token
        since = from_iso(cursor["since"]) if cursor else self.start_at
        if since is None:
            # The first page puts it into the token, so that a list which is read across midnight stays the same.
            return _midnight(utc_now()) - (self.limit - 1) * _DAY, FOREVER
        if self.start_at is None:
            return since, FOREVER
        try:
            return since, _midnight(since) + self.limit * _DAY
        except OverflowError:
            return since, FOREVER

    @property
    def after(self) -> Cursor | None:
        """Where the page starts in the index; None for the first one."""
        cursor: Cursor | None = self.next_token
        return cursor["key"] if cursor else None

    def listing(self, items: Iterable[T], page: Page[Any]) -> DaysListing[T]:
        """Return the documented list."""
        cursor = None if page.end is None else {"key": page.end, "since": to_iso(self.span[0])}
        return {"items": list(items), "nextToken": self.token_after(cursor)}


def _midnight(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)
