"""The bot's webhook: its secret, its commands, each applied once, and that no input breaks it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from functions.telegram_webhook import app, service
from shared.clock import utc_now
from shared.errors import ServiceUnavailable
from shared.models.idempotency_key import IdempotencyKey
from shared.models.notice import Notice
from shared.models.user import User
from shared.notifications import telegram_link
from shared.notifications.notice_types import NoticeKind, Reply, TelegramReply, TelegramUnlinked, UnlinkCause, from_json
from shared.notifications.telegram_link import make_link
from tests.lambda_context import FakeContext
from tests.unit.in_process_aws import Queues
from tests.unit.records import USER_ID, a_user

SECRET = "the-secret"
CHAT = 4242
NUMBERS = count(1)


@pytest.fixture(autouse=True)
def _parameters(tables: Queues, settings_from: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    settings_from(TELEGRAM_LINK_KEY_PARAMETER="link-key", TELEGRAM_SECRET_PARAMETER="secret")
    values = {"link-key": "k" * 32, "secret": SECRET}
    monkeypatch.setattr(telegram_link, "read_parameter", values.__getitem__)
    monkeypatch.setattr(app, "read_parameter", values.__getitem__)
    monkeypatch.setattr(app, "refuse_during_maintenance", lambda: None)


def update(text: str, *, chat_id: int = CHAT, update_id: int | None = None, **chat: Any) -> dict[str, Any]:
    return {
        "update_id": next(NUMBERS) if update_id is None else update_id,
        "message": {"chat": {"id": chat_id, "type": "private", **chat}, "text": text, "date": 1},
    }


def without_text(**content: Any) -> dict[str, Any]:
    """Return a person's message with other content than a text."""
    sent = update("")
    del sent["message"]["text"]
    sent["message"] |= content
    return sent


def post(body: Any, *, secret: str | None = SECRET, raw: bool = False, **event: Any) -> int:
    """Send a request and return the answer's status."""
    headers = {"content-type": "application/json"} | ({app.SECRET_HEADER: secret} if secret is not None else {})
    answer = app.lambda_handler(
        {
            "requestContext": {"http": {"method": "POST", "path": "/"}},
            "headers": headers,
            "body": body if raw else json.dumps(body),
            **event,
        },
        FakeContext(),  # type: ignore[arg-type]
    )
    status: int = answer["statusCode"]
    return status


def start_token(user_id: str = USER_ID, **ago: int) -> str:
    return make_link(user_id, bot_name="bot", at=utc_now() - timedelta(**ago)).url.partition("?start=")[2]


def chat_of(user_id: str = USER_ID) -> str | None:
    return User.get(user_id, consistent_read=True).telegram_chat_id


def replies(chat_id: int = CHAT) -> list[Reply]:
    """Return what a chat was answered."""
    found = [notice for notice in Notice.scan() if notice.recipient == f"chat#{chat_id}"]
    values = [from_json(NoticeKind(one.kind), one.content) for one in sorted(found, key=lambda one: one.created_key)]
    return [one.reply for one in values if isinstance(one, TelegramReply)]


def notice_kinds(user_id: str = USER_ID) -> list[str]:
    return [notice.kind for notice in Notice.scan() if notice.recipient == f"user#{user_id}"]


def test_start_with_a_valid_token_links_the_chat_and_notifies_the_user(tables: Queues) -> None:
    a_user()
    assert post(update(f"/start {start_token()}")) == 200
    assert chat_of() == str(CHAT)
    assert notice_kinds() == ["TELEGRAM_LINKED"]
    assert replies() == []
    assert len(tables.sent_to(tables.notices)) == 1


@pytest.mark.parametrize("secret", [None, "", "wrong", SECRET + " ", SECRET[:-1], "é"])
def test_request_without_the_secret_changes_nothing(tables: Queues, secret: str | None) -> None:
    a_user()
    assert post(update(f"/start {start_token()}"), secret=secret) == 401
    assert chat_of() is None
    assert (Notice.count(), IdempotencyKey.count()) == (0, 0)
    assert tables.sent_to(tables.notices) == []


def test_empty_secret_refuses_every_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "read_parameter", lambda _: "")
    assert post(update("/status"), secret="") == 401


@pytest.mark.parametrize("which", ["forged", "old", "used", "unknown user"])
def test_invalid_token_links_nothing(which: str) -> None:
    a_user()
    token = start_token(minutes=16) if which == "old" else start_token("nobody" if which == "unknown user" else USER_ID)
    if which == "forged":
        token = token[:20] + start_token()[20:]
    if which == "used":
        assert post(update(f"/start {token}", chat_id=1)) == 200
        assert chat_of() == "1"
    assert post(update(f"/start {token}")) == 200
    assert chat_of() == ("1" if which == "used" else None)
    assert replies() == [Reply.LINK_REFUSED]


def test_the_same_update_twice_links_once_and_answers_once() -> None:
    a_user()
    linking = update(f"/start {start_token()}")
    assert [post(linking), post(linking)] == [200, 200]
    assert notice_kinds() == ["TELEGRAM_LINKED"]
    assert replies() == []


