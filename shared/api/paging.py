"""Paging tokens, and pages of an index: opaque, tamper-evident, bound to their query. A page costs a page."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, Protocol, TypeVar

from shared.config import settings
from shared.secrets import derive_key

Position = dict[str, Any]
"""Where a page ended, as JSON: for a table or an index, DynamoDB's last evaluated key."""

_MAC_BYTES = 16

T = TypeVar("T")
_T_co = TypeVar("_T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some records, and where to go on; None when there is nothing more."""

    records: list[T]
    end: Position | None


class Results(Protocol[_T_co]):
    """What a PynamoDB query returns."""

    @property
    def last_evaluated_key(self) -> Position | None:
        """Where the iteration stands."""

    def __next__(self) -> _T_co:
        """Return the next record; raise StopIteration at the end."""


def seal_token(position: Position, *, scope: str) -> str:
    """Return the token for a position, which opens for the same scope only."""
    text = json.dumps(position, separators=(",", ":"), sort_keys=True).encode()
    return base64.urlsafe_b64encode(_mac(text, scope) + text).decode().rstrip("=")


def open_token(token: str, *, scope: str) -> Position:
    """Return the position of a token of ours; raise ValueError for any other."""
    sealed = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    mac, text = sealed[:_MAC_BYTES], sealed[_MAC_BYTES:]
    if not hmac.compare_digest(mac, _mac(text, scope)):
        raise ValueError("not a token of this query")
    # The last character has bits to spare: several spellings decode to the same bytes, and one of them is ours.
    if base64.urlsafe_b64encode(sealed).decode().rstrip("=") != token:
        raise ValueError("not the token as it was given")
    position: Position = json.loads(text)
    return position


def take_page(results: Results[T], limit: int) -> Page[T]:
    """Return the first `limit` results of a query that was asked for one more than that."""
    records: list[T] = []
    end: Position | None = None
    while len(records) < limit:
        try:
            records.append(next(results))
        except StopIteration:
            return Page(records, None)
        end = results.last_evaluated_key
    try:
        next(results)
    except StopIteration:
        return Page(records, None)
    return Page(records, end)


def in_order(keys: Iterable[Any], found: Mapping[Any, T]) -> list[T]:
    """Return the records in the order of their keys; one that went away meanwhile is left out."""
    return [found[key] for key in keys if key in found]


def listing(records: Iterable[T], *, shape: Callable[[T], Any], token: str | None) -> dict[str, Any]:
    """Return the documented list: `nextToken` only when there is more."""
    answer: dict[str, Any] = {"items": [shape(record) for record in records]}
    if token is not None:
        answer["nextToken"] = token
    return answer


def _mac(text: bytes, scope: str) -> bytes:
    # The scope is hashed first, so that no scope and text can be mistaken for another pair.
    bound = hashlib.sha256(scope.encode()).digest() + text
    return hmac.new(_key(settings().paging_key_id), bound, hashlib.sha256).digest()[:_MAC_BYTES]


@cache
def _key(key_id: str) -> bytes:
    return derive_key("paging tokens", key_id=key_id)
