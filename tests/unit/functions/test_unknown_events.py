"""A scheduled function that is called by hand with a mistake says so, and does nothing."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest

from local.stack.deploy import read_template
from shared.clock import from_iso
from shared.worker import UnknownEvent, scheduled_at
from tests.lambda_context import FakeContext

SCHEDULED = [
    "balance_recorder",
    "key_inspector",
    "manual_trade_importer",
    "position_watcher",
    "report_sender",
    "strategy_reporter",
    "table_exporter",
]


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


@pytest.mark.parametrize(
    ("function", "event"),
    [
        ("report_sender", {"report": "DAILY"}),
        ("report_sender", {"report": ["WEEKLY"]}),
        ("report_sender", {"report": "WEEKLY", "before": "monday"}),
        ("report_sender", {"report": "WEEKLY", "before": None}),
        ("strategy_reporter", {"letter": "DAILY"}),
        ("strategy_reporter", {"letter": None}),
        ("strategy_reporter", {"letter": "WEEKLY", "before": "2026-11-31"}),
        ("strategy_reporter", {"strategy_id": None}),
        ("balance_recorder", {"api_key_id": ""}),
        ("balance_recorder", {"user_id": 7}),
        ("manual_trade_importer", {"api_key_id": ["a", "b"]}),
    ],
)
def test_a_call_by_hand_with_a_wrong_value_is_refused(function: str, event: dict[str, Any]) -> None:
    test_an_unknown_event_is_refused_before_anything_is_read(function, event)


def test_every_scheduled_function_is_tried() -> None:
    resources = read_template()["Resources"]
    scheduled = {
        resource["Properties"]["Handler"].split(".")[1]
        for resource in resources.values()
        if any(event["Type"] == "Schedule" for event in resource.get("Properties", {}).get("Events", {}).values())
    }
    assert scheduled == set(SCHEDULED)


def test_a_schedules_event_has_its_own_time() -> None:
    at = "2026-11-29T00:05:00Z"
    assert scheduled_at({"source": "aws.events", "time": at}) == from_iso(at)
