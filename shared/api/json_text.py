"""Reads and writes JSON with exact numbers: never a float, and never a text where the documentation has a number."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any, Final, NoReturn

from shared.clock import to_iso
from shared.errors import RequestInvalid

MAX_DEPTH: Final = 32
"""Levels of a request's JSON. An answer repeats what a request said, and writing it takes a call for each level."""

_PLAIN_EXPONENT = 40
"""Beyond this, plain notation would be all zeros: a request's 1E+999999 must not come back as a megabyte."""

_MAX_EXPONENT_DIGITS: Final = 4
_MAX_NUMBER_LENGTH: Final = 4000
"""Beyond these, Python makes no `int` of the digits, and Decimal no number of the exponent."""


class NumberText(str):
    """A JSON number, digit for digit: neither rounded to a float nor expanded by a huge exponent."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class OutsizedNumber:
    """A JSON number that neither `int` nor Decimal holds. No field takes it, and a fault repeats its digits."""

    text: str

    def __str__(self) -> str:
        """Return the digits."""
        return self.text


def exact_number(text: str) -> int | Decimal | OutsizedNumber:
    """Return the very number that a JSON text of one stands for."""
    mantissa, _, exponent = text.lower().partition("e")
    if len(mantissa) > _MAX_NUMBER_LENGTH or len(exponent.lstrip("+-").lstrip("0")) > _MAX_EXPONENT_DIGITS:
        return OutsizedNumber(text)
    return Decimal(text) if exponent or "." in mantissa else int(text)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How to read what JSON leaves open, or forbids and a sender writes all the same."""

    number: Callable[[str], Any] = exact_number
    constant: Callable[[str], Any] = _refuse_constant
    """Reads NaN and Infinity, which are no JSON."""
    raw_controls: bool = False
    """Whether texts may hold control characters, such as line breaks, that are not escaped."""


STRICT: Final = Dialect()


def read_object(raw: bytes, *, called: str = "body", dialect: Dialect = STRICT) -> dict[str, Any]:
    """Return the fields of a request's body, which may begin with a byte order mark; raise RequestInvalid.

    The body must be one JSON object of at most MAX_DEPTH levels, and no name stands twice in an object.
    """
    try:
        found = json.loads(
            raw.decode("utf-8-sig"),
            parse_int=dialect.number,
            parse_float=dialect.number,
            parse_constant=dialect.constant,
            object_pairs_hook=partial(_fields_once, called=called),
            strict=not dialect.raw_controls,
        )
    except (ValueError, RecursionError) as error:
        raise RequestInvalid(f"{called} must be JSON") from error
    if not isinstance(found, dict):
        raise RequestInvalid(f"{called} must be a JSON object")
    if _depth_exceeds(found, MAX_DEPTH):
        raise RequestInvalid(f"{called} must not be nested that deep")
    return found


def read_json(text: str) -> Any:
    """Return the value of a JSON text of ours, numbers with a point as Decimal; raise ValueError if it is no JSON."""
    try:
        return json.loads(text, parse_float=Decimal, parse_constant=_refuse_constant)
    except RecursionError as error:
        raise ValueError("nested too deep") from error


def write_json(value: Any) -> str:
    """Return the JSON text: Decimals as the very number, times as ISO 8601 with milliseconds and `Z`."""
    match value:
        case NumberText() | OutsizedNumber():
            return str(value)
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


def _fields_once(pairs: Sequence[tuple[str, Any]], *, called: str) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        # Which of the two values was meant cannot be known.
        raise RequestInvalid(f"{called} must not name a field twice")
    return fields


def _depth_exceeds(value: Any, levels: int) -> bool:
    if not isinstance(value, (dict, list)):
        return False
    items = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(_depth_exceeds(item, levels - 1) for item in items)
