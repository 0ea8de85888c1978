"""A user closes the account: keys, follows and the sign-in go, what the law asks for stays."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from botocore.exceptions import ClientError

from functions.user.app import lambda_handler
from shared import user_pool
from shared.clock import utc_now
from shared.errors import ServiceUnavailable
from shared.models.exchange_key import ExchangeKey
from shared.models.execution import Execution
from shared.models.follower import Follower
from shared.models.notice import Notice
from shared.models.stripe_subscription import StripeSubscription
from shared.models.user import CLOSED_RETENTION, User
from shared.trading.execution import ExecutionState
from tests.unit.admin_requests import Answer, sample, send
from tests.unit.functions.admin_user.pool import Pool
from tests.unit.in_process_aws import Queues, aws_client
from tests.unit.records import (
    a_follower,
    a_slot,
    a_trigger,
    a_user,
    after,
    an_exchange_key,
    an_execution,
    id_of,
)


@pytest.fixture
def pool(account_api: Queues, settings_from: Callable[..., None]) -> Pool:
    cognito = aws_client("cognito-idp")
    pool_id = cognito.create_user_pool(PoolName="users", UsernameAttributes=["email"])["UserPool"]["Id"]
    client_id = cognito.create_user_pool_client(UserPoolId=pool_id, ClientName="tests")["UserPoolClient"]["ClientId"]
    settings_from(USER_POOL_ID=pool_id, USER_POOL_CLIENT_ID=client_id)
    return Pool(pool_id, client_id)


@pytest.fixture
def user_id(pool: Pool) -> str:
    user_id = pool.sign_up()
    a_user(user_id, telegram_chat_id="12345", email="jane@example.com")
    return user_id


def close(pool: Pool, user_id: str) -> Answer:
    return send(lambda_handler, of_user(pool, user_id, "close_account"))


def of_user(pool: Pool, user_id: str, name: str) -> dict[str, Any]:
    """Return a sample event with a token of the user's."""
    event: dict[str, Any] = sample(f"user/{name}")
    claims = event["requestContext"]["authorizer"]["claims"]
    issuer = f"https://cognito-idp.us-east-1.amazonaws.com/{pool.id}"
    claims |= {"sub": user_id, "cognito:username": user_id, "iss": issuer, "aud": pool.client_id}
    return event


def an_open_position(user_id: str, state: ExecutionState = ExecutionState.PROTECTED) -> Execution:
    follower = a_follower("open", user_id=user_id)
    an_exchange_key(follower.api_key_id, user_id=user_id)
    execution = an_execution(a_trigger("open", seq=1, at=after(0)), follower, state=state, filled_amount=Decimal(1))
    a_slot(execution)
    return execution


def has_account(pool: Pool, user_id: str) -> bool:
    try:
        pool.get(user_id)
    except ClientError:
        return False
    return True


def test_keys_follows_and_sign_in_are_gone_and_the_record_is_kept_as_long_as_the_law_asks(
    pool: Pool, user_id: str
) -> None:
    for name in ("one", "two"):
        an_exchange_key(a_follower(name, user_id=user_id).api_key_id, user_id=user_id)
    a_follower("without a key", user_id=user_id)
    kept = an_exchange_key(a_follower("another's", user_id=id_of("another")).api_key_id, user_id=id_of("another"))

    answer = close(pool, user_id)

    assert (answer.status, answer.body["id"]) == (200, user_id)
    assert [key.id for key in ExchangeKey.scan()] == [kept.id]
    assert [follower.user_id for follower in Follower.scan()] == [id_of("another")]
    assert not has_account(pool, user_id)
    user = User.get(user_id)
    assert (user.active, user.email) == (False, "jane@example.com")
    assert user.to_dynamodb_dict().get("telegram_chat_id") is None
    wanted = (user.wants_weekly_report, user.wants_monthly_report, user.trade_messages_wanted)
    assert wanted == (False, False, False)
    assert user.closed_at is not None
    assert user.expires_at == int((user.closed_at + CLOSED_RETENTION).timestamp())
    assert timedelta(days=3652) <= CLOSED_RETENTION
    assert user.closed_at <= utc_now()
    recorded = sorted(json.loads(notice.content)["what"] for notice in Notice.scan())
    assert recorded == ["ACCOUNT_CLOSED", "KEY_DELETED", "KEY_DELETED"]


def test_repeat_changes_nothing_and_answers_the_same(pool: Pool, user_id: str) -> None:
    first = close(pool, user_id)
    assert close(pool, user_id).text == first.text
    assert len(list(Notice.scan())) == 1


@pytest.mark.parametrize("state", [ExecutionState.ENTERING, ExecutionState.UNPROTECTED, ExecutionState.PROTECTED])
def test_open_position_stands_against_it_and_nothing_changes(pool: Pool, user_id: str, state: ExecutionState) -> None:
    an_exchange_key(a_follower("flat", user_id=user_id).api_key_id, user_id=user_id)
    execution = an_open_position(user_id, state)
    before = User.get(user_id).to_dynamodb_dict()

    answer = close(pool, user_id)

    assert (answer.status, answer.body) == (
        409,
        {
            "message": "a position is open",
            "positions": [{"id": execution.id, "symbol": "BTC/USDT", "side": "BUY", "status": state.value}],
        },
    )
    assert len(list(ExchangeKey.scan())) == len(list(Follower.scan())) == 2
    assert User.get(user_id).to_dynamodb_dict() == before
    assert has_account(pool, user_id)


@pytest.mark.parametrize(("status", "expected"), [("active", 409), ("past_due", 409), ("canceled", 200)])
def test_subscription_that_would_go_on_charging_stands_against_it(
    pool: Pool, user_id: str, status: str, expected: int
) -> None:
    at: Any = after(0)
    StripeSubscription(
        user_id,
        "sub_1",
        customer_id="cus_1",
        started_at=at,
        status=status,
        event_id="evt_1",
        event_type="customer.subscription.created",
        as_of=at,
    ).save()
    answer = close(pool, user_id)
    assert answer.status == expected
    if expected == 409:
        assert answer.body["message"] == "a subscription is active: end it in the billing portal first"
        assert has_account(pool, user_id)


def test_disabled_user_may_close_the_account_and_after_a_refusal_stays_disabled(pool: Pool, user_id: str) -> None:
    User.get(user_id).set_active(False)
    execution = an_open_position(user_id)
    assert close(pool, user_id).status == 409
    assert User.get(user_id).active is False
    execution.update(actions=[Execution.state.set(ExecutionState.CLOSED)])
    assert close(pool, user_id).status == 200


def test_repeat_deletes_the_sign_in_that_cognito_did_not(
    pool: Pool, user_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> None:
        raise ServiceUnavailable(user_pool.UNREACHABLE)

    with monkeypatch.context() as broken:
        broken.setattr(user_pool, "delete_account", fail)
        assert close(pool, user_id).status == 503
    assert User.get(user_id).active is False
    assert has_account(pool, user_id)
    assert close(pool, user_id).status == 200
    assert not has_account(pool, user_id)


@pytest.mark.parametrize("name", ["update_profile", "update_notification", "link_telegram"])
def test_token_of_a_closed_account_reads_and_changes_nothing(pool: Pool, user_id: str, name: str) -> None:
    assert close(pool, user_id).status == 200
    before = User.get(user_id).to_dynamodb_dict()
    answer = send(lambda_handler, of_user(pool, user_id, name))
    assert (answer.status, answer.body) == (403, {"message": "account disabled"})
    assert User.get(user_id).to_dynamodb_dict() == before
    assert send(lambda_handler, of_user(pool, user_id, "get_profile")).status == 200
