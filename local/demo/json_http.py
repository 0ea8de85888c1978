"""Sends the demo's JSON requests to the local stack's own servers."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

_TIMEOUT_S = 60
"""Long, because functions start cold, perhaps on a busy machine."""


def get(url: str, headers: Mapping[str, str] | None = None) -> Any:
    """Return the JSON at an address."""
    return _answer(urllib.request.Request(url, headers=dict(headers or {})))  # noqa: S310 - our own server


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


def submit(url: str, form: Mapping[str, str]) -> None:
    """Submit a form of a page as a browser does, and stay where it sends the browser from: on our own server."""
    request = urllib.request.Request(url, data=urllib.parse.urlencode(form).encode())  # noqa: S310 - our own server
    try:
        urllib.request.build_opener(_NoRedirect).open(request, timeout=_TIMEOUT_S).close()
    except urllib.error.HTTPError as error:
        if error.code != HTTPStatus.SEE_OTHER:
            raise


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def _answer(request: urllib.request.Request) -> Any:
    with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310 - our own server
        text = answer.read()
    return json.loads(text) if text else None
