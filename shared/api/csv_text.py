"""Writes lists as CSV (RFC 4180), with the fields of their JSON, and no cell that a spreadsheet would run.

A list in CSV has a column for each field of its rows' `TypedDict`: objects are spread over `Object.field`, a `dict`
with an enum's members for keys over all of them. So a field that is added to the answer is a column too.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, get_args, get_origin, get_type_hints, is_typeddict

from shared.api.json_text import write_json

TEXT_CSV = "text/csv"

# Spreadsheets run a cell that begins like a formula, in full-width characters too. A spreadsheet that splits at
# semicolons or tabs, not at our comma, begins a cell after each of those; quotes and blanks before it do not matter.
_FORMULA = re.compile(r"(^|[;\t\r\n])((?:\"|[^\S\t\r\n])*)(?=[=+\-@\uff1d\uff0b\uff0d\uff20])")


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvFile:
    """A page of a list in CSV: a handler returns it in place of a body of JSON."""

    name: str
    """The name of the file."""
    text: str
    next_token: str | None
    """The token of the next page, None on the last one. It is sent as a header, because a CSV has nothing but rows."""


def write_csv(kind: Any, rows: Iterable[Mapping[str, Any]]) -> str:
    """Return rows of a TypedDict `kind` as CSV, after a row with the columns' names."""
    columns = _columns(kind)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(".".join(path) for path in columns)
    writer.writerows([_cell(_at(row, path)) for path in columns] for row in rows)
    return text.getvalue()


def _columns(kind: Any) -> list[tuple[str, ...]]:
    """Return the path to each value of a row."""
    found: list[tuple[str, ...]] = []
    for name, hint in get_type_hints(kind).items():
        inner: list[tuple[str, ...]] = [()]
        if is_typeddict(hint):
            inner = _columns(hint)
        elif get_origin(hint) is dict:
            members: type[Enum] = get_args(hint)[0]
            inner = [(str(member.value),) for member in members]
        found += [(name, *path) for path in inner]
    return found


def _at(row: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        row = row[name]
    return row


def _cell(value: Any) -> str:
    match value:
        case None:
            return ""
        case str():
            return _FORMULA.sub(r"\1\2'", value)
        case list() | Mapping():
            raise TypeError(f"a {type(value).__name__} has no cell")
        case _:
            return write_json(value)
