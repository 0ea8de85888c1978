from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from pynamodb.exceptions import GetError

from functions.user_recorder.app import lambda_handler
from shared.clock import to_iso
from shared.models.unique_name import NameKind, UniqueName
from shared.models.user import User
from tests.unit.in_process_aws import Queues
from tests.unit.records import PLAN_ID, a_user

USER_ID = "152a925f-bb73-4adf-bb45-e073b9e5820a"

pytestmark = pytest.mark.usefixtures("tables")


def sample(name: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((Path("events/user_recorder") / f"{name}.json").read_text())
    return event


def send(name: str) -> None:
    """Send a sample event; Cognito wants it back as it was."""
    assert lambda_handler(sample(name), None) == sample(name)


def stored() -> User:
    user = User.find(USER_ID)
    assert user is not None
    return user


@pytest.fixture
def default_plan(tables: Queues) -> None:
    UniqueName(UniqueName.claim_key(NameKind.DEFAULT_PLAN), owner_id=PLAN_ID).save()


@pytest.mark.usefixtures("default_plan")
def test_a_confirmed_sign_up_makes_the_record_with_the_default_plan() -> None:
    send("sign_up_confirmed")
    user = stored()
    assert (user.status, user.active, user.email, user.email_verified) == (
        "CONFIRMED",
        True,
        "janedoe@example.com",
        True,
    )
    assert (user.first_name, user.last_name) == ("jane", "doe")
    assert (user.plan_id, user.plan_changed_at) == (PLAN_ID, user.created_at)
    assert user.stripe_customer_id is None
    assert user.telegram_chat_id is None
    assert user.plan_lapsed is False
    assert user.created_key == f"{to_iso(user.created_at)}#{USER_ID}"
    assert [found.id for found in User.by_created.query("ALL")] == [USER_ID]


@pytest.mark.usefixtures("default_plan")
def test_a_repeated_event_changes_nothing() -> None:
    send("sign_up_confirmed")
    before = stored().to_dynamodb_dict()
    for _ in range(3):
        send("sign_up_confirmed")
    assert stored().to_dynamodb_dict() == before
    assert User.count() == 1


@pytest.mark.usefixtures("default_plan")
def test_late_repeat_keeps_later_changes() -> None:
    send("sign_up_confirmed")
    changed = stored()
    changed.plan_id, changed.active, changed.first_name = "another", False, "Janet"
    changed.save()
    send("sign_up_confirmed")
    user = stored()
    assert (user.plan_id, user.active, user.first_name) == ("another", False, "Janet")


@pytest.mark.usefixtures("default_plan")
def test_missing_names_are_empty_text() -> None:
    send("sign_up_confirmed_without_names")
    assert (stored().first_name, stored().last_name) == ("", "")


def test_without_a_default_plan_the_user_gets_it_with_the_next_event() -> None:
    send("sign_up_confirmed")
    assert stored().plan_id is None
    UniqueName(UniqueName.claim_key(NameKind.DEFAULT_PLAN), owner_id=PLAN_ID).save()
    send("sign_up_confirmed")
    assert stored().plan_id == PLAN_ID


def test_sign_in_updates_the_fields_that_cognito_owns() -> None:
    a_user(USER_ID, status="RESET_REQUIRED", email="janedoe@example.com", email_verified=False)
    send("signed_in")
    user = stored()
    assert (user.status, user.email, user.email_verified) == ("CONFIRMED", "jane@example.com", True)
    assert user.updated_at > user.created_at
    assert user.first_name == "John"


def test_a_sign_in_never_makes_a_disabled_user_active() -> None:
    a_user(USER_ID, active=False)
    send("signed_in")
    assert stored().active is False


@pytest.mark.usefixtures("default_plan")
def test_sign_in_creates_a_missing_record() -> None:
    send("signed_in")
    assert stored().plan_id == PLAN_ID


def test_a_confirmed_password_reset_ends_the_reset() -> None:
    a_user(USER_ID, status="RESET_REQUIRED")
    send("password_reset_confirmed")
    assert stored().status == "CONFIRMED"


def test_sign_in_records_the_name_in_the_pool_where_it_is_not_the_id() -> None:
    a_user(USER_ID)
    lambda_handler(sample("signed_in") | {"userName": "Google_1234567890"}, None)
    assert stored().username == "Google_1234567890"
    send("signed_in")
    assert stored().username == "Google_1234567890"


def test_name_in_the_pool_is_not_logged(monkeypatch: pytest.MonkeyPatch, log: io.StringIO) -> None:
    monkeypatch.setattr(User, "get", lambda *_, **__: 1 / 0)
    lambda_handler(sample("signed_in") | {"userName": "jane@example.com"}, None)
    assert USER_ID in log.getvalue()
    assert "jane" not in log.getvalue()


def test_malformed_confirmation_fails_without_personal_data() -> None:
    with pytest.raises(ValidationError) as caught:
        lambda_handler(sample("malformed"), None)
    assert "jane" not in str(caught.value)
    assert User.count() == 0


def test_a_failing_table_fails_the_confirmation_and_not_the_sign_in(
    monkeypatch: pytest.MonkeyPatch, log: io.StringIO
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise GetError("no table today")

    monkeypatch.setattr(User, "get", fail)
    with pytest.raises(GetError):
        lambda_handler(sample("sign_up_confirmed"), None)
    send("signed_in")
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    (line,) = [line for line in lines if line["message"] == "user_record_not_kept"]
    assert (line["error"], line["user"]) == ("GetError", USER_ID)
    assert "jane" not in log.getvalue()


def test_other_events_are_returned_untouched() -> None:
    event = sample("signed_in") | {"triggerSource": "PreSignUp_SignUp"}
    assert lambda_handler(dict(event), None) == event
    assert User.count() == 0
