from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from functions.admin_user.app import lambda_handler
from shared import user_pool
from shared.clock import to_iso
from shared.errors import ServiceUnavailable
from shared.models.user import Account, User
from tests.unit.admin_requests import Answer, sample, send, with_body
from tests.unit.functions.admin_user.pool import EMAIL, GOOGLE_NAME, Pool
from tests.unit.in_process_aws import aws_client
from tests.unit.records import USER_ID, a_user, id_of

ACTIONS = ["enable_user", "disable_user", "reset_mfa", "reset_telegram"]


def act(action: str, user_id: str) -> Answer:
    return send(lambda_handler, sample(f"admin_user/{action}", path=(USER_ID, user_id)))


def stored(user_id: str) -> User:
    user = User.find(user_id)
    assert user is not None
    return user


@pytest.fixture
def user_id(pool: Pool) -> str:
    """A user in Cognito and in our table."""
    user_id = pool.sign_up()
    a_user(user_id, email=EMAIL, email_verified=True)
    return user_id


@pytest.fixture
def breaks(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return a function that makes one step towards Cognito fail once."""

    def arrange(step: str) -> None:
        original = getattr(user_pool, step)

        def fail(*_: Any) -> None:
            monkeypatch.setattr(user_pool, step, original)
            raise ServiceUnavailable(user_pool.UNREACHABLE)

        monkeypatch.setattr(user_pool, step, fail)

    return arrange


def test_a_disabled_user_is_signed_out_everywhere_and_cannot_sign_in(pool: Pool, user_id: str) -> None:
    sessions = [pool.sign_in(user_id), pool.sign_in(user_id)]
    assert all(pool.may_refresh(session) for session in sessions)
    answer = act("disable_user", user_id)
    user = stored(user_id)
    assert answer.status == 200
    assert answer.body == {"id": user_id, "active": False, "updatedAt": to_iso(user.updated_at)}
    assert user.active is False
    assert [pool.may_refresh(session) for session in sessions] == [False, False]
    assert not pool.may_sign_in()


def test_enabling_undoes_disabling(pool: Pool, user_id: str) -> None:
    before = stored(user_id)
    session = pool.sign_in(user_id)
    act("disable_user", user_id)
    answer = act("enable_user", user_id)
    user = stored(user_id)
    assert answer.body == {"id": user_id, "active": True, "updatedAt": to_iso(user.updated_at)}
    assert pool.may_sign_in()
    assert not pool.may_refresh(session), "an old session does not come back"
    user.updated_at = before.updated_at
    assert user.to_dynamodb_dict() == before.to_dynamodb_dict()


@pytest.mark.parametrize("action", ["enable_user", "disable_user", "reset_telegram"])
def test_repeating_an_action_answers_the_same_and_writes_nothing(pool: Pool, user_id: str, action: str) -> None:
    first = act(action, user_id)
    assert [act(action, user_id).body for _ in range(2)] == [first.body] * 2


def test_resetting_mfa_can_be_repeated(pool: Pool, user_id: str) -> None:
    answers = [act("reset_mfa", user_id) for _ in range(3)]
    assert [(answer.status, answer.body["id"]) for answer in answers] == [(200, user_id)] * 3


def test_a_user_who_lost_their_authenticator_signs_in_without_it(pool: Pool, user_id: str) -> None:
    pool.set_up_totp()
    assert pool.sign_in()["ChallengeName"] == "SOFTWARE_TOKEN_MFA"
    answer = act("reset_mfa", user_id)
    assert answer.body == {"id": user_id, "updatedAt": to_iso(stored(user_id).updated_at)}
    assert "AuthenticationResult" in pool.sign_in()
    shown = pool.get(user_id)
    assert (shown["UserMFASettingList"], shown["PreferredMfaSetting"]) == ([], "")
    with pytest.raises(ClientError, match="has not verified software token"):
        aws_client("cognito-idp").admin_set_user_mfa_preference(
            UserPoolId=pool.id, Username=user_id, SoftwareTokenMfaSettings={"Enabled": True}
        )


def test_mfa_that_cannot_be_cleared_is_no_success(pool: Pool, user_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Account) -> None:
        raise ClientError({"Error": {"Code": "InvalidParameterException"}}, "AdminSetUserMFAPreference")

    pool.set_up_totp()
    monkeypatch.setattr(user_pool, "_prefer_no_totp", refuse)
    monkeypatch.setattr(user_pool, "_delete_totp", refuse)
    assert act("reset_mfa", user_id).status == 500


def test_mfa_that_was_never_set_up_counts_as_cleared(pool: Pool, user_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Account) -> None:
        raise ClientError({"Error": {"Code": "InvalidParameterException"}}, "AdminDeleteSoftwareToken")

    monkeypatch.setattr(user_pool, "_delete_totp", refuse)
    assert act("reset_mfa", user_id).status == 200


def test_the_telegram_chat_is_unlinked(pool: Pool, user_id: str) -> None:
    User(user_id).update(actions=[User.telegram_chat_id.set("12345")])
    answer = act("reset_telegram", user_id)
    user = stored(user_id)
    assert answer.body == {"id": user_id, "updatedAt": to_iso(user.updated_at)}
    assert user.telegram_chat_id is None
    assert user.updated_at > user.created_at


def test_disabling_stops_entries_before_it_calls_cognito_and_a_repeat_completes_it(
    pool: Pool, user_id: str, breaks: Callable[[str], None]
) -> None:
    breaks("disable_account")
    assert act("disable_user", user_id).status == 503
    assert stored(user_id).active is False
    assert pool.may_sign_in()
    assert act("disable_user", user_id).status == 200
    assert not pool.may_sign_in()


def test_enabling_lets_followers_trade_only_when_the_account_is_enabled(
    pool: Pool, user_id: str, breaks: Callable[[str], None]
) -> None:
    act("disable_user", user_id)
    breaks("enable_account")
    assert act("enable_user", user_id).status == 503
    assert stored(user_id).active is False
    assert act("enable_user", user_id).body["active"] is True


@pytest.mark.parametrize("user_id", [id_of("nobody"), "42"])
def test_unknown_user_is_not_found(pool: Pool, user_id: str) -> None:
    for action in ACTIONS:
        answer = act(action, user_id)
        assert (answer.status, answer.body) == (404, {"message": "route not found"})


@pytest.mark.parametrize(
    ("action", "status"),
    [("enable_user", 404), ("disable_user", 200), ("reset_mfa", 404), ("reset_telegram", 200)],
)
def test_without_an_account_only_our_record_can_be_changed(pool: Pool, action: str, status: int) -> None:
    a_user(telegram_chat_id="7")
    assert act(action, USER_ID).status == status
    assert stored(USER_ID).active is (action != "disable_user")


@pytest.mark.parametrize("action", ACTIONS)
def test_a_user_whom_only_cognito_knows_can_be_acted_on(pool: Pool, action: str) -> None:
    user_id = pool.sign_up()
    assert act(action, user_id).status == 200
    assert stored(user_id).active is (action != "disable_user")


@pytest.mark.parametrize("recorded", ["", GOOGLE_NAME, "Google_wrong"])
def test_actions_on_a_user_of_another_identity_provider_reach_the_account(pool: Pool, recorded: str) -> None:
    user_id = pool.sign_in_from_google()
    a_user(user_id, username=recorded or None)
    assert act("disable_user", user_id).status == 200
    assert (stored(user_id).active, pool.get(GOOGLE_NAME)["Enabled"]) == (False, False)
    assert act("enable_user", user_id).status == 200
    assert (stored(user_id).active, pool.get(GOOGLE_NAME)["Enabled"]) == (True, True)
    pool.set_up_totp()
    assert act("reset_mfa", user_id).status == 200
    assert pool.get(GOOGLE_NAME)["UserMFASettingList"] == []


@pytest.mark.parametrize("action", ACTIONS)
def test_account_that_uses_the_name_again_is_never_acted_on(pool: Pool, action: str) -> None:
    new_id = pool.sign_in_from_google()
    pool.set_up_totp()
    a_user(USER_ID, username=GOOGLE_NAME)
    act(action, USER_ID)
    shown = pool.get(GOOGLE_NAME)
    assert (shown["Enabled"], shown["UserMFASettingList"]) == (True, ["SOFTWARE_TOKEN_MFA"])
    assert User.find(new_id) is None


@pytest.mark.parametrize("body", ["{", {"active": True}])
def test_a_body_is_ignored(pool: Pool, user_id: str, body: Any) -> None:
    event = sample("admin_user/disable_user", path=(USER_ID, user_id))
    answer = send(lambda_handler, with_body(event, body))
    assert (answer.status, answer.body["active"]) == (200, False)
