"""What the Lambdas behind a public Function URL have in common: a request in, an answer out, whatever is sent."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shared.errors import RequestInvalid
from shared.observability import count_outcome, logger

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and the fields of a JSON body."""

    status: int
    body: Mapping[str, object]


NOT_FOUND = Answer(404, {"message": "route not found"})


def answer_request(
    event: Mapping[str, Any],
    context: LambdaContext,
    answer: Callable[[Mapping[str, Any]], Answer],
    *,
    failure: str,
    write: Callable[[Any], str] = json.dumps,
) -> dict[str, Any]:
    """Return the response that `answer` comes to (payload version 2); what it raises is a 500, counted as `failure`."""
    try:
        answered = answer(event)
    except Exception as error:  # noqa: BLE001 - a request ends here
        # Only the kind: what a foreign error quotes may hold a secret.
        logger.error("request_failed", error=type(error).__name__, request_id=context.aws_request_id)
        count_outcome(failure)
        answered = Answer(500, {"message": "internal server error"})
    return {
        "statusCode": answered.status,
        "headers": {"content-type": "application/json", "x-request-id": context.aws_request_id},
        "body": write(answered.body),
    }


def route_of(event: Mapping[str, Any]) -> tuple[str, str]:
    """Return method and path of a payload of version 2 (Function URL), or 1 (REST API)."""
    http = (event.get("requestContext") or {}).get("http")
    if http:
        return http.get("method", ""), event.get("rawPath") or http.get("path", "")
    return event.get("httpMethod") or "", event.get("path") or ""


def header_of(event: Mapping[str, Any], name: str) -> str | None:
    """Return a header's value, its name in small letters; several of one name come as one, with commas between."""
    headers = event.get("headers") or {}
    return next((str(value) for key, value in headers.items() if str(key).lower() == name), None)


def raw_body_of(event: Mapping[str, Any], *, max_bytes: int) -> bytes:
    """Return the body as it was sent; raise RequestInvalid for one that is too long or not the base64 it should be."""
    body = str(event.get("body") or "")
    encoded = bool(event.get("isBase64Encoded"))
    # Base64 takes four characters for three bytes, and more characters are more bytes: a flood is not decoded first.
    if len(body) > (max_bytes * 4 // 3 + 4 if encoded else max_bytes):
        raise _too_long(max_bytes)
    try:
        raw = base64.b64decode(body, validate=True) if encoded else body.encode(errors="surrogatepass")
    except (binascii.Error, ValueError) as error:
        raise RequestInvalid("body must be JSON") from error
    if len(raw) > max_bytes:
        raise _too_long(max_bytes)
    return raw


def _too_long(max_bytes: int) -> RequestInvalid:
    return RequestInvalid(f"body must be at most {max_bytes // 1024} KiB")
