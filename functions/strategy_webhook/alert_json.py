"""Parses an alert's body as JSON with every number as it was written, and writes such values back. Knows no field."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, TypeAlias

from shared.errors import RequestInvalid

_MAX_DEPTH = 32

Json: TypeAlias = "str | NumberText | bool | list[Json] | dict[str, Json] | None"


class NumberText(str):
    """A JSON number, digit for digit: neither rounded to a float nor expanded by a huge exponent."""

    __slots__ = ()


def parse_alert_json(raw: bytes) -> dict[str, Json]:
    """Return the fields of a body; raise RequestInvalid if it is not one JSON object.

    TradingView writes an unquoted NaN where an indicator has no value: it is read as the text "NaN".
    """
    try:
        found = json.loads(
            raw.decode("utf-8-sig"),
            parse_int=NumberText,
            parse_float=NumberText,
            parse_constant=str,
            object_pairs_hook=_fields_once,
        )
    except (ValueError, RecursionError) as error:
        raise RequestInvalid("body must be JSON") from error
    if not isinstance(found, dict):
        raise RequestInvalid("body must be a JSON object")
    if _depth_exceeds(found, _MAX_DEPTH):
        raise RequestInvalid("body must not be nested that deep")
    return found


def write_alert_json(value: Any) -> str:
    """Return a value as JSON text, numbers of a body as they were written."""
    match value:
        case NumberText():
            return str.__str__(value)
        case dict():
            return "{" + ", ".join(f"{json.dumps(key)}: {write_alert_json(item)}" for key, item in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(write_alert_json, value)) + "]"
        case _:
            return json.dumps(value)


def _fields_once(pairs: Sequence[tuple[str, Json]]) -> dict[str, Json]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        # Which of the two values was meant cannot be known.
        raise RequestInvalid("body must not name a field twice")
    return fields


def _depth_exceeds(value: Json, levels: int) -> bool:
    if not isinstance(value, (dict, list)):
        return False
    items = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(_depth_exceeds(item, levels - 1) for item in items)
