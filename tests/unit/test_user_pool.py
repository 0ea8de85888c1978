"""The admins in the user pool."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from shared import user_pool
from shared.user_pool import AdminStanding
from tests.unit.functions.admin_user.pool import Pool
from tests.unit.in_process_aws import aws_client


@pytest.fixture
def pool(moto: None, settings_from: Callable[..., None]) -> str:
    pool_id: str = aws_client("cognito-idp").create_user_pool(PoolName="admins", UsernameAttributes=["email"])[
        "UserPool"
    ]["Id"]
    aws_client("cognito-idp").create_group(UserPoolId=pool_id, GroupName="admin")
    settings_from(ADMIN_POOL_ID=pool_id)
    return pool_id


def add(pool: str, email: str, *, admin: bool, verified: str = "true") -> str:
    cognito = aws_client("cognito-idp")
    made = cognito.admin_create_user(
        UserPoolId=pool,
        Username=email,
        UserAttributes=[{"Name": "email", "Value": email}, {"Name": "email_verified", "Value": verified}],
        MessageAction="SUPPRESS",
    )
    user_id: str = made["User"]["Username"]
    if admin:
        cognito.admin_add_user_to_group(UserPoolId=pool, Username=user_id, GroupName="admin")
    return user_id


def test_admins_are_the_enabled_members_of_the_group(pool: str) -> None:
    ada = add(pool, "ada@example.com", admin=True)
    abe = add(pool, "abe@example.com", admin=True, verified="false")
    gone = add(pool, "gone@example.com", admin=True)
    add(pool, "user@example.com", admin=False)
    aws_client("cognito-idp").admin_disable_user(UserPoolId=pool, Username=gone)
    found = {admin.id: (admin.email, admin.email_verified) for admin in user_pool.list_admins()}
    assert found == {ada: ("ada@example.com", True), abe: ("abe@example.com", False)}


def test_admin_of_another_identity_provider_is_named_by_the_sub(pool: str) -> None:
    ada = add(pool, "ada@example.com", admin=True)
    Pool(pool, "").rename(ada, "Google_1")
    assert [(admin.id, admin.username) for admin in user_pool.list_admins()] == [(ada, "Google_1")]


def test_admins_of_every_page_are_listed(pool: str) -> None:
    admins = {add(pool, f"admin-{number}@example.com", admin=True) for number in range(65)}
    assert {admin.id for admin in user_pool.list_admins()} == admins


def test_standing_of_an_admin_is_read_or_given_up_within_five_seconds(pool: str) -> None:
    ada = add(pool, "ada@example.com", admin=True)
    user_pool.find_admin_standing(ada, admin_id=ada)
    config: Any = user_pool._prompt_cognito().meta.config
    tries = config.retries["total_max_attempts"]
    # The pause before the second try is a second at most.
    assert tries * max(config.connect_timeout, config.read_timeout) + (tries - 1) <= 5


def test_standing_has_account_group_and_last_sign_out(pool: str) -> None:
    ada, user = add(pool, "ada@example.com", admin=True), add(pool, "user@example.com", admin=False)
    assert user_pool.find_admin_standing(ada, admin_id=ada) == AdminStanding(
        enabled=True, in_group=True, signed_out_at=0
    )
    assert user_pool.find_admin_standing(user, admin_id=user) == AdminStanding(
        enabled=True, in_group=False, signed_out_at=0
    )
    assert user_pool.find_admin_standing("nobody", admin_id="nobody") is None
    assert user_pool.find_admin_standing(ada, admin_id=user) is None
