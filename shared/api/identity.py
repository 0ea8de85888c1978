"""Identifies who sent a request by a Cognito id token, which API Gateway's authorizer or this module verifies.

There are two pools: admins have one of their own, in which nobody can sign up. A token counts for the pool that issued
it, so a group called `admin` in the users' pool means nothing. Keeps no sessions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from pydantic import ValidationError

from shared.api.events import header_of
from shared.config import settings
from shared.errors import AccessDenied, ServiceUnavailable
from shared.models.user import ADMIN_GROUP, Account
from shared.pool_attributes import UserAttributes
from shared.process_state import process_cache

if TYPE_CHECKING:
    from jwt import PyJWKClient

_JWKS_TIMEOUT_S = 3

_SEPARATORS = re.compile(r"[\s,\[\]]+")


@dataclass(frozen=True, slots=True)
class Pool:
    """A user pool, and its app client whose tokens are accepted."""

    id: str
    client_id: str

    @classmethod
    def of_admins(cls) -> Self:
        """Return the admins' pool."""
        return cls(settings().admin_pool_id, settings().admin_pool_client_id)

    @classmethod
    def of_users(cls) -> Self:
        """Return the users' pool."""
        return cls(settings().user_pool_id, settings().user_pool_client_id)

    @property
    def issuer(self) -> str:
        """The `iss` of the pool's tokens."""
        return f"https://cognito-idp.{settings().aws_region}.amazonaws.com/{self.id}"

    def has_issued(self, claims: Mapping[str, Any]) -> bool:
        """Return whether these are the claims of an id token that the pool issued to the client.

        API Gateway's authorizer also lets access tokens through, and tokens of the pool's other clients.
        """
        expected = {"iss": self.issuer, "aud": self.client_id, "token_use": "id"}
        return bool(self.id and self.client_id) and expected.items() <= claims.items()


@dataclass(frozen=True, slots=True)
class AdminSession:
    """An admin as a token names them, and when they signed in."""

    admin_id: str
    username: str
    """The name in the admins' pool."""
    signed_in_at: int
    """Unix time in seconds. Tokens that were refreshed have that of the sign-in."""


def admin_of(event: Mapping[str, Any]) -> str:
    """Return the id of the admin who sent a request; raise AccessDenied for anybody else."""
    return str(_admin_claims(event).get("sub", ""))


def admin_session_of(event: Mapping[str, Any]) -> AdminSession:
    """Return the session of the admin who sent a request; raise AccessDenied for anybody else."""
    claims = _admin_claims(event)
    try:
        # API Gateway passes `iat` on as a date in words, and `auth_time` as a number.
        signed_in_at = int(claims["auth_time"])
        return AdminSession(str(claims["sub"]), str(claims["cognito:username"]), signed_in_at)
    except (KeyError, TypeError, ValueError) as error:
        raise AccessDenied("the token does not say who signed in when", authenticated=False) from error


def _admin_claims(event: Mapping[str, Any]) -> Mapping[str, Any]:
    admins = Pool.of_admins()
    claims = _claims(event, (admins, Pool.of_users()))
    if not admins.has_issued(claims) or not _is_admin(event, claims):
        raise AccessDenied("forbidden", authenticated=True)
    return claims


def user_of(event: Mapping[str, Any]) -> Account:
    """Return the account of the user who sent a request; raise AccessDenied for anybody else, admins included."""
    claims = _claims(event, (Pool.of_users(),))
    try:
        return UserAttributes.model_validate(claims).account(str(claims.get("cognito:username", "")))
    except ValidationError as error:
        raise AccessDenied("the token names no user", authenticated=False) from error


def _claims(event: Mapping[str, Any], pools: Sequence[Pool]) -> Mapping[str, Any]:
    """Return the claims of an id token of one of the pools; raise AccessDenied."""
    claims = _authorizer_claims(event)
    if claims is None:
        claims = _verified_claims(_token(event), pools)
    if not any(pool.has_issued(claims) for pool in pools):
        raise AccessDenied("not an id token of this client", authenticated=False)
    return claims


def _is_admin(event: Mapping[str, Any], claims: Mapping[str, Any]) -> bool:
    """Return whether the token's groups have the admins' one.

    API Gateway writes several groups as one text: `admin,ops`, or `[admin ops]`. A group's name may hold commas and
    brackets, so such a text does not say which groups it came from; the signed list in the token does.
    """
    groups = claims.get("cognito:groups")
    if isinstance(groups, str):
        if groups == ADMIN_GROUP:
            return True
        # Where the word does not stand alone, it is no group of its own in any reading.
        if ADMIN_GROUP not in _SEPARATORS.split(groups) or not _token(event):
            return False
        signed = _verified_claims(_token(event), (Pool.of_admins(),))
        if signed["sub"] != claims.get("sub"):
            return False
        groups = signed.get("cognito:groups")
    return isinstance(groups, list) and ADMIN_GROUP in groups


def _authorizer_claims(event: Mapping[str, Any]) -> Mapping[str, Any] | None:
    authorizer = (event.get("requestContext") or {}).get("authorizer") or {}
    return authorizer.get("claims") or None


def _token(event: Mapping[str, Any]) -> str:
    value = (header_of(event, "authorization") or "").strip()
    scheme, _, rest = value.partition(" ")
    return rest.strip() if scheme.lower() == "bearer" else value


def _verified_claims(token: str, pools: Sequence[Pool]) -> Mapping[str, Any]:
    # Needed only without an authorizer (`sam local start-api`), so deployed functions never pay for the import.
    import jwt  # noqa: PLC0415

    if not token:
        raise AccessDenied("no token", authenticated=False)
    try:
        named = jwt.decode(token, options={"verify_signature": False}).get("iss")
        pool = next((pool for pool in pools if pool.id and pool.issuer == named), None)
        if pool is None:
            raise AccessDenied("a token of another pool", authenticated=False)
        key = _keys_of_pool(pool.id).get_signing_key_from_jwt(token)
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=["RS256"],
            audience=pool.client_id,
            issuer=pool.issuer,
            options={"require": ["exp", "iss", "aud", "sub", "token_use"]},
        )
    except jwt.PyJWKClientConnectionError as error:
        raise ServiceUnavailable("sign-in cannot be checked at the moment") from error
    except (jwt.PyJWTError, ValueError) as error:
        raise AccessDenied(f"token refused: {type(error).__name__}", authenticated=False) from error
    return claims


@process_cache
def _keys_of_pool(pool: str) -> PyJWKClient:
    import jwt  # noqa: PLC0415 - see above

    base = settings().cognito_url or f"https://cognito-idp.{settings().aws_region}.amazonaws.com"
    return jwt.PyJWKClient(f"{base.rstrip('/')}/{pool}/.well-known/jwks.json", timeout=_JWKS_TIMEOUT_S)
