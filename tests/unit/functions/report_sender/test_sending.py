"""From the schedule to each user's notice: page by page, once for each user and period, unless they opted out."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from functions.report_sender import service
from functions.report_sender.app import lambda_handler
from shared.models.notice import Notice
from shared.models.notification_setting import NotificationSetting
from shared.models.performance_day import TradeLedger
from shared.models.user import User
from shared.notifications.notice_types import MonthlyReport, NoticeKind, WeeklyReport, from_json
from tests.lambda_context import FakeContext
from tests.unit.functions.report_sender.days import a_trade
from tests.unit.in_process_aws import Queues
from tests.unit.records import STARTED_AT, USER_ID, a_user, id_of

WEEK = {"report": "WEEKLY", "first_day": "2022-09-05", "last_day": "2022-09-11"}


def sample(name: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((Path("events/report_sender") / f"{name}.json").read_text(encoding="utf-8"))
    return event


def switch(*, weekly: bool = False, monthly: bool = False) -> None:
    NotificationSetting(
        notify_weekly_report=weekly, notify_monthly_report=monthly, created_at=STARTED_AT, updated_at=STARTED_AT
    ).save()


def deliver(*messages: dict[str, Any]) -> list[str]:
    """Hand messages to the function as SQS does; return those that failed."""
    records = [{"messageId": str(n), "receiptHandle": "x", "body": json.dumps(one)} for n, one in enumerate(messages)]
    failures = lambda_handler({"Records": records}, FakeContext())["batchItemFailures"]
    return [failure["itemIdentifier"] for failure in failures]


def work_off(queues: Queues) -> int:
    """Deliver what is queued until nothing is left; return how many messages that were."""
    handled = 0
    while messages := queues.sent_to(queues.reports):
        assert deliver(*messages) == []
        handled += len(messages)
    return handled


def notices() -> list[Notice]:
    return list(Notice.scan())


def test_the_schedule_queues_the_first_page_of_the_last_week(tables: Queues) -> None:
    switch(weekly=True)
    assert lambda_handler(sample("weekly_again"), FakeContext()) == {"period": "2022-09-05/2022-09-11"}
    assert tables.sent_to(tables.reports) == [{"version": 1, **WEEK, "after": ""}]


def test_monthly_schedule_queues_the_last_month(tables: Queues) -> None:
    switch(monthly=True)
    lambda_handler({**sample("monthly"), "before": "2022-10-01"}, FakeContext())
    (message,) = tables.sent_to(tables.reports)
    month = {"report": "MONTHLY", "first_day": "2022-09-01", "last_day": "2022-09-30"}
    assert message == {"version": 1, **month, "after": ""}


@pytest.mark.parametrize("name", ["weekly", "monthly"])
def test_nothing_is_queued_while_the_setting_is_off(tables: Queues, name: str) -> None:
    assert lambda_handler(sample(name), FakeContext()) == {"period": None}
    switch(weekly=name == "monthly", monthly=name == "weekly")
    assert lambda_handler(sample(name), FakeContext()) == {"period": None}
    assert tables.sent_to(tables.reports) == []


def test_every_user_of_many_pages_gets_one_message(tables: Queues, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "PAGE_SIZE", 3)
    users = [a_user(id_of(str(n)), at=STARTED_AT + timedelta(minutes=n)).id for n in range(7)]
    pages, notified = [{**WEEK, "after": ""}], []
    while pages:
        assert deliver(*pages) == []
        queued = tables.sent_to(tables.reports)
        pages = [one for one in queued if "after" in one]
        notified += [one["user_id"] for one in queued if "user_id" in one]
        assert len(queued) <= 4
    assert notified == users


def test_page_that_ends_with_the_last_user_is_followed_by_none(tables: Queues, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "PAGE_SIZE", 2)
    for number in range(2):
        a_user(id_of(str(number)), at=STARTED_AT + timedelta(minutes=number))
    assert deliver({**WEEK, "after": ""}) == []
    (follow_up,) = [one for one in tables.sent_to(tables.reports) if "after" in one]
    assert deliver(follow_up) == []
    assert tables.sent_to(tables.reports) == []


def test_only_users_who_traded_get_a_notice_with_figures_and_curve(tables: Queues) -> None:
    switch(weekly=True)
    a_user()
    a_user(id_of("idle"))
    a_trade("2022-09-06", "12.5", balance="1012.5")
    a_trade("2022-09-07", "-2.5", ledger=TradeLedger.MANUAL, api_key_id=id_of("manual"))
    lambda_handler(sample("weekly_again"), FakeContext())
    assert work_off(tables) == 3
    (notice,) = notices()
    assert notice.recipient == f"user#{USER_ID}"
    values = from_json(NoticeKind(notice.kind), notice.content)
    assert isinstance(values, WeeklyReport)
    assert values.figures.profit == 10
    assert values.figures.trades == 2
    (image,) = notice.images
    assert image.name == "equity"
    assert Image.open(io.BytesIO(image.png)).format == "PNG"
    assert tables.sent_to(tables.notices) == [{"version": 1, "notice_id": notice.id}]


def test_repeated_messages_send_no_second_notice(tables: Queues) -> None:
    switch(weekly=True)
    a_user()
    a_trade("2022-09-06", "12.5")
    assert deliver({**WEEK, "user_id": USER_ID}) == []
    a_trade("2022-09-11", "1000")
    assert deliver({**WEEK, "after": ""}, {**WEEK, "user_id": USER_ID}, {**WEEK, "user_id": USER_ID}) == []
    work_off(tables)
    (notice,) = notices()
    values = from_json(NoticeKind(notice.kind), notice.content)
    assert isinstance(values, WeeklyReport)
    assert values.figures.profit == pytest.approx(12.5)


def test_each_week_and_month_has_a_notice_of_its_own(tables: Queues) -> None:
    switch(weekly=True, monthly=True)
    a_user()
    a_trade("2022-09-06", "1")
    a_trade("2022-09-13", "2")
    month = {"report": "MONTHLY", "first_day": "2022-09-01", "last_day": "2022-09-30"}
    next_week = {"report": "WEEKLY", "first_day": "2022-09-12", "last_day": "2022-09-18"}
    assert deliver(*({**period, "user_id": USER_ID} for period in (WEEK, month, next_week))) == []
    notified = [from_json(NoticeKind(notice.kind), notice.content) for notice in notices()]
    assert sorted(one.figures.profit for one in notified if isinstance(one, WeeklyReport)) == [1, 2]
    assert [one.figures.profit for one in notified if isinstance(one, MonthlyReport)] == [3]


def test_user_who_opted_out_gets_no_report(tables: Queues) -> None:
    switch(weekly=True)
    a_user(reports_wanted=False)
    a_trade("2022-09-06", "12.5")
    assert deliver({**WEEK, "user_id": USER_ID}) == []
    assert notices() == []


@pytest.mark.parametrize(("weekly", "monthly"), [(True, False), (False, True)])
def test_user_gets_the_reports_that_they_switched_on(tables: Queues, weekly: bool, monthly: bool) -> None:
    switch(weekly=True, monthly=True)
    # Their own switches replace the one that an operator has turned off.
    a_user(reports_wanted=False, weekly_report_wanted=weekly, monthly_report_wanted=monthly)
    a_trade("2022-09-06", "12.5")
    month = {"report": "MONTHLY", "first_day": "2022-09-01", "last_day": "2022-09-30"}
    assert deliver(*({**period, "user_id": USER_ID} for period in (WEEK, month))) == []
    assert [NoticeKind(notice.kind) for notice in notices()] == [
        NoticeKind.WEEKLY_REPORT if weekly else NoticeKind.MONTHLY_REPORT
    ]


def test_user_without_the_opt_out_field_gets_reports(tables: Queues) -> None:
    switch(weekly=True)
    user = a_user()
    user.update(actions=[User.reports_wanted.remove()])
    a_trade("2022-09-06", "12.5")
    assert deliver(WEEK | {"user_id": USER_ID}) == []
    assert len(notices()) == 1


def test_missing_user_does_not_stop_the_others(tables: Queues) -> None:
    switch(weekly=True)
    a_user()
    a_trade("2022-09-06", "12.5")
    assert deliver({**WEEK, "user_id": id_of("gone")}, {**WEEK, "user_id": USER_ID}) == []
    assert len(notices()) == 1


def test_messages_that_cannot_be_read_fail_alone(tables: Queues) -> None:
    switch(weekly=True)
    a_user()
    a_trade("2022-09-06", "12.5")
    event = sample("malformed")
    answer = lambda_handler(event, FakeContext())
    assert [one["itemIdentifier"] for one in answer["batchItemFailures"]] == [
        record["messageId"] for record in event["Records"][1:]
    ]
    assert len(notices()) == 1


@pytest.mark.parametrize("name", ["page", "user"])
def test_samples_are_taken(tables: Queues, name: str) -> None:
    a_user()
    assert lambda_handler(sample(name), FakeContext()) == {"batchItemFailures": []}
