"""A scheduled function that is called by hand with a mistake says so, and does nothing."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest

from shared.clock import from_iso
from shared.worker import UnknownEvent, scheduled_at
from tests.lambda_context import FakeContext

SCHEDULED = ["balance_recorder", "key_inspector", "manual_trade_importer", "position_watcher"]


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"nonsense": True},
        {"records": []},
        {"time": "2026-11-29T00:05:00Z"},
        {"source": "aws.eventz"},
        {"source": None},
        {"apiKeyId": "61b79e6d-7e22-4f91-b508-ef5be6a21419"},
        {"source": "aws.events", "time": "tomorrow"},
        {"source": "aws.events", "time": None},
        {"source": "aws.events", "time": 5},
    ],
)
@pytest.mark.parametrize("function", SCHEDULED)
def test_an_unknown_event_is_refused_before_anything_is_read(function: str, event: dict[str, Any]) -> None:
    handler: Callable[..., Any] = import_module(f"functions.{function}.app").lambda_handler
    with pytest.raises(UnknownEvent, match="nothing done"):
        handler(event, FakeContext())


def test_a_schedules_event_has_its_own_time() -> None:
    at = "2026-11-29T00:05:00Z"
    assert scheduled_at({"source": "aws.events", "time": at}) == from_iso(at)
