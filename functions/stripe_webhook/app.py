"""Lambda behind the public Function URL that Stripe sends its events to: HTTP in, HTTP out. Knows no event.

Maintenance does not concern it: it only keeps what it is told, and Stripe would come again later and later.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from functions.stripe_webhook.service import EventUnreadable, take_event
from shared import messages
from shared.clock import utc_now
from shared.config import settings
from shared.errors import RequestInvalid, ServiceUnavailable
from shared.models import base
from shared.observability import count_outcome, logger

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

ROUTE = ("POST", "/v1/webhook/stripe")

MAX_BYTES = 256 * 1024
"""Far above any event that we ask for."""

_SIGNATURE = "stripe-signature"


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    body: Mapping[str, object]


if settings().in_lambda:
    # While the container starts, time is cheap.
    base.connect()
    messages.connect()


def lambda_handler(event: Mapping[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one HTTP request; whatever is not 2xx, Stripe sends again."""
    try:
        answer = _answer(event)
    except Exception as error:  # noqa: BLE001 - a request ends here
        # Only the kind: what a foreign error quotes may hold a secret.
        logger.error("request_failed", error=type(error).__name__, request_id=context.aws_request_id)
        count_outcome("stripe_event_not_taken")
        answer = _Answer(500, {"message": "internal server error"})
    return {
        "statusCode": answer.status,
        "headers": {"content-type": "application/json", "x-request-id": context.aws_request_id},
        "body": json.dumps(answer.body),
    }


def _answer(event: Mapping[str, Any]) -> _Answer:
    received_at = utc_now()
    method, path = _route_of(event)
    if (method, path) != ROUTE:
        logger.info("route_unknown", method=method, path=path)
        return _Answer(404, {"message": "route not found"})
    try:
        take_event(_raw_body(event), signature=_header(event, _SIGNATURE), received_at=received_at)
    except RequestInvalid as error:
        # Anybody may send these: counted apart from the faults that ring.
        count_outcome("stripe_event_refused")
        logger.info("stripe_event_refused", reason=str(error))
        return _Answer(400, {"message": str(error)})
    except EventUnreadable as error:
        count_outcome("stripe_event_not_taken")
        logger.error("stripe_event_unreadable", reason=str(error))
        return _Answer(400, {"message": "event cannot be read"})
    except ServiceUnavailable as error:
        count_outcome("stripe_event_not_taken")
        logger.error("stripe_event_not_checked", reason=str(error))
        return _Answer(503, {"message": "service unavailable"})
    return _Answer(200, {"received": True})


def _route_of(event: Mapping[str, Any]) -> tuple[str, str]:
    http = (event.get("requestContext") or {}).get("http") or {}
    return http.get("method", ""), event.get("rawPath") or ""


def _header(event: Mapping[str, Any], name: str) -> str | None:
    """Return a header's value; several of one name come as one, with commas between."""
    headers = event.get("headers") or {}
    return next((str(value) for key, value in headers.items() if str(key).lower() == name), None)


def _raw_body(event: Mapping[str, Any]) -> bytes:
    body = str(event.get("body") or "")
    # Base64 takes four characters for three bytes.
    if len(body) > MAX_BYTES * 4 // 3 + 4:
        raise RequestInvalid("body is too large")
    if not event.get("isBase64Encoded"):
        raw = body.encode(errors="surrogatepass")
    else:
        try:
            raw = base64.b64decode(body, validate=True)
        except (binascii.Error, ValueError) as error:
            raise RequestInvalid("body cannot be read") from error
    if len(raw) > MAX_BYTES:
        raise RequestInvalid("body is too large")
    return raw
