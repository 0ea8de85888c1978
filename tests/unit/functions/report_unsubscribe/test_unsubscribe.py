"""The link in a report's letter: GET asks, POST ends the letters, and only a token of ours does anything."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest

from functions.report_unsubscribe import service
from functions.report_unsubscribe.app import lambda_handler
from shared.models.notice import Notice
from shared.models.user import User
from shared.notifications import unsubscribe_link
from shared.notifications.notice_types import NoticeKind
from shared.notifications.unsubscribe_link import Reader, unsubscribe_url
from tests.lambda_context import FakeContext
from tests.unit.admin_requests import sample
from tests.unit.in_process_aws import Queues, aws_client
from tests.unit.records import USER_ID, a_user, id_of

PAGE = "https://abc.lambda-url.eu-west-1.on.aws/v1/unsubscribe"
REFUSED = {"errors": [{"msg": "must be token of a letter's link", "param": "token", "location": "query"}]}
REPORTS = [NoticeKind.WEEKLY_REPORT, NoticeKind.MONTHLY_REPORT]


@pytest.fixture(autouse=True)
def _link_key(admin_api: Queues, settings_from: Callable[..., None]) -> None:
    settings_from(UNSUBSCRIBE_URL=PAGE)


def token_of(kind: NoticeKind = NoticeKind.WEEKLY_REPORT, user_id: str = USER_ID) -> str:
    address, _, query = unsubscribe_url(Reader(user_id, kind)).partition("?")
    assert address == PAGE
    (token,) = parse_qs(query)["token"]
    return token


def request(name: str, token: str | None, **changes: Any) -> dict[str, Any]:
    event = sample(f"report_unsubscribe/{name}")
    event["queryStringParameters"] = {"token": token} if token is not None else None
    answer: dict[str, Any] = lambda_handler(event | changes, FakeContext())  # type: ignore[arg-type]
    return answer


def wanted() -> tuple[bool, bool]:
    user = User.get(USER_ID, consistent_read=True)
    return user.wants_weekly_report, user.wants_monthly_report


def test_opening_the_link_asks_and_changes_nothing() -> None:
    before = a_user().to_dynamodb_dict()
    for method in ("GET", "HEAD"):
        event = sample("report_unsubscribe/question")
        event["requestContext"]["http"]["method"] = method
        answer = request("question", token_of(), requestContext=event["requestContext"])
        assert answer["statusCode"] == 200
        assert '<form method="post">' in answer["body"]
        assert "weekly reports" in answer["body"]
    assert User.get(USER_ID).to_dynamodb_dict() == before
    assert list(Notice.scan()) == []


@pytest.mark.parametrize(("kind", "expected"), [(REPORTS[0], (False, True)), (REPORTS[1], (True, False))])
def test_one_click_ends_this_kind_of_letter_without_signing_in(kind: NoticeKind, expected: tuple[bool, bool]) -> None:
    a_user()
    answers = [request("one_click", token_of(kind)) for _ in range(3)]
    assert {answer["statusCode"] for answer in answers} == {200}
    assert len({answer["body"] for answer in answers}) == 1
    assert wanted() == expected
    # The change is one event of the account, however often it is asked for.
    (recorded,) = [json.loads(notice.content) for notice in Notice.scan()]
    assert recorded["what"] == "NOTIFICATION"


def test_page_shows_nothing_of_the_user_and_keeps_the_token_to_itself() -> None:
    a_user(first_name="Jane", email="jane@example.com")
    token = token_of()
    answer = request("question", token)
    assert not any(part in answer["body"] for part in ("Jane", "jane@example.com", USER_ID, token))
    headers = answer["headers"]
    assert headers["content-type"] == "text/html; charset=utf-8"
    assert (headers["referrer-policy"], headers["cache-control"]) == ("no-referrer", "no-store")
    assert "script" not in headers["content-security-policy"]


def forged(**changes: Any) -> str:
    claims = {"aud": "lockstep:unsubscribe", "sub": USER_ID, "kind": "WEEKLY_REPORT"} | changes
    return jwt.encode({name: value for name, value in claims.items() if value is not None}, unsubscribe_link._key())


@pytest.mark.parametrize(
    "token_from",
    [
        lambda: None,
        lambda: "",
        lambda: "the.signed.token",
        lambda: token_of()[:-1],
        lambda: token_of() + "x",
        lambda: jwt.encode({"aud": "lockstep:unsubscribe", "sub": USER_ID, "kind": "WEEKLY_REPORT"}, "k" * 32),
        lambda: jwt.encode(jwt.decode(token_of(), options={"verify_signature": False}), "", algorithm="none"),
        lambda: forged(aud="lockstep:telegram-link"),
        lambda: forged(kind="PLAN_LAPSED"),
        lambda: forged(kind="NONSENSE"),
        lambda: forged(kind=["WEEKLY_REPORT"]),
        lambda: forged(kind=None),
        lambda: forged(sub=None),
        lambda: forged(sub=7),
        lambda: token_of(user_id=id_of("nobody")),
    ],
)
@pytest.mark.parametrize("name", ["question", "one_click"])
def test_other_tokens_are_refused_and_change_nothing(name: str, token_from: Callable[[], str | None]) -> None:
    before = a_user().to_dynamodb_dict()
    answer = request(name, token_from())
    assert (answer["statusCode"], json.loads(answer["body"])) == (422, REFUSED)
    assert User.get(USER_ID).to_dynamodb_dict() == before


def test_closed_account_answers_and_stays_as_it_is() -> None:
    user = a_user()
    user.close()
    before = User.get(USER_ID).to_dynamodb_dict()
    assert request("one_click", token_of())["statusCode"] == 200
    assert User.get(USER_ID).to_dynamodb_dict() == before


def test_other_addresses_and_methods_are_404(admin_api: Queues) -> None:
    a_user()
    assert request("one_click", token_of(), rawPath="/v1/unsubscribe/more")["statusCode"] == 404
    event = sample("report_unsubscribe/one_click")
    event["requestContext"]["http"]["method"] = "DELETE"
    assert request("one_click", token_of(), requestContext=event["requestContext"])["statusCode"] == 404
    assert wanted() == (True, True)


@pytest.mark.rings("UnsubscribeAlarm")
def test_fault_of_ours_answers_500_and_rings(monkeypatch: pytest.MonkeyPatch) -> None:
    a_user()
    token = token_of()
    with monkeypatch.context() as broken:
        broken.setattr(service, "end_letters", lambda *_, **__: 1 / 0)
        assert request("one_click", token)["statusCode"] == 500
    assert wanted() == (True, True)
    assert request("one_click", token)["statusCode"] == 200
    assert wanted() == (False, True)


def test_maintenance_is_503() -> None:
    a_user()
    token = token_of()
    aws_client("ssm").put_parameter(Name="/unit/maintenance", Type="String", Value="on", Overwrite=True)
    assert request("one_click", token)["statusCode"] == 503
    assert wanted() == (True, True)


def test_other_letters_have_no_link() -> None:
    assert all(bool(unsubscribe_url(Reader(USER_ID, kind))) == (kind in REPORTS) for kind in NoticeKind)
    assert urlsplit(unsubscribe_url(Reader(USER_ID, REPORTS[0]))).scheme == "https"
