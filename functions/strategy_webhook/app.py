"""Lambda behind the public Function URL (endpoint 36): HTTP in, HTTP out. Decides nothing about an alert."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from functions.strategy_webhook.refusals import note_refusal
from functions.strategy_webhook.service import fire_strategy
from shared import messages
from shared.api import edge
from shared.api.alert_json import MAX_BYTES, Json, parse_alert_json
from shared.api.events import raw_body_of
from shared.api.function_url import FORBIDDEN, NOT_FOUND, Answer, answer_request, is_routed_to
from shared.api.maintenance import refuse_during_maintenance
from shared.clock import utc_now
from shared.config import settings
from shared.errors import AccessDenied, RequestInvalid, RequestUnprocessable, ServiceUnavailable
from shared.models import base
from shared.observability import count_outcome, logger

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

ROUTE = ("POST", "/v1/webhook/strategy")

REFUSAL_S = 0.05
"""Every 401 takes at least this long, longer than a look-up: its time does not reveal whether a strategy exists.

No refusal waits longer than this until it is noted for the operator.
"""


if settings().in_lambda:
    # Connect while the container starts, where it costs no alert time: TradingView gives up after three seconds.
    base.connect()
    messages.connect()
    edge.load()


def lambda_handler(event: Mapping[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one HTTP request."""
    return answer_request(event, context, _answer_known_sender, failure="alert_failed")


def _answer_known_sender(event: Mapping[str, Any]) -> Answer:
    if edge.is_known_sender(event, settings().alert_senders):
        return _answer(event)
    count_outcome("alert_refused", reason="sender")
    logger.info("alert_refused", reason="unknown sender", sender=str(edge.viewer_address(event)))
    return FORBIDDEN


def _answer(event: Mapping[str, Any]) -> Answer:
    received_at = utc_now()
    if not is_routed_to(event, ROUTE):
        return NOT_FOUND
    refused_by_s = time.monotonic() + REFUSAL_S
    fields: dict[str, Json] = {}
    try:
        refuse_during_maintenance()
        fields = parse_alert_json(raw_body_of(event, max_bytes=MAX_BYTES))
        acceptance = fire_strategy(fields, received_at=received_at)
    except RequestInvalid as error:
        count_outcome("alert_refused", reason="invalid")
        logger.info("alert_refused", reason=str(error))
        return Answer(400, {"message": str(error)})
    except RequestUnprocessable as error:
        count_outcome("alert_refused", reason="unprocessable")
        logger.info("alert_refused", faults=[(fault["param"], fault["msg"]) for fault in error.faults])
        note_refusal(fields, status=422, faults=error.faults, at=received_at, until_s=refused_by_s)
        return Answer(422, {"errors": error.faults})
    except AccessDenied as error:
        count_outcome("alert_refused", reason="unauthorized")
        logger.info("alert_refused", reason=str(error))
        note_refusal(fields, status=401, at=received_at, until_s=refused_by_s)
        time.sleep(max(refused_by_s - time.monotonic(), 0))
        return Answer(401, {"error": "unauthorized"})
    except ServiceUnavailable as error:
        count_outcome("alert_refused", reason="unavailable")
        logger.warning("alert_refused", reason=str(error))
        return Answer(503, {"message": str(error)})
    outcome = "alert_repeated" if acceptance.repeated else "alert_accepted"
    count_outcome(outcome)
    logger.info(outcome, trigger_id=acceptance.trigger_id)
    return Answer(200, {"id": acceptance.trigger_id})
