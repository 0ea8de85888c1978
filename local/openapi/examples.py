"""Example bodies of requests, from the sample events that tests and `make invoke` use. Invents none."""

from __future__ import annotations

import json
import re
from typing import Any

from local.stack.places import ROOT

_EVENTS = ROOT / "events"
_REFUSED = ("wrong", "empty", "unknown", "outside")
"""Words in the names of samples that are refused."""


def examples_of(package: str, method: str, path: str) -> dict[str, Any]:
    """Return the bodies of a function's samples for a deployed route, by the samples' names."""
    route = re.compile(re.sub(r"\{\w+\}", "[^/]+", path))
    found: dict[str, Any] = {}
    for file in sorted((_EVENTS / package).glob("*.json")):
        if any(word in file.stem for word in _REFUSED):
            continue
        event = json.loads(file.read_text(encoding="utf-8"))
        if event.get("httpMethod") == method and route.fullmatch(event.get("path", "")) and event.get("body"):
            found[file.stem] = {"value": json.loads(event["body"])}
    return found
