"""Calls about one user at the same moment: the record is created once, and no change is lost."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any
from uuid import uuid4

from functions.user_recorder.app import lambda_handler
from shared.api.account_api import AccountApi
from shared.clock import utc_now
from shared.models.user import Account, User, create_user, sync_from_cognito, upsert_user
from tests.environment import environment
from tests.integration.embedded_aws import EmbeddedAws
from tests.lambda_context import FakeContext

AT_ONCE = 8


def event(name: str, user_id: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((Path("events/user_recorder") / f"{name}.json").read_text())
    read["request"]["userAttributes"]["sub"] = user_id
    return read


def test_eight_events_at_once_make_one_record(aws: EmbeddedAws) -> None:
    user_id = str(uuid4())
    barrier = Barrier(AT_ONCE)

    def send(number: int) -> None:
        sent = event("signed_in" if number % 2 else "sign_up_confirmed", user_id)
        barrier.wait()
        lambda_handler(sent, None)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(send, range(AT_ONCE)))
    listed = [found.created_key for found in User.by_created.query("ALL") if found.id == user_id]
    user = User.find(user_id)
    assert user is not None
    assert listed == [user.created_key]


def test_of_eight_creations_at_once_all_return_the_one_record(aws: EmbeddedAws) -> None:
    user_id = str(uuid4())
    barrier = Barrier(AT_ONCE)

    def make(number: int) -> User:
        barrier.wait()
        return create_user(Account(id=user_id, first_name=str(number)))

    with ThreadPoolExecutor(AT_ONCE) as pool:
        made = list(pool.map(make, range(AT_ONCE)))
    assert len({user.first_name for user in made}) == 1
    assert len({user.created_key for user in made}) == 1


def test_eight_first_requests_and_events_at_once_make_one_record(aws: EmbeddedAws) -> None:
    user_id = str(uuid4())
    asked = json.loads(Path("events/user/get_profile.json").read_text())
    claims = asked["requestContext"]["authorizer"]["claims"]
    claims["sub"] = user_id
    pool = {"USER_POOL_ID": claims["iss"].rpartition("/")[2], "USER_POOL_CLIENT_ID": claims["aud"]}
    barrier = Barrier(AT_ONCE)

    def ask(number: int) -> str:
        # A container answers one request at a time, so each has an app of its own.
        app = AccountApi()
        app.get("/v1/account/user")(lambda: {"made": app.user.created_key})
        barrier.wait()
        if number == 0:
            lambda_handler(event("sign_up_confirmed", user_id), None)
        answer = app.resolve(asked, FakeContext())  # type: ignore[arg-type]
        assert answer["statusCode"] == 200, answer["body"]
        return str(json.loads(answer["body"])["made"])

    with environment(**pool), ThreadPoolExecutor(AT_ONCE) as threads:
        made = set(threads.map(ask, range(AT_ONCE)))
    listed = [found.created_key for found in User.by_created.query("ALL") if found.id == user_id]
    assert made == set(listed)
    assert len(listed) == 1


def test_sync_from_an_outdated_record_does_not_overwrite_a_newer_change(aws: EmbeddedAws) -> None:
    account = Account(id=str(uuid4()), created_at=utc_now())
    seen_before = upsert_user(account)
    User.find(account.id).set_active(False)  # type: ignore[union-attr]
    User.find(account.id).set_active(True)  # type: ignore[union-attr]
    sync_from_cognito(seen_before, Account(id=account.id, email="old@example.com"))
    found = User.find(account.id)
    assert found is not None
    assert (found.active, found.email) == (True, "")
