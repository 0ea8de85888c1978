"""What happened, to be read again from any place."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from functions.user import events
from functions.user.app import lambda_handler
from shared.clock import to_iso, utc_now
from shared.models.notice import Notice
from shared.notifications.notice_types import KeyRefused, PlanLapsed
from shared.notifications.notices import notify
from shared.notifications.recipients import to_user
from tests.unit.admin_requests import fault, sample, send, with_body
from tests.unit.in_process_aws import Queues
from tests.unit.notifications.samples import AT, CLOSED, OPENED
from tests.unit.records import USER_ID, a_plan, a_user, id_of


@pytest.fixture(autouse=True)
def _user(account_api: Queues, monkeypatch: pytest.MonkeyPatch) -> None:
    a_plan()
    a_user()
    # What was recorded a moment ago counts as settled.
    monkeypatch.setattr(events, "SETTLED_AFTER", timedelta(seconds=-1))


def listed(**query: str) -> dict[str, Any]:
    answer = send(lambda_handler, sample("user/list_events", query=query))
    assert answer.status == 200, answer.text
    body: dict[str, Any] = answer.body
    return body


def happened(number: int, *, user_id: str = USER_ID) -> str:
    return notify(PlanLapsed(plan_name=f"PLAN {number}"), to=to_user(user_id), cause=f"cause {number}", at=AT)


def test_trades_are_shown_with_their_figures() -> None:
    for values in (OPENED, CLOSED):
        notify(values, to=to_user(USER_ID), cause=values.kind, at=AT)
    happened(1, user_id=id_of("another"))
    opened, closed = listed()["items"]
    assert (opened["kind"], closed["kind"]) == ("POSITION_OPENED", "POSITION_CLOSED")
    assert (opened["data"]["symbol"], opened["data"]["entryPrice"], opened["data"]["takeProfits"]) == (
        "BTC/USDT",
        20000,
        [20300, 20600],
    )
    assert (str(closed["data"]["profit"]), closed["createdAt"]) == ("-161.268", to_iso(AT))


def test_every_event_comes_once_in_order_whatever_the_size_of_a_page() -> None:
    made = [happened(number) for number in range(7)]
    for limit in ("1", "2", "3", "7", "100"):
        found: list[str] = []
        query = {"limit": limit}
        while True:
            page = listed(**query)
            found += [item["id"] for item in page["items"]]
            if not page["more"]:
                break
            query["after"] = page["items"][-1]["place"]
        assert sorted(found) == sorted(made)
        assert found == [item["id"] for item in listed()["items"]]


def test_client_goes_on_from_where_it_was_and_may_read_again() -> None:
    happened(1)
    first = listed()["items"]
    assert listed(after=first[-1]["place"]) == {"items": [], "more": False}
    second = happened(2)
    assert [item["id"] for item in listed(after=first[-1]["place"])["items"]] == [second]
    assert [item["id"] for item in listed()["items"]] == [first[0]["id"], second]


def test_event_that_is_recorded_late_comes_after_what_is_known_already() -> None:
    happened(1)
    place = listed()["items"][-1]["place"]
    late = notify(KeyRefused(key_name="Main", at=AT), to=to_user(USER_ID), cause="late", at=AT - timedelta(days=1))
    assert [item["id"] for item in listed(after=place)["items"]] == [late]


def test_event_that_is_not_settled_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    notice_id = happened(1)
    monkeypatch.setattr(events, "SETTLED_AFTER", timedelta(seconds=60))
    assert listed() == {"items": [], "more": False}
    Notice(notice_id).update(actions=[Notice.recorded_at.set(utc_now() - timedelta(seconds=61))])
    assert [item["id"] for item in listed()["items"]] == [notice_id]


def test_own_changes_are_events_and_are_not_sent(account_api: Queues) -> None:
    send(lambda_handler, with_body(sample("user/update_profile"), {"firstName": "Ada"}))
    send(lambda_handler, with_body(sample("user/update_notification"), {"weeklyReport": False}))
    found = [(item["kind"], item["data"]["what"], item["data"]["name"]) for item in listed()["items"]]
    assert found == [
        ("ACCOUNT_CHANGED", "PROFILE", "first_name"),
        ("ACCOUNT_CHANGED", "NOTIFICATION", "weekly_report_wanted"),
    ]
    assert account_api.sent_to(account_api.notices) == []


@pytest.mark.parametrize("value", ["yesterday", "2022-09-09T01:57:36.304Z", f"2022-13-09T01:57:36.304Z_{USER_ID}", ""])
def test_place_that_is_none_is_refused(value: str) -> None:
    answer = send(lambda_handler, sample("user/list_events", query={"after": value}))
    assert answer.body == {"errors": [fault("must be place of an event", "after", "query", value=value)]}
