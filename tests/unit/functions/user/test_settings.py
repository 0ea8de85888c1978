"""What users set themselves: their names, the notices they get, and their Telegram chat."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from functions.user.app import lambda_handler
from shared.clock import from_iso
from shared.models.telegram_link import TelegramLink
from shared.models.user import User
from shared.notifications import telegram_link
from shared.notifications.telegram_link import read_link
from tests.unit.admin_requests import Answer, fault, sample, send, with_body
from tests.unit.in_process_aws import Queues
from tests.unit.records import USER_ID, a_plan, a_user


@pytest.fixture(autouse=True)
def _user(account_api: Queues, settings_from: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    settings_from(TELEGRAM_BOT_NAME="a_bot", TELEGRAM_LINK_KEY_PARAMETER="/unit/link-key")
    monkeypatch.setattr(telegram_link, "read_parameter", {"/unit/link-key": "k" * 32}.__getitem__)
    a_plan()
    a_user(first_name="John", last_name="Doe")


def ask(name: str, body: Any = None, **headers: str) -> Answer:
    event = sample(f"user/{name}")
    if body is not None:
        event = with_body(event, body)
    event["headers"] |= {name.replace("_", "-"): value for name, value in headers.items()}
    return send(lambda_handler, event)


def test_names_are_changed_and_what_is_not_named_stays() -> None:
    assert ask("update_profile", {"firstName": " Ada "}).body["firstName"] == "Ada"
    body = ask("update_profile", {"lastName": ""}).body
    assert (body["firstName"], body["lastName"]) == ("Ada", "")
    assert ask("get_profile").body == body


def test_profile_that_was_read_can_be_edited_and_sent_back() -> None:
    body = ask("get_profile").body | {"firstName": "Ada", "email": "other@example.com", "active": False}
    answer = ask("update_profile", json.loads(json.dumps(body, default=str)))
    assert (answer.status, answer.body["firstName"], answer.body["active"]) == (200, "Ada", True)
    assert answer.body["email"] != "other@example.com"


def test_same_names_again_write_nothing() -> None:
    before = ask("update_profile", {"firstName": "Ada"}).body["updatedAt"]
    assert ask("update_profile", {"firstName": "Ada"}).body["updatedAt"] == before


@pytest.mark.parametrize("value", ["a" * 101, 7, None, ["Ada"], "A\u202eda"])
def test_name_that_nobody_can_read_is_refused(value: Any) -> None:
    answer = ask("update_profile", {"firstName": value})
    assert answer.status == 422
    assert [(one["param"], one["msg"]) for one in answer.body["errors"]] == [
        ("firstName", "must be text of at most 100 visible characters")
    ]


def test_other_fields_of_the_account_cannot_be_set() -> None:
    answer = ask("update_profile", {"planId": "x", "telegramChatId": "1"})
    assert [one["param"] for one in answer.body["errors"]] == ["planId", "telegramChatId"]


def test_switches_are_on_at_first_and_set_one_by_one() -> None:
    switches = {"weeklyReport": True, "monthlyReport": True, "tradeMessages": True}
    assert switches.items() <= ask("get_notification").body.items()
    for name in switches:
        switches[name] = False
        assert switches.items() <= ask("update_notification", {name: False}).body.items()
        assert switches.items() <= ask("get_notification").body.items()


def test_switch_that_is_no_boolean_is_refused() -> None:
    answer = ask("update_notification", {"weeklyReport": "no"})
    assert answer.body == {"errors": [fault("must be boolean", "weeklyReport", "body", value="no")]}


def test_link_is_the_users_and_good_for_fifteen_minutes() -> None:
    body = ask("link_telegram").body
    assert body["url"].startswith("https://t.me/a_bot?start=")
    link = read_link(body["url"].partition("?start=")[2])
    assert link.user_id == USER_ID
    assert 895 <= (from_iso(body["expiresAt"]) - link.created_at).total_seconds() <= 900


def test_repeat_with_the_same_key_gets_the_same_link_which_no_table_holds() -> None:
    first = ask("link_telegram", Idempotency_Key="one").body
    assert ask("link_telegram", Idempotency_Key="one").body == first
    assert ask("link_telegram", Idempotency_Key="two").body["url"] != first["url"]
    assert ask("link_telegram").body["url"] != first["url"]
    signature = first["url"].partition("?start=")[2][20:]
    assert all(signature not in str(record.to_dynamodb_dict()) for record in TelegramLink.scan())


def test_wrong_idempotency_key_is_refused() -> None:
    answer = ask("link_telegram", Idempotency_Key=" ")
    assert (answer.status, answer.body["errors"][0]["location"]) == (422, "headers")


def test_without_a_bot_no_chat_can_be_linked(settings_from: Callable[..., None]) -> None:
    settings_from(TELEGRAM_BOT_NAME="")
    assert ask("link_telegram").status == 503


def test_chat_is_forgotten_and_a_repeat_changes_nothing() -> None:
    User(USER_ID).update(actions=[User.telegram_chat_id.set("12345")])
    assert ask("unlink_telegram").body == {"linked": False}
    user = User.get(USER_ID)
    assert user.telegram_chat_id is None
    assert ask("unlink_telegram").body == {"linked": False}
    assert User.get(USER_ID).updated_at == user.updated_at
