"""Sends the demo's JSON requests to the local stack's own servers."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Mapping
from typing import Any

_TIMEOUT_S = 60
"""Long, because functions start cold, perhaps on a busy machine."""


def get(url: str) -> Any:
    """Return the JSON at an address."""
    return _answer(urllib.request.Request(url))  # noqa: S310 - our own server


def send(method: str, url: str, body: Any, headers: Mapping[str, str] | None = None) -> Any:
    """Send JSON and return the answer."""
    return _answer(
        urllib.request.Request(  # noqa: S310 - our own server
            url,
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json", **(headers or {})},
            method=method,
        )
    )


def _answer(request: urllib.request.Request) -> Any:
    with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310 - our own server
        text = answer.read()
    return json.loads(text) if text else None
