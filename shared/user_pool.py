"""The only client of the Cognito user pools. Reads and changes accounts there; writes no record of ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC
from http import HTTPStatus
from typing import TYPE_CHECKING, TypedDict

from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as CognitoNotReached

from shared.aws_session import aws_session
from shared.config import settings
from shared.errors import NotFound, ServiceUnavailable
from shared.models.user import ADMIN_GROUP, Account
from shared.observability import logger
from shared.process_state import process_cache

if TYPE_CHECKING:
    from mypy_boto3_cognito_idp import CognitoIdentityProviderClient
    from mypy_boto3_cognito_idp.type_defs import AdminGetUserResponseTypeDef, AttributeTypeTypeDef, UserTypeTypeDef

UNREACHABLE = "sign-in service cannot be reached"

_TOTP = "SOFTWARE_TOKEN_MFA"
_BUSY = {"TooManyRequestsException", "ThrottlingException", "LimitExceededException", "InternalErrorException"}
_NOTHING_TO_CLEAR = {"InvalidParameterException", "ResourceNotFoundException", "UserNotConfirmedException"}


SIGNED_OUT_AT = "custom:signed_out_at"
"""The attribute of an admin that says when they were last signed out everywhere (Unix seconds).

Cognito itself does not say: a global sign-out ends access and refresh tokens, and leaves id tokens as they are.
"""


@dataclass(frozen=True, slots=True)
class AdminStanding:
    """What Cognito says of an admin."""

    enabled: bool
    in_group: bool
    """Whether the admin is in the group of admins."""
    signed_out_at: int
    """Unix seconds of the last sign-out everywhere; 0 if there was none."""


class _UserKey(TypedDict):
    UserPoolId: str
    Username: str


def find_account(user_id: str, *, username: str | None = None) -> Account | None:
    """Return the user's account in Cognito, or None; raise ServiceUnavailable when Cognito cannot be reached.

    `username` is the name in the pool, where it is known and not the id. An account of another `sub` is never returned:
    a name is used again when its user signs up anew.
    """
    account = _account_by_name(username or user_id, user_id=user_id)
    if account is not None and account.id == user_id:
        return account
    with _translate_errors(user_id):
        pages = (
            _cognito()
            .get_paginator("list_users")
            .paginate(UserPoolId=settings().user_pool_id, Filter=f'sub = "{user_id}"')
        )
        found = [
            _account(user["Username"], user, user.get("Attributes", [])) for page in pages for user in page["Users"]
        ]
    return next((account for account in found if account.id == user_id), None)


def list_admins() -> list[Account]:
    """Return the enabled admins of the admins' pool; raise ServiceUnavailable when Cognito cannot be reached."""
    with _translate_errors(ADMIN_GROUP):
        pages = (
            _cognito()
            .get_paginator("list_users_in_group")
            .paginate(UserPoolId=settings().admin_pool_id, GroupName=ADMIN_GROUP)
        )
        found = [
            _account(user["Username"], user, user.get("Attributes", [])) for page in pages for user in page["Users"]
        ]
    return [account for account in found if account.enabled]


def find_admin_standing(username: str, *, admin_id: str) -> AdminStanding | None:
    """Return the standing of the account with this name and `sub` in the admins' pool, or None when there is none.

    Raise ServiceUnavailable when Cognito gives no answer within some four seconds.
    """
    pool = settings().admin_pool_id
    try:
        with _translate_errors(admin_id):
            found = _prompt_cognito().admin_get_user(UserPoolId=pool, Username=username)
            attributes = {one["Name"]: one.get("Value", "") for one in found.get("UserAttributes", [])}
            pages = (
                _prompt_cognito()
                .get_paginator("admin_list_groups_for_user")
                .paginate(UserPoolId=pool, Username=username)
            )
            groups = {group["GroupName"] for page in pages for group in page["Groups"]}
    except NotFound:
        return None
    if attributes.get("sub", username) != admin_id:
        # Somebody new has the name of an account that was deleted.
        return None
    signed_out_at = int(attributes.get(SIGNED_OUT_AT) or 0)
    return AdminStanding(enabled=found["Enabled"], in_group=ADMIN_GROUP in groups, signed_out_at=signed_out_at)


def enable_account(account: Account) -> None:
    """Let the user sign in again; raise NotFound when there is no such account."""
    with _translate_errors(account.id):
        _cognito().admin_enable_user(**_user_key(account))


