"""Lambda behind the public Function URL (endpoint 36): HTTP in, HTTP out. Decides nothing about an alert."""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from functions.strategy_webhook.body import MAX_BYTES, read_body, write_json
from functions.strategy_webhook.service import fire_strategy
from shared import messages
from shared.api.maintenance import refuse_during_maintenance
from shared.clock import utc_now
from shared.config import settings
from shared.errors import AccessDenied, RequestInvalid, RequestUnprocessable, ServiceUnavailable
from shared.models import base
from shared.observability import count_outcome, logger

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

ROUTE = ("POST", "/v1/webhook/strategy")

REFUSAL_S = 0.025
"""Every 401 takes at least this long, longer than a look-up does: its time does not tell whether a strategy exists."""


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    body: Mapping[str, object]


if settings().in_lambda:
    # While the container starts, time is cheap: TradingView gives up after three seconds.
    base.connect()
    messages.connect()


def lambda_handler(event: Mapping[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one HTTP request."""
    try:
        answer = _answer(event)
    except Exception as error:  # noqa: BLE001 - a request ends here
        # Only the kind: what a foreign error quotes may hold a secret.
        logger.error("request_failed", error=type(error).__name__, request_id=context.aws_request_id)
        count_outcome("alert_failed")
        answer = _Answer(500, {"message": "internal server error"})
    return {
        "statusCode": answer.status,
        "headers": {"content-type": "application/json", "x-request-id": context.aws_request_id},
        "body": write_json(answer.body),
    }


def _answer(event: Mapping[str, Any]) -> _Answer:
    received_at = utc_now()
    method, path = _route_of(event)
    if (method, path) != ROUTE:
        logger.info("route_unknown", method=method, path=path)
        return _Answer(404, {"message": "route not found"})
    started = time.monotonic()
    try:
        refuse_during_maintenance()
        acceptance = fire_strategy(read_body(_raw_body(event)), received_at=received_at)
    except RequestInvalid as error:
        count_outcome("alert_refused", reason="invalid")
        logger.info("alert_refused", reason=str(error))
        return _Answer(400, {"message": str(error)})
    except RequestUnprocessable as error:
        count_outcome("alert_refused", reason="unprocessable")
        logger.info("alert_refused", faults=[(fault["param"], fault["msg"]) for fault in error.faults])
        return _Answer(422, {"errors": error.faults})
    except AccessDenied as error:
        count_outcome("alert_refused", reason="unauthorized")
        logger.info("alert_refused", reason=str(error))
        time.sleep(max(started + REFUSAL_S - time.monotonic(), 0))
        return _Answer(401, {"error": "unauthorized"})
    except ServiceUnavailable as error:
        count_outcome("alert_refused", reason="unavailable")
        logger.warning("alert_refused", reason=str(error))
        return _Answer(503, {"message": str(error)})
    outcome = "alert_repeated" if acceptance.repeated else "alert_accepted"
    count_outcome(outcome)
    logger.info(outcome, trigger_id=acceptance.trigger_id)
    return _Answer(200, {"id": acceptance.trigger_id})


def _route_of(event: Mapping[str, Any]) -> tuple[str, str]:
    """Return method and path of a payload of version 2 (Function URL), or 1 (REST API)."""
    http = (event.get("requestContext") or {}).get("http")
    if http:
        return http.get("method", ""), event.get("rawPath") or http.get("path", "")
    return event.get("httpMethod") or "", event.get("path") or ""


def _raw_body(event: Mapping[str, Any]) -> bytes:
    body = event.get("body") or ""
    if not event.get("isBase64Encoded"):
        # Longer in characters is longer in bytes: no need to encode a flood before refusing it.
        return str(body)[: MAX_BYTES + 1].encode(errors="surrogatepass")
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError) as error:
        raise RequestInvalid("body must be JSON") from error
