"""Reports on real engines: one message handled by many workers at once, and pages through a real queue."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any
from uuid import uuid4

import pytest

from functions.notice_sender import service as notice_service
from functions.report_sender import service
from functions.report_sender.app import lambda_handler
from functions.report_sender.periods import Period
from shared.clock import utc_now
from shared.messages import Report, ReportMessage
from shared.models.notification_setting import NotificationSetting
from shared.models.user import User
from tests.integration.embedded_aws import EmbeddedAws
from tests.integration.notices.stand_ins import Letters
from tests.lambda_context import FakeContext
from tests.unit import records
from tests.unit.functions.report_sender.days import a_trade

WEEK = Period(Report.WEEKLY, date(2022, 9, 5), date(2022, 9, 11))


@pytest.fixture(autouse=True)
def _switched_on(aws: EmbeddedAws) -> Iterator[None]:
    setting = NotificationSetting(notify_weekly_report=True, created_at=utc_now(), updated_at=utc_now())
    setting.save()
    yield
    # Tests share their tables.
    setting.delete()


def a_trader() -> User:
    user_id = str(uuid4())
    user = records.a_user(user_id, email=f"{user_id}@example.com", email_verified=True)
    a_trade("2022-09-07", "12.5", user_id=user_id, api_key_id=str(uuid4()), balance="1000")
    return user


def test_report_handled_by_many_workers_at_once_is_one_email(aws: EmbeddedAws, letters: Letters) -> None:
    user = a_trader()
    message = ReportMessage(Report.WEEKLY, WEEK.first_day.isoformat(), WEEK.last_day.isoformat(), user.id)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(service.create_report, [message] * 8))
        ids = [one["notice_id"] for one in aws.taken_from(aws.notices)]
        list(pool.map(notice_service.send, ids))
    assert len(set(ids)) == 1
    (letter,) = letters.to(user.email)
    assert letter["Subject"] == "Lockstep: Your week: +12.50 USDT"
    assert 'src="cid:equity"' in letter["BodyHtml"]


def test_pages_reach_every_user_over_the_queue(
    aws: EmbeddedAws, letters: Letters, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "PAGE_SIZE", 2)
    users = [a_trader() for _ in range(5)]
    lambda_handler({"report": "WEEKLY", "before": "2022-09-12"}, FakeContext())
    while messages := aws.taken_from(aws.reports):
        event = {"Records": [record(one) for one in messages]}
        assert lambda_handler(event, FakeContext()) == {"batchItemFailures": []}
    for notice_id in {one["notice_id"] for one in aws.taken_from(aws.notices)}:
        notice_service.send(notice_id)
    assert [len(letters.to(user.email)) for user in users] == [1] * 5


def record(message: dict[str, Any]) -> dict[str, Any]:
    return {"messageId": str(uuid4()), "receiptHandle": "x", "body": json.dumps(message)}
