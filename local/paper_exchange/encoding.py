"""Writes answers as JSON: long lists from rows that are written once and kept. Knows no route and no field."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any


def encoded(value: Any) -> bytes:
    """Return the value as JSON without blanks, as the exchange sends it."""
    return json.dumps(value, separators=(",", ":")).encode()


def encoded_list(rows: Iterable[bytes]) -> bytes:
    """Return a list of rows that are JSON already."""
    return b"[" + b",".join(rows) + b"]"


def with_list(fields: dict[str, Any], name: str, rows: Iterable[bytes]) -> bytes:
    """Return an object of these fields, and as its last one a list of rows that are JSON already."""
    return encoded(fields)[:-1] + b"," + encoded(name) + b":" + encoded_list(rows) + b"}"
