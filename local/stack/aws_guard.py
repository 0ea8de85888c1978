"""Stands in front of the embedded AWS, and lets through only who may use it. Knows nothing of roles and rights.

By itself MiniStack answers every page and name, and takes an unsigned request at some paths, the key `test`, and any
account number for the owner's. So a web page could deploy a function of its own, and run it here. MiniStack checks the
signature and the rights of what passes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs

from local.loopback import REFUSAL, is_local

_PUBLIC = re.compile(
    r"/_aws/(execute-api/[^/]+/.*|lambda-url/[^/]+.*)|/[^/]+/\.well-known/(jwks\.json|openid-configuration)", re.DOTALL
)
"""What AWS serves to everybody: stages, Function URLs, which check their callers themselves, and pools' public keys."""
_READABLE = {"/_ministack/health", "/_ministack/ses/messages"}
"""What programs of this machine read without a key: whether it has started, and the letters that were sent."""
_USER_POOLS = "AWSCognitoIdentityProviderService."
_NO_KEY = "the request is not signed with the access key of this run (see the session file of make run)"

Scope = dict[str, Any]
Asgi = Callable[[Scope, Any, Any], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Access:
    """How MiniStack reads a request, and which keys and operations it knows."""

    key_of: Callable[[dict[str, str], dict[str, list[str]]], str]
    """Returns the access key that headers and query name."""
    is_known: Callable[[str], bool]
    """Tells whether an access key is the run's own, or one that it gave to a function's role."""
    is_unsigned: Callable[[str], bool]
    """Tells whether AWS takes this operation of the user pools without a signature."""


def guarded(app: Asgi, access: Access) -> Asgi:
    """Return the application behind the guard."""

    async def serve(scope: Scope, receive: Any, send: Any) -> None:
        reason = None if scope["type"] == "lifespan" else _refusal(scope, access)
        if reason is None:
            await app(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
        else:
            body = json.dumps({"__type": "AccessDeniedException", "message": reason}).encode()
            headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
            await send({"type": "http.response.start", "status": HTTPStatus.FORBIDDEN, "headers": headers})
            await send({"type": "http.response.body", "body": body})

    return serve


def _refusal(scope: Scope, access: Access) -> str | None:
    """Return why the request is refused, or None."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope.get("headers", []):
        # Joined as MiniStack does: a second Host or Origin makes both foreign.
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    method, path = scope.get("method", "GET"), scope["path"]
    is_public = _PUBLIC.fullmatch(path) is not None
    if not is_local(host=headers.get("host"), origin=None if is_public else headers.get("origin")):
        return REFUSAL
    query = scope.get("query_string", b"").decode("utf-8", "replace")
    key = access.key_of(headers, parse_qs(query, keep_blank_values=True))
    if is_public or (key and access.is_known(key)):
        return None
    if method == "OPTIONS" or (method == "GET" and path in _READABLE):
        return None
    target = headers.get("x-amz-target", "")
    signs_in = target.startswith(_USER_POOLS) and access.is_unsigned(target.removeprefix(_USER_POOLS))
    if signs_in and path == "/" and not query and "authorization" not in headers:
        return None
    return _NO_KEY
