from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from functions.admin_user.app import lambda_handler
from shared.clock import to_iso
from shared.models.notice import Channel, Notice, Outcome, Reason
from shared.notifications.notice_types import NoticeKind, NoticeValues
from shared.notifications.notices import notify
from shared.notifications.recipients import to_user
from tests.unit.admin_requests import pages, sample, send
from tests.unit.notifications.samples import AT, OPENED, SAMPLES
from tests.unit.records import USER_ID, a_user, id_of

EVENT = "admin_user/list_notices"

pytestmark = pytest.mark.usefixtures("admin_api")


def tell(values: NoticeValues, cause: str = "a cause", *, minutes: int = 0, user_id: str = USER_ID) -> Notice:
    notice_id = notify(values, to=to_user(user_id), cause=cause, at=AT + timedelta(minutes=minutes))
    return Notice.get(notice_id)


def shown() -> list[dict[str, Any]]:
    answer = send(lambda_handler, sample(EVENT))
    assert answer.status == 200, answer.text
    items: list[dict[str, Any]] = answer.body["items"]
    return items


def test_a_notice_is_shown_with_its_text_and_what_became_of_it() -> None:
    a_user()
    notice = tell(OPENED)
    at = AT + timedelta(seconds=5)
    notice.set_outcome(Channel.TELEGRAM, Outcome.SENT, at=at, attempt=True)
    notice.set_outcome(Channel.EMAIL, Outcome.SKIPPED, at=at, reason=Reason.NO_ADDRESS)
    (item,) = shown()
    assert (item["id"], item["kind"], item["createdAt"]) == (notice.id, "POSITION_OPENED", to_iso(AT))
    assert item["title"]
    assert "BTC/USDT" in item["text"] or "BTC" in item["text"]
    assert item["Telegram"] == {"outcome": "SENT", "reason": None, "attempts": 1, "at": to_iso(at)}
    assert item["Email"] == {"outcome": "SKIPPED", "reason": "NO_ADDRESS", "attempts": 0, "at": to_iso(at)}


def test_every_kind_is_shown() -> None:
    a_user()
    for number, values in enumerate(SAMPLES.values()):
        tell(values, cause=str(number))
    items = shown()
    assert {item["kind"] for item in items} == {kind.value for kind in NoticeKind}
    assert all(item["title"] and item["text"] for item in items)


def test_notices_of_others_are_left_out_and_the_newest_cause_comes_first() -> None:
    a_user()
    told = [tell(OPENED, str(minutes), minutes=minutes).id for minutes in range(5)]
    tell(OPENED, user_id=id_of("another"))
    found = pages(lambda_handler, sample(EVENT), limit=2)
    assert [[item["id"] for item in page] for page in found] == [[told[4], told[3]], [told[2], told[1]], [told[0]]]


def test_a_user_who_is_none_is_not_found() -> None:
    assert send(lambda_handler, sample(EVENT)).status == 404
