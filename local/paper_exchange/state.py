"""Writes the venue to a JSON file and reads it back, so that money and orders survive. Knows no field by name."""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any

from local.paper_exchange.venue import Venue

_FORMAT = 1


def save(venue: Venue, path: Path) -> None:
    """Replace the file atomically, so that a crash leaves the old one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    written = path.with_suffix(path.suffix + ".new")
    written.write_text(json.dumps({"format": _FORMAT, "venue": encode(venue)}))
    written.replace(path)


def load(path: Path) -> Venue:
    """Read what `save` wrote; raise ValueError for any other file."""
    document = json.loads(path.read_text())
    if not isinstance(document, dict) or document.get("format") != _FORMAT:
        raise ValueError(f"{path} is not a state file of this version")
    venue = decode(Venue, document["venue"])
    assert isinstance(venue, Venue)  # noqa: S101 - decode returns what it was asked for
    return venue


def encode(value: Any) -> Any:  # noqa: PLR0911 - one return per kind of value
    """Return the value in JSON types, with decimals as strings to keep every digit."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: encode(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, dict):
        return {str(key): encode(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [encode(entry) for entry in value]
    if isinstance(value, set):
        return sorted(encode(entry) for entry in value)
    return value


def decode(kind: Any, value: Any) -> Any:  # noqa: PLR0911 - one return per kind of value
    """Return the value as an object of the annotated type."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        chosen = next(argument for argument in arguments if argument is not type(None))
        return None if value is None else decode(chosen, value)
    if origin is list:
        return [decode(arguments[0], entry) for entry in value]
    if origin is set:
        return {decode(arguments[0], entry) for entry in value}
    if origin is dict:
        return {decode(arguments[0], key): decode(arguments[1], entry) for key, entry in value.items()}
    if kind is type(None):
        return None
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        known = {field.name for field in dataclasses.fields(kind)}
        return kind(**{name: decode(hints[name], entry) for name, entry in value.items() if name in known})
    if isinstance(kind, type) and (issubclass(kind, Enum | Decimal) or kind is int):
        return kind(value)
    return value
