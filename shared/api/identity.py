"""Identifies the admin by a Cognito id token, which API Gateway's authorizer or this module verifies. No sessions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from shared.api.events import header_of
from shared.config import settings
from shared.errors import AccessDenied, ServiceUnavailable
from shared.models.user import ADMIN_GROUP
from shared.process_state import process_cache

if TYPE_CHECKING:
    from jwt import PyJWKClient

_JWKS_TIMEOUT_S = 3

_SEPARATORS = re.compile(r"[\s,\[\]]+")


def admin_of(event: Mapping[str, Any]) -> str:
    """Return the id of the admin who sent a request; raise AccessDenied for anybody else."""
    claims = _authorizer_claims(event)
    if claims is None:
        claims = _verified_claims(_token(event))
    # API Gateway's authorizer also lets access tokens through, and tokens of the pool's other clients.
    client_id = settings().user_pool_client_id
    if not client_id or claims.get("aud") != client_id or claims.get("token_use") != "id":
        raise AccessDenied("not an id token of this client", authenticated=False)
    if not _is_admin(event, claims):
        raise AccessDenied("forbidden", authenticated=True)
    return str(claims.get("sub", ""))


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
        signed = _verified_claims(_token(event))
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


def _verified_claims(token: str) -> Mapping[str, Any]:
    # Needed only without an authorizer (`sam local start-api`), so deployed functions never pay for the import.
    import jwt  # noqa: PLC0415

    pool = settings().user_pool_id
    if not token or not pool:
        raise AccessDenied("no token", authenticated=False)
    try:
        key = _keys_of_pool(pool).get_signing_key_from_jwt(token)
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=["RS256"],
            audience=settings().user_pool_client_id,
            issuer=f"https://cognito-idp.{settings().aws_region}.amazonaws.com/{pool}",
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
