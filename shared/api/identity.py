"""Identifies the admin by a Cognito id token, which API Gateway's authorizer or this module verifies. No sessions."""

from __future__ import annotations

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


def admin_of(event: Mapping[str, Any]) -> str:
    """Return the id of the admin who sent a request; raise AccessDenied for anybody else."""
    claims = _authorizer_claims(event)
    if claims is None:
        claims = _verified_claims(_token(event))
    # API Gateway's authorizer also lets access tokens through, and tokens of the pool's other clients.
    client_id = settings().user_pool_client_id
    if not client_id or claims.get("aud") != client_id or claims.get("token_use") != "id":
        raise AccessDenied("not an id token of this client", authenticated=False)
    if ADMIN_GROUP not in groups_of(claims):
        raise AccessDenied("forbidden", authenticated=True)
    return str(claims.get("sub", ""))


def groups_of(claims: Mapping[str, Any]) -> list[str]:
    """Return the groups of a token: a list as signed, `admin,ops` as API Gateway writes it, or `[admin ops]`."""
    match claims.get("cognito:groups"):
        case list() as groups:
            return [group for group in groups if isinstance(group, str)]
        case str() as text:
            inner = text.strip()
            if inner.startswith("[") and inner.endswith("]"):
                inner = inner[1:-1]
            return inner.replace(",", " ").split()
        case _:
            return []


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