@pytest.mark.rings("TelegramWebhookAlarm")
def test_repeat_of_an_update_queues_the_answer_that_was_lost(tables: Queues, monkeypatch: pytest.MonkeyPatch) -> None:
    a_user()
    linking = update(f"/start {start_token()}")
    with monkeypatch.context() as broken:
        broken.setattr(service, "notify", lambda *_, **__: 1 / 0)
        assert post(linking) == 500
    assert chat_of() == str(CHAT)
    assert post(linking) == 200
    assert notice_kinds() == ["TELEGRAM_LINKED"]
    assert len(tables.sent_to(tables.notices)) == 1


def test_second_chat_replaces_the_first() -> None:
    a_user(telegram_chat_id="1")
    post(update(f"/start {start_token()}"))
    assert chat_of() == str(CHAT)


def test_start_without_a_token_explains_how_to_link() -> None:
    post(update("/start"))
    assert replies() == [Reply.WELCOME]


def test_stop_unlinks_every_user_of_the_chat_and_confirms() -> None:
    a_user(telegram_chat_id=str(CHAT))
    a_user("another", telegram_chat_id=str(CHAT))
    a_user("elsewhere", telegram_chat_id="1")
    stopping = update("/stop")
    assert [post(stopping), post(stopping)] == [200, 200]
    assert [chat_of(), chat_of("another"), chat_of("elsewhere")] == [None, None, "1"]
    assert replies() == [Reply.STOPPED]
    assert notice_kinds() == notice_kinds("another") == ["TELEGRAM_UNLINKED"]
    (notice,) = [one for one in Notice.scan() if one.recipient == f"user#{USER_ID}"]
    assert from_json(NoticeKind(notice.kind), notice.content) == TelegramUnlinked(why=UnlinkCause.STOPPED)


def test_stop_in_an_unlinked_chat_answers_not_linked() -> None:
    post(update("/stop"))
    assert replies() == [Reply.NOT_LINKED]


@pytest.mark.parametrize(
    ("values", "reply"),
    [
        ({}, Reply.STATUS_LINKED),
        ({"active": False}, Reply.STATUS_PAUSED),
        ({"plan_lapsed": True}, Reply.STATUS_PAUSED),
        ({"telegram_chat_id": None}, Reply.NOT_LINKED),
    ],
)
def test_status_answers_linked_paused_or_not_linked(values: dict[str, Any], reply: Reply) -> None:
    a_user(**({"telegram_chat_id": str(CHAT)} | values))
    post(update("/status@lockstep_bot"))
    assert replies() == [reply]


@pytest.mark.parametrize(
    ("text", "reply"),
    [
        ("/Stop", Reply.STOPPED),
        ("/STOP", Reply.STOPPED),
        ("/stop all my trades", Reply.STOPPED),
        ("/stop!", Reply.STOPPED),
        (" /stop ", Reply.STOPPED),
        ("/stop\nplease", Reply.STOPPED),
        ("/stop\N{NO-BREAK SPACE}please", Reply.STOPPED),
        ("/Stop@Lockstep_Bot now", Reply.STOPPED),
        ("/\N{LATIN SMALL LETTER LONG S}top", Reply.STOPPED),
        ("/stop " + "x" * 4000, Reply.STOPPED),
        ("/STATUS", Reply.STATUS_LINKED),
        ("/Status@Lockstep_Bot", Reply.STATUS_LINKED),
        ("/status of what is open", Reply.STATUS_LINKED),
        ("/START", Reply.WELCOME),
        ("/Start " + "A" * 63, Reply.LINK_REFUSED),
        ("/start please", Reply.LINK_REFUSED),
    ],
)
def test_command_is_read_in_any_case_and_with_words_behind_it(text: str, reply: Reply) -> None:
    a_user(telegram_chat_id=str(CHAT))
    assert post(update(text)) == 200
    assert replies() == [reply]
    assert (chat_of() is None) is (reply is Reply.STOPPED)


def test_link_in_any_case_of_the_command_and_with_words_behind_it_links_the_chat() -> None:
    a_user()
    assert post(update(f"/Start {start_token()} please")) == 200
    assert chat_of() == str(CHAT)


@pytest.mark.parametrize("linked", [True, False])
@pytest.mark.parametrize(
    "sent",
    [
        *map(
            update,
            ["/help", "stop", "hello", "/", "", "/stopp", "/stop_all", "/stop2", "/stop\N{CYRILLIC SMALL LETTER A}"],
        ),
        update("please /stop"),
        *(without_text(**{content: {}}) for content in ("photo", "voice", "sticker", "document", "location")),
        without_text(photo=[], caption="/stop"),
    ],
)
def test_anything_else_gets_the_three_commands(sent: dict[str, Any], linked: bool) -> None:
    a_user(telegram_chat_id=str(CHAT) if linked else None)
    assert [post(sent), post(sent)] == [200, 200]
    assert replies() == [Reply.HELP]
    assert chat_of() == (str(CHAT) if linked else None)


