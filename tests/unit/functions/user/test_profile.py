"""A user's own account: the profile, and the record that the first request makes."""

from __future__ import annotations

import pytest

from functions.user.app import lambda_handler
from shared.models.base import LISTED
from shared.models.unique_name import NameKind, UniqueName
from shared.models.user import User
from tests.unit.admin_requests import sample, send
from tests.unit.records import PLAN_ID, USER_ID, a_plan, a_user

EVENT = "user/get_profile"

pytestmark = pytest.mark.usefixtures("account_api")


def test_profile_shows_the_plan_and_whether_telegram_is_linked() -> None:
    a_plan(name="STANDARD")
    user = a_user(email="jane@example.com")
    answer = send(lambda_handler, sample(EVENT))
    assert answer.status == 200
    assert answer.body["id"] == USER_ID
    assert (answer.body["email"], answer.body["firstName"], answer.body["active"]) == ("jane@example.com", "John", True)
    assert answer.body["UserSubscription"]["SubscriptionType"]["name"] == "STANDARD"
    assert answer.body["Telegram"] == {"linked": False}
    user.update(actions=[User.telegram_chat_id.set("12345")])
    assert send(lambda_handler, sample(EVENT)).body["Telegram"] == {"linked": True}


def test_first_request_makes_the_record_with_the_default_plan() -> None:
    a_plan(name="DEFAULT", default=True)
    UniqueName(UniqueName.claim_key(NameKind.DEFAULT_PLAN), owner_id=PLAN_ID).save()
    first, second = (send(lambda_handler, sample(EVENT)) for _ in range(2))
    assert first.status == second.status == 200
    assert first.text == second.text
    assert (first.body["firstName"], first.body["lastName"], first.body["status"]) == ("Jane", "Doe", "CONFIRMED")
    assert (first.body["email"], first.body["emailVerified"]) == ("user@example.com", True)
    assert first.body["UserSubscription"]["SubscriptionType"]["name"] == "DEFAULT"
    assert [found.id for found in User.by_created.query(LISTED)] == [USER_ID]


def test_later_request_changes_nothing_in_the_record() -> None:
    a_user(email="new@example.com", first_name="", email_verified=False)
    answer = send(lambda_handler, sample(EVENT))
    assert (answer.body["email"], answer.body["firstName"], answer.body["emailVerified"]) == (
        "new@example.com",
        "",
        False,
    )


def test_disabled_user_reads_the_profile() -> None:
    a_user(active=False)
    answer = send(lambda_handler, sample(EVENT))
    assert (answer.status, answer.body["active"]) == (200, False)
