"""Reads and writes JSON with exact numbers: never a float, and never a text where the documentation has a number."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from shared.clock import to_iso

_PLAIN_EXPONENT = 40
"""Beyond this, plain notation would be all zeros: a request's 1E+999999 must not come back as a megabyte."""


def read_json(text: str) -> Any:
    """Return the value of a JSON text, numbers with a point as Decimal; raise ValueError if it is no JSON."""
    try:
        return json.loads(text, parse_float=Decimal, parse_constant=_refuse_constant)
    except RecursionError as error:
        raise ValueError("nested too deep") from error


def write_json(value: Any) -> str:
    """Return the JSON text: Decimals as the very number, times as ISO 8601 with milliseconds and `Z`."""
    match value:
        case None | bool() | int() | str():
            return json.dumps(value)
        case Decimal() | float():
            # The shortest text of a float is the number that the exchange sent.
            return _number(Decimal(str(value)))
        case datetime():
            return f'"{to_iso(value)}"'
        case Mapping():
            return "{" + ",".join(f"{json.dumps(str(key))}:{write_json(item)}" for key, item in value.items()) + "}"
        case Sequence():
            return "[" + ",".join(map(write_json, value)) + "]"
        case _:
            raise TypeError(f"a {type(value).__name__} has no JSON")


def _number(value: Decimal) -> str:
    if not value.is_finite():
        raise ValueError(f"JSON has no number {value}")
    if not value:
        return "0"
    if abs(value.adjusted()) > _PLAIN_EXPONENT:
        return str(value)
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")
