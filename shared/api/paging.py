"""Pages of tables and indexes and opaque, signed tokens that are bound to their query."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, NotRequired, TypedDict, TypeVar

from pynamodb.expressions.condition import Condition
from pynamodb.pagination import ResultIterator

from shared.config import settings
from shared.models.base import Table, in_chunks
from shared.process_state import process_cache
from shared.secrets import derive_key

Cursor = dict[str, Any]
"""Where a page ended, as JSON: for a table or an index, DynamoDB's last evaluated key."""

_MAC_BYTES = 16

K = TypeVar("K")
M = TypeVar("M", bound=Table)
T = TypeVar("T")


class Listing(TypedDict, Generic[T]):
    """A documented list."""

    items: list[T]
    nextToken: NotRequired[str]


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some records, and the cursor of the last one; None on the last page."""

    records: list[T]
    end: Cursor | None


def seal_token(cursor: Cursor, *, scope: str) -> str:
    """Return a token for a cursor, which is valid for the same scope only."""
    text = json.dumps(cursor, separators=(",", ":"), sort_keys=True).encode()
    return base64.urlsafe_b64encode(_mac(text, scope) + text).decode().rstrip("=")


def open_token(token: str, *, scope: str) -> Cursor:
    """Return the cursor in a token; raise ValueError if it is not of this scope and signed by us."""
    try:
        sealed = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except ValueError as error:
        raise ValueError("not a token of this query") from error
    mac, text = sealed[:_MAC_BYTES], sealed[_MAC_BYTES:]
    # The last character has unused bits: several spellings decode to the same bytes, and only one of them is ours.
    as_given = base64.urlsafe_b64encode(sealed).decode().rstrip("=") == token
    if not as_given or not hmac.compare_digest(mac, _mac(text, scope)):
        raise ValueError("not a token of this query")
    cursor: Cursor = json.loads(text)
    return cursor


def query_page(
    query: Callable[..., ResultIterator[K]],
    partition: str,
    within: Condition | None = None,
    *,
    load: Callable[[list[K]], Iterable[T | None]],
    limit: int,
    after: Cursor | None = None,
    newest_first: bool = False,
    consistent: bool = False,
) -> Page[T]:
    """Return up to `limit` records of a partition after a cursor; `query` is a table's or an index's method.

    `load` returns the record of each result, or None for a result that does not belong to the list.
    """
    results = query(
        partition,
        within,
        consistent_read=consistent,
        scan_index_forward=not newest_first,
        page_size=limit + 1,  # one more shows whether there is another page
        last_evaluated_key=after,
    )
    found: list[tuple[T, Cursor | None]] = []
    for chunk in in_chunks(_with_cursors(results), limit + 1):
        records = load([result for result, _ in chunk])
        found += [(record, end) for record, (_, end) in zip(records, chunk, strict=True) if record is not None]
        if len(found) > limit:
            return Page([record for record, _ in found[:limit]], found[limit - 1][1])
    return Page([record for record, _ in found], None)


def load_by_id(
    model: type[M], *, include: Callable[[M], bool] = lambda _: True
) -> Callable[[list[Any]], list[M | None]]:
    """Return the `load` of an index that holds keys only: it reads the records themselves, in the index's order."""

    def load(keys: list[Any]) -> list[M | None]:
        found = model.find_many(key.id for key in keys)
        records = (found.get(key.id) for key in keys)
        return [record if record is not None and include(record) else None for record in records]

    return load


def listing(items: Iterable[T], *, token: str | None) -> Listing[T]:
    """Return the documented list: with `nextToken` only if there is another page."""
    answer: Listing[T] = {"items": list(items)}
    if token is not None:
        answer["nextToken"] = token
    return answer


def _with_cursors(results: ResultIterator[K]) -> Iterator[tuple[K, Cursor | None]]:
    for result in results:
        yield result, results.last_evaluated_key


def _mac(text: bytes, scope: str) -> bytes:
    # The scope is hashed first, so that no scope and text can be mistaken for another pair.
    bound = hashlib.sha256(scope.encode()).digest() + text
    return hmac.new(_key(settings().paging_key_id), bound, hashlib.sha256).digest()[:_MAC_BYTES]


@process_cache
def _key(key_id: str) -> bytes:
    return derive_key("paging tokens", key_id=key_id)
