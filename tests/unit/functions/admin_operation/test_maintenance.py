from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from functions.admin_operation.app import lambda_handler
from functions.admin_setting_notification.app import lambda_handler as another_handler
from shared.api import maintenance
from tests.unit.admin_requests import Answer, fault, sample, send, with_body
from tests.unit.in_process_aws import aws_client

pytestmark = pytest.mark.usefixtures("admin_api")


def switch(active: Any) -> Answer:
    return send(lambda_handler, with_body(sample("admin_operation/set_maintenance"), {"active": active}))


def other() -> int:
    return send(another_handler, sample("admin_setting_notification/get_notification")).status


def test_maintenance_closes_the_api_and_leaves_the_way_to_end_it() -> None:
    assert other() == 200
    for _ in range(2):
        answer = switch(active=True)
        assert (answer.status, answer.body) == (200, {"active": True})
    assert other() == 503
    answer = switch(active=False)
    assert (answer.status, answer.body) == (200, {"active": False})
    assert other() == 200


def test_entries_can_be_halted_during_maintenance() -> None:
    switch(active=True)
    assert send(lambda_handler, sample("admin_operation/halt_entries")).status == 200
    assert send(lambda_handler, sample("admin_operation/resume_entries")).status == 200


@pytest.mark.parametrize("value", ["on", 1, None])
def test_the_switch_is_a_boolean(value: Any) -> None:
    answer = switch(value)
    assert (answer.status, answer.body["errors"]) == (422, [fault("must be boolean", "active", "body", value=value)])
    assert aws_client("ssm").get_parameter(Name="/unit/maintenance")["Parameter"]["Value"] == "off"


def test_a_switch_that_ssm_does_not_take_is_503(settings_from: Callable[..., None]) -> None:
    settings_from(MAINTENANCE_PARAMETER="/aws/maintenance")
    maintenance.forget_cached_switch()
    answer = switch(active=True)
    assert (answer.status, answer.body) == (503, {"message": "the switch cannot be stored"})
