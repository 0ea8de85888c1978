"""An operator reads what the webhook has refused: newest first, page by page, for as long as it is kept."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from functions.admin_operation.app import lambda_handler
from shared.api.redaction import REMOVED
from shared.api.refused_alerts import keep_refused_alert
from shared.clock import to_iso
from tests.unit.admin_requests import pages, sample, send
from tests.unit.records import STARTED_AT, STRATEGY_ID

EVENT = "admin_operation/list_refused_alerts"
FAULT = {"value": "hold", "msg": "must be supported trade side", "param": "type", "location": "body"}

pytestmark = pytest.mark.usefixtures("admin_api")


def refuse(minute: int, *, status: int = 422) -> None:
    keep_refused_alert(
        {"strategy": STRATEGY_ID, "secret": "s3cret", "alertId": str(minute)},
        strategy_id=STRATEGY_ID,
        status=status,
        faults=[FAULT] if status == 422 else [],
        at=STARTED_AT + timedelta(minutes=minute),
    )


def test_nothing_refused_is_an_empty_list() -> None:
    answer = send(lambda_handler, sample(EVENT))
    assert (answer.status, answer.body) == (200, {"items": []})


def test_refused_alerts_are_listed_newest_first_with_their_faults() -> None:
    refuse(0)
    refuse(1, status=401)
    answer = send(lambda_handler, sample(EVENT))
    newest, oldest = answer.body["items"]
    assert (newest["status"], newest["errors"]) == (401, [])
    assert json.loads(oldest.pop("body")) == {"strategy": STRATEGY_ID, "secret": REMOVED, "alertId": "0"}
    assert oldest == {
        "strategyId": STRATEGY_ID,
        "status": 422,
        "errors": [{"param": "type", "msg": "must be supported trade side"}],
        "cut": False,
        "receivedAt": to_iso(STARTED_AT),
    }
    assert "s3cret" not in answer.text


def test_list_has_pages() -> None:
    for minute in range(5):
        refuse(minute)
    found = pages(lambda_handler, sample(EVENT), limit=2)
    assert [len(page) for page in found] == [2, 2, 1]
    times = [item["receivedAt"] for page in found for item in page]
    assert times == sorted(times, reverse=True)
