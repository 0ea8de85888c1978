"""What happened to a user's money and account, oldest first, to be read again from any place. Knows no HTTP.

The events are the user's notices, whether they were sent or not. They are listed in the order in which they were
recorded, and only once they are some seconds old: clocks differ, and an index lags. So nothing ever appears before a
place that a client has read up to.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Final, TypedDict

from pydantic import AfterValidator, WithJsonSchema
from pydantic.alias_generators import to_camel

from shared.api import grammar
from shared.api.answers import Id, Time
from shared.api.fields import FaultMessage, Limit
from shared.api.paging import Cursor, query_page
from shared.api.requests import Query
from shared.clock import from_iso, to_iso, utc_now
from shared.models.notice import Notice
from shared.notifications.notice_types import NoticeKind, from_json
from shared.notifications.recipients import to_user

SETTLED_AFTER: Final = timedelta(seconds=5)
"""How old an event is before it is listed."""

_PLACE = re.compile(rf"(\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{{3}}Z)_({grammar.UUID})")


def _check_place(text: str) -> str:
    found = _PLACE.fullmatch(text)
    if found is None or to_iso(from_iso(found[1])) != found[1]:
        raise ValueError("no place")
    return text


class EventQuery(Query):
    """List Events: the query. `after` is the `place` of the last event that the client has."""

    unbound: ClassVar[tuple[str, ...]] = ()

    after: Annotated[
        str | None,
        AfterValidator(lambda text: text if text is None else _check_place(text)),
        WithJsonSchema({"type": "string"}),
        FaultMessage("must be place of an event"),
    ] = None
    limit: Limit = 100


class EventItem(TypedDict):
    """List Events: one event. `data` depends on `kind`."""

    id: Id
    place: str
    kind: NoticeKind
    data: dict[str, Any]
    createdAt: Time


class Events(TypedDict):
    """List Events: the answer. `more` is true if there are more after the last one already."""

    items: list[EventItem]
    more: bool


def list_events(user_id: str, query: EventQuery) -> Events:
    """Return the events after a place, oldest first."""
    recipient = to_user(user_id)
    page = query_page(
        Notice.by_recorded.query,
        recipient,
        Notice.recorded_at <= utc_now() - SETTLED_AFTER,
        load=_load,
        limit=query.limit,
        after=None if query.after is None else _cursor_of(query.after, recipient),
    )
    return {"items": [_item(notice) for notice in page.records], "more": page.end is not None}


def _load(keys: list[Notice]) -> list[Notice | None]:
    found = Notice.find_many(key.id for key in keys)
    # A record may have expired since the index was read.
    return [found.get(key.id) for key in keys]


def _cursor_of(place: str, recipient: str) -> Cursor:
    recorded_at, _, notice_id = place.partition("_")
    return {"recipient": {"S": recipient}, "recorded_at": {"S": recorded_at}, "id": {"S": notice_id}}


def _item(notice: Notice) -> EventItem:
    kind = NoticeKind(notice.kind)
    return {
        "id": notice.id,
        "place": f"{to_iso(notice.recorded_at)}_{notice.id}",
        "kind": kind,
        "data": _in_camel_case(asdict(from_json(kind, notice.content))),
        "createdAt": to_iso(notice.created_at),
    }


def _in_camel_case(value: Any) -> Any:
    match value:
        case Mapping():
            return {to_camel(str(name)): _in_camel_case(inner) for name, inner in value.items()}
        case list() | tuple():
            return [_in_camel_case(inner) for inner in value]
        case _:
            return value
