"""Reads the bodies that Stripe's library sends: forms with nested field names. Knows no resource."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl

_NAME = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
_PART = re.compile(r"\[([^\[\]]*)\]")


def read_form(text: str) -> dict[str, Any]:
    """Return the fields: `recurring[interval]=month` is {"recurring": {"interval": "month"}}, `expand[0]` a list."""
    found: dict[str, Any] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        match = _NAME.fullmatch(name)
        if match is None:
            found[name] = value
            continue
        path = [match[1], *_PART.findall(match[2])]
        level = found
        for part in path[:-1]:
            deeper = level.setdefault(part, {})
            level = deeper if isinstance(deeper, dict) else {}
        level[path[-1] or str(len(level))] = value
    return {name: _lists(value) for name, value in found.items()}


def _lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    inner = {name: _lists(item) for name, item in value.items()}
    return list(inner.values()) if inner and all(name.isdigit() for name in inner) else inner
