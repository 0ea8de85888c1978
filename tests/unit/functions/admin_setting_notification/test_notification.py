from __future__ import annotations

from typing import Any

import pytest

from functions.admin_setting_notification.app import lambda_handler
from shared.clock import from_iso
from shared.models.notification_setting import NotificationSetting
from tests.unit.admin_requests import fault, sample, send, with_body

GET = "admin_setting_notification/get_notification"
UPDATE = "admin_setting_notification/update_notification"
SWITCHES = (
    "notifyUserReachNearMaxBalance",
    "notifyAdminUserReachNearMaxBalance",
    "notifyWeeklyReport",
    "notifyMonthlyReport",
)
TIMES = {"createdAt", "updatedAt"}

pytestmark = pytest.mark.usefixtures("admin_api")


def switches(body: dict[str, Any]) -> dict[str, Any]:
    assert set(body) == {*SWITCHES, *TIMES}
    return {name: body[name] for name in SWITCHES}


def test_every_switch_is_off_from_the_start_and_the_times_stay() -> None:
    first = send(lambda_handler, sample(GET))
    assert first.status == 200
    assert switches(first.body) == dict.fromkeys(SWITCHES, False)
    assert send(lambda_handler, sample(GET)).body == first.body


def test_change_is_partial_and_lasts() -> None:
    before = send(lambda_handler, sample(GET)).body
    answer = send(lambda_handler, with_body(sample(UPDATE), {"notifyMonthlyReport": True, "notifyWeeklyReport": True}))
    assert answer.status == 200
    answer = send(lambda_handler, with_body(sample(UPDATE), {"notifyWeeklyReport": False}))
    assert switches(answer.body) == dict.fromkeys(SWITCHES, False) | {"notifyMonthlyReport": True}
    assert answer.body["createdAt"] == before["createdAt"]
    assert from_iso(answer.body["updatedAt"]) >= from_iso(before["updatedAt"])
    assert send(lambda_handler, sample(GET)).body == answer.body


def test_first_request_may_be_a_change() -> None:
    assert switches(send(lambda_handler, sample(UPDATE)).body)["notifyMonthlyReport"] is True


def test_what_was_read_can_be_edited_and_sent_back() -> None:
    read = send(lambda_handler, sample(GET)).body
    answer = send(lambda_handler, with_body(sample(UPDATE), read | {"notifyWeeklyReport": True, "createdAt": "x"}))
    assert answer.status == 200
    assert answer.body["createdAt"] == read["createdAt"]
    assert switches(answer.body) == dict.fromkeys(SWITCHES, False) | {"notifyWeeklyReport": True}


def test_empty_change_changes_nothing() -> None:
    before = send(lambda_handler, sample(GET)).body
    answer = send(lambda_handler, with_body(sample(UPDATE), {}))
    assert (answer.status, answer.body) == (200, before)


def test_faults_come_in_the_documented_order_and_change_nothing() -> None:
    body = {"else": None, "notifyMonthlyReport": None, "notifyWeeklyReport": True, "notifyUserReachNearMaxBalance": 1}
    answer = send(lambda_handler, with_body(sample(UPDATE), body))
    assert answer.status == 422
    assert answer.body["errors"] == [
        fault("must be boolean", "notifyUserReachNearMaxBalance", "body", value=1),
        fault("must be boolean", "notifyMonthlyReport", "body", value=None),
        fault("unknown field", "else", "body"),
    ]
    assert NotificationSetting.find("default") is None


def test_users_outside_the_group_are_forbidden() -> None:
    answer = send(lambda_handler, sample("admin_setting_notification/get_notification_outside_group"))
    assert (answer.status, answer.body) == (403, {"message": "forbidden"})