def disable_account(account: Account) -> None:
    """Stop the user from signing in, and sign them out everywhere; raise NotFound when there is no such account.

    An id token that was issued before stays valid until it expires, minutes later.
    """
    with _translate_errors(account.id):
        # In this order no new session can start in between.
        _cognito().admin_disable_user(**_user_key(account))
        _cognito().admin_user_global_sign_out(**_user_key(account))


def delete_account(account: Account) -> None:
    """Delete the user's account, with every session of it; raise NotFound when there is no such account."""
    with _translate_errors(account.id):
        _cognito().admin_delete_user(**_user_key(account))


def clear_mfa(account: Account) -> None:
    """Remove the user's authenticator app and its preference; raise NotFound when there is no such account."""
    refusal: ClientError | None = None
    with _translate_errors(account.id):
        # Disabling the preference alone keeps the secret: the lost device could be required again later.
        for step in (_prefer_no_totp, _delete_totp):
            try:
                step(account)
            except ClientError as error:
                if _code(error) not in _NOTHING_TO_CLEAR:
                    raise
                # Cognito refuses to remove an app that was never set up, with errors that also mean other things.
                refusal = error
                logger.info("mfa_step_refused", user_id=account.id, step=step.__name__, code=_code(error))
        if refusal is not None and _has_totp(account):
            raise refusal


def _account_by_name(name: str, *, user_id: str) -> Account | None:
    try:
        with _translate_errors(user_id):
            found = _cognito().admin_get_user(UserPoolId=settings().user_pool_id, Username=name)
    except NotFound:
        return None
    return _account(found["Username"], found, found.get("UserAttributes", []))


def _account(
    username: str, found: UserTypeTypeDef | AdminGetUserResponseTypeDef, attribute_list: list[AttributeTypeTypeDef]
) -> Account:
    attributes = {one["Name"]: one.get("Value", "") for one in attribute_list}
    user_id = attributes.get("sub", username)
    made_at = found["UserCreateDate"].astimezone(UTC)
    return Account(
        id=user_id,
        username=username if username != user_id else "",
        status=found["UserStatus"],
        email=attributes.get("email", ""),
        email_verified=attributes.get("email_verified", "").lower() == "true",
        enabled=found["Enabled"],
        first_name=attributes.get("given_name", ""),
        last_name=attributes.get("family_name", ""),
        created_at=made_at.replace(microsecond=made_at.microsecond // 1000 * 1000),
    )


def _has_totp(account: Account) -> bool:
    return _TOTP in _cognito().admin_get_user(**_user_key(account)).get("UserMFASettingList", [])


def _prefer_no_totp(account: Account) -> None:
    _cognito().admin_set_user_mfa_preference(
        **_user_key(account), SoftwareTokenMfaSettings={"Enabled": False, "PreferredMfa": False}
    )


def _delete_totp(account: Account) -> None:
    _cognito().admin_delete_software_token(**_user_key(account))


@contextmanager
def _translate_errors(user_id: str) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        if _code(error) == "UserNotFoundException":
            raise NotFound(f"user {user_id} has no account in the user pool") from error
        if (
            _code(error) in _BUSY
            or error.response["ResponseMetadata"]["HTTPStatusCode"] >= HTTPStatus.INTERNAL_SERVER_ERROR
        ):
            raise ServiceUnavailable(UNREACHABLE) from error
        raise
    except (CognitoNotReached, HTTPClientError) as error:
        raise ServiceUnavailable(UNREACHABLE) from error


def _code(error: ClientError) -> str:
    return error.response["Error"]["Code"]


def _user_key(account: Account) -> _UserKey:
    return {"UserPoolId": settings().user_pool_id, "Username": account.pool_name}


@process_cache
def _prompt_cognito() -> CognitoIdentityProviderClient:
    # Every request of an admin waits for it, before the 29 seconds that its own work may take.
    config = Config(connect_timeout=1, read_timeout=1.5, retries={"total_max_attempts": 2, "mode": "standard"})
    return aws_session().client("cognito-idp", region_name=settings().aws_region, config=config)


@process_cache
def _cognito() -> CognitoIdentityProviderClient:
    config = Config(connect_timeout=1, read_timeout=3, retries={"max_attempts": 3, "mode": "standard"})
    return aws_session().client("cognito-idp", region_name=settings().aws_region, config=config)
