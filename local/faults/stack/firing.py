"""Sends alerts to a deployed webhook as TradingView does, and times the answers. Reads no table."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

_TIMEOUT_S = 30
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass(frozen=True, slots=True)
class AlertAnswer:
    """The webhook's answer to one alert."""

    status: int
    """0 if the connection broke."""
    trigger_id: str | None
    took_ms: float


def post_alert(url: str, body: Mapping[str, Any]) -> AlertAnswer:
    """Send one alert and return the answer, errors included."""
    request = urllib.request.Request(  # noqa: S310 - our own stack
        url, data=json.dumps(body).encode(), headers={"Content-Type": "application/json"}, method="POST"
    )
    began = time.perf_counter()
    try:
        with _OPENER.open(request, timeout=_TIMEOUT_S) as answer:
            status, text = answer.status, answer.read()
    except urllib.error.HTTPError as error:
        status, text = error.code, b""
    except OSError:
        status, text = 0, b""
    took_ms = (time.perf_counter() - began) * 1000
    trigger_id = json.loads(text).get("id") if status == HTTPStatus.OK else None
    return AlertAnswer(status=status, trigger_id=trigger_id, took_ms=took_ms)
