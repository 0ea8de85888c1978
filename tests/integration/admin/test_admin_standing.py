"""An admin who is disabled, signed out or taken from the group is out within a minute, whatever the token says."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from local.deployment.admin_pool import AdminPool
from local.deployment.admin_sign_out import sign_out
from local.deployment.admin_token import sign_in
from shared.api import admin_standing
from shared.api.admin_api import AdminApi
from tests.integration.admin.cognito import PASSWORD, Answers, claims_of, create_admin, create_admin_pool
from tests.integration.embedded_aws import REGION
from tests.lambda_context import FakeContext

PATH = "/v1/admin/thing/list"

LET_IN, UNAUTHORIZED, FORBIDDEN, UNAVAILABLE = 200, 401, 403, 503


class Clock:
    """The time by which answers age; it moves when told to."""

    def __init__(self) -> None:
        self.now = time.time()

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(admin_standing, "time", clock)
    return clock


@pytest.fixture
def pool(ministack: str, settings_from: Callable[..., None]) -> AdminPool:
    pool = create_admin_pool(ministack)
    settings_from(
        AWS_ENDPOINT_URL=ministack,
        AWS_REGION=REGION,
        AWS_ACCESS_KEY_ID="test",
        AWS_SECRET_ACCESS_KEY="test",
        ADMIN_POOL_ID=pool.id,
        ADMIN_POOL_CLIENT_ID=pool.client_id,
    )
    return pool


@pytest.fixture
def email(pool: AdminPool) -> str:
    return create_admin(pool)


@pytest.fixture
def silence(settings_from: Callable[..., None]) -> Callable[[], None]:
    """Return a function that makes Cognito unreachable, and leaves what was heard of it."""

    def fall_silent() -> None:
        heard = dict(admin_standing._answers)
        settings_from(AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER="http://127.0.0.1:9")
        admin_standing._answers.update(heard)

    return fall_silent


def session_of(pool: AdminPool, email: str) -> dict[str, Any]:
    """Sign in and return what the id token says."""
    return claims_of(sign_in(pool, email, ask=Answers(PASSWORD)))


def status(claims: dict[str, Any]) -> int:
    """Return how a function behind the admin API answers a request whose token the gateway has verified."""
    app = AdminApi()
    handler: Any = app.resolve

    @app.get(PATH)
    def list_things() -> dict[str, Any]:
        return {"items": []}

    # API Gateway passes every claim on as text.
    texts = {name: ",".join(value) if isinstance(value, list) else str(value) for name, value in claims.items()}
    event = {
        "httpMethod": "GET",
        "path": PATH,
        "resource": PATH,
        "headers": {},
        "multiValueHeaders": {},
        "queryStringParameters": None,
        "requestContext": {"requestId": "1", "stage": "live", "authorizer": {"claims": texts}},
        "body": None,
        "isBase64Encoded": False,
    }
    answer = handler(event, FakeContext())
    assert json.loads(answer["body"])
    return int(answer["statusCode"])


def disable(pool: AdminPool, email: str) -> None:
    pool.cognito.admin_disable_user(UserPoolId=pool.id, Username=email)


def delete(pool: AdminPool, email: str) -> None:
    pool.cognito.admin_delete_user(UserPoolId=pool.id, Username=email)


def take_from_group(pool: AdminPool, email: str) -> None:
    pool.cognito.admin_remove_user_from_group(UserPoolId=pool.id, Username=email, GroupName="admin")


@pytest.mark.parametrize(
    ("end", "answered"),
    [(disable, UNAUTHORIZED), (delete, UNAUTHORIZED), (sign_out, UNAUTHORIZED), (take_from_group, FORBIDDEN)],
)
def test_admin_is_out_within_a_minute(
    pool: AdminPool, email: str, clock: Clock, end: Callable[[AdminPool, str], None], answered: int
) -> None:
    session = session_of(pool, email)
    assert status(session) == LET_IN
    end(pool, email)
    clock.now += admin_standing.ASKED_EVERY_S
    assert admin_standing.ASKED_EVERY_S <= admin_standing.BELIEVED_FOR_S <= 60
    assert status(session) == answered
    # And stays out.
    assert status(session) == answered


def test_sign_out_ends_what_began_before_it_and_nothing_else(pool: AdminPool, email: str) -> None:
    before = session_of(pool, email)
    sign_out(pool, email)
    signed_out_at = int(time.time()) + 1
    # A refreshed token is younger than the sign-out, its sign-in is not.
    refreshed = before | {"iat": signed_out_at + 10, "exp": signed_out_at + 910}
    later = before | {"auth_time": signed_out_at + 1}
    assert (status(before), status(refreshed), status(later)) == (UNAUTHORIZED, UNAUTHORIZED, LET_IN)


def test_one_admin_who_is_out_takes_nobody_along(pool: AdminPool, email: str) -> None:
    other = create_admin(pool)
    session, others = session_of(pool, email), session_of(pool, other)
    disable(pool, email)
    assert (status(session), status(others)) == (UNAUTHORIZED, LET_IN)


def test_admin_who_is_enabled_again_gets_in_again(pool: AdminPool, email: str, clock: Clock) -> None:
    session = session_of(pool, email)
    disable(pool, email)
    assert status(session) == UNAUTHORIZED
    pool.cognito.admin_enable_user(UserPoolId=pool.id, Username=email)
    clock.now += admin_standing.ASKED_EVERY_S
    assert status(session) == LET_IN


def test_name_of_a_deleted_admin_opens_nothing_to_its_next_owner(pool: AdminPool, email: str) -> None:
    session = session_of(pool, email)
    assert status(session | {"sub": "another-admin"}) == UNAUTHORIZED


def test_while_cognito_is_silent_its_last_answer_holds_for_a_minute_and_no_longer(
    pool: AdminPool, email: str, clock: Clock, silence: Callable[[], None]
) -> None:
    session = session_of(pool, email)
    assert status(session) == LET_IN
    heard_at = clock.now
    silence()
    for age_s, answered in ((40, LET_IN), (59, LET_IN), (61, UNAVAILABLE), (600, UNAVAILABLE)):
        clock.now = heard_at + age_s
        assert status(session) == answered, age_s


def test_container_that_has_heard_nothing_lets_nobody_in(
    pool: AdminPool, email: str, silence: Callable[[], None]
) -> None:
    session = session_of(pool, email)
    silence()
    assert status(session) == UNAVAILABLE


def test_clock_that_is_set_back_makes_no_answer_younger(pool: AdminPool, email: str, clock: Clock) -> None:
    session = session_of(pool, email)
    assert status(session) == LET_IN
    disable(pool, email)
    clock.now -= 3600
    assert status(session) == UNAUTHORIZED