def test_chat_that_an_admin_removed_is_not_linked() -> None:
    user = a_user(telegram_chat_id=str(CHAT))
    user.unlink_telegram()
    post(update("/status"))
    assert replies() == [Reply.NOT_LINKED]


@pytest.mark.parametrize(
    "ignored",
    [
        {},
        [],
        7,
        None,
        {"update_id": 1},
        {"update_id": 1, "edited_message": update("/stop")["message"]},
        {"update_id": 1, "callback_query": {}},
        {"update_id": True, "message": update("/stop")["message"]},
        {"update_id": 2**70, "message": update("/stop")["message"]},
        update("/stop", type="group"),
        update("/stop", chat_id=-100),
        update("/stop", type="supergroup", chat_id=-100),
        {"update_id": 1, "message": update("/stop")["message"] | {"from": {"id": 7, "is_bot": True}}},
        {"update_id": 1, "message": update("hello")["message"] | {"from": {"id": 7, "is_bot": True}}},
        without_text(),
        without_text(pinned_message={"message_id": 1}),
        without_text(message_auto_delete_timer_changed={"message_auto_delete_time": 60}),
    ],
)
def test_updates_that_are_no_message_of_a_person_in_a_private_chat_are_ignored(ignored: Any) -> None:
    a_user(telegram_chat_id=str(CHAT))
    assert post(ignored) == 200
    assert chat_of() == str(CHAT)
    assert Notice.count() == 0


@pytest.mark.parametrize(
    ("body", "event"),
    [
        ("", {}),
        ("{", {}),
        ("[" * 100_000, {}),
        (base64.b64encode(b"\xff\xfe\x00").decode(), {"isBase64Encoded": True}),
        ("not base64!", {"isBase64Encoded": True}),
        (json.dumps(update("/status " + "x" * 70_000)), {}),
        (base64.b64encode(b" " * 70_000).decode(), {"isBase64Encoded": True}),
        ("\ud800", {}),
    ],
    ids=["empty", "cut", "deep", "no text", "no base64", "too long", "too long in base64", "half a character"],
)
def test_bodies_that_are_not_an_update_are_refused(body: str, event: dict[str, Any]) -> None:
    assert post(body, raw=True, **event) == 400
    assert Notice.count() == 0


def test_base64_body_is_decoded() -> None:
    body = base64.b64encode(json.dumps(update("/status")).encode()).decode()
    assert post(body, raw=True, isBase64Encoded=True) == 200
    assert replies() == [Reply.NOT_LINKED]


@pytest.mark.parametrize(
    ("name", "status", "answered"),
    [
        ("start", 200, [Reply.LINK_REFUSED]),
        ("status", 200, [Reply.STATUS_LINKED]),
        ("stop", 200, [Reply.STOPPED]),
        ("unknown_update", 200, []),
        ("wrong_secret", 401, []),
    ],
)
def test_sample_events(name: str, status: int, answered: list[Reply], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "read_parameter", lambda _: "local-webhook-secret")
    a_user(telegram_chat_id=str(CHAT))
    event = json.loads((Path("events/telegram_webhook") / f"{name}.json").read_text())
    assert app.lambda_handler(event, FakeContext())["statusCode"] == status  # type: ignore[arg-type]
    assert replies() == answered


def test_only_post_is_accepted() -> None:
    assert post(update("/status"), requestContext={"http": {"method": "GET"}}) == 404


def test_during_maintenance_telegram_gets_503_and_repeats(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise ServiceUnavailable("temporarily offline for maintenance")

    monkeypatch.setattr(app, "refuse_during_maintenance", refuse)
    assert post(update("/status")) == 503
    assert post(update("/status"), secret="wrong") == 401
    assert Notice.count() == 0


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
TEXTS = (
    st.text()
    | st.sampled_from(["/start", "/Stop", "/STATUS now", "/help"])
    | st.text().map(lambda text: f"/start {text}")
)
UPDATES = st.fixed_dictionaries(
    {
        "update_id": st.integers() | JSON,
        "message": JSON
        | st.fixed_dictionaries(
            {
                "chat": st.fixed_dictionaries({"id": st.integers() | JSON, "type": st.just("private")}),
                "text": TEXTS | JSON,
            }
        ),
    }
)


@hypothesis_settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(JSON | UPDATES)
def test_no_update_breaks_the_webhook_or_links_anything(body: Any) -> None:
    assert post(body) == 200
    assert all(notice.kind == NoticeKind.TELEGRAM_REPLY for notice in Notice.scan())


@hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text() | st.binary().map(lambda raw: raw.decode("latin-1")), st.booleans())
def test_no_body_breaks_the_webhook(body: str, encoded: bool) -> None:
    assert post(body, raw=True, isBase64Encoded=encoded) in {200, 400}


def test_link_of_an_account_that_was_closed_meanwhile_links_nothing() -> None:
    user = a_user()
    token = start_token()
    user.close()
    assert post(update(f"/start {token}")) == 200
    assert chat_of() is None
    assert replies() == [Reply.LINK_REFUSED]
