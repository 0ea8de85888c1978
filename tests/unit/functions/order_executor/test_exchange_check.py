from __future__ import annotations

import time
from typing import Any

import pytest

from functions.order_executor import app
from shared.exchange import transport
from tests.lambda_context import FakeContext


def test_executor_tells_the_exchanges_clock_as_seen_from_its_lane(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str]] = []

    async def call(client: Any, name: str, params: dict[str, Any], *, timeout_s: float) -> Any:
        asked.append((client.lane, name))
        return {"serverTime": time.time_ns() // 1_000_000 + 700}

    monkeypatch.setattr(transport, "call", call)

    answer = app.lambda_handler({"check": "exchange"}, FakeContext())

    assert asked == [("lane-1", "fapiPublicGetTime")]
    assert answer["lane"] == "lane-1"
    assert 600 < answer["clock_offset_ms"] <= 700
