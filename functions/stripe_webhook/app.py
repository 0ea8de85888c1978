"""Lambda behind the public Function URL that Stripe sends its events to: HTTP in, HTTP out. Knows no event.

Maintenance does not concern it: it only keeps what it is told, and Stripe would come again later and later.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from functions.stripe_webhook.service import EventUnreadable, take_event
from shared import messages
from shared.api.events import header_of, raw_body_of, route_of
from shared.api.function_url import NOT_FOUND, Answer, answer_request
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


if settings().in_lambda:
    # While the container starts, time is cheap.
    base.connect()
    messages.connect()


def lambda_handler(event: Mapping[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one HTTP request; whatever is not 2xx, Stripe sends again."""
    return answer_request(event, context, _answer, failure="stripe_event_not_taken")


def _answer(event: Mapping[str, Any]) -> Answer:
    received_at = utc_now()
    method, path = route_of(event)
    if (method, path) != ROUTE:
        logger.info("route_unknown", method=method, path=path)
        return NOT_FOUND
    try:
        body = raw_body_of(event, max_bytes=MAX_BYTES)
        take_event(body, signature=header_of(event, _SIGNATURE), received_at=received_at)
    except RequestInvalid as error:
        # Anybody may send these: counted apart from the faults that ring.
        count_outcome("stripe_event_refused")
        logger.info("stripe_event_refused", reason=str(error))
        return Answer(400, {"message": str(error)})
    except EventUnreadable as error:
        count_outcome("stripe_event_not_taken")
        logger.error("stripe_event_unreadable", reason=str(error))
        return Answer(400, {"message": "event cannot be read"})
    except ServiceUnavailable as error:
        count_outcome("stripe_event_not_taken")
        logger.error("stripe_event_not_checked", reason=str(error))
        return Answer(503, {"message": "service unavailable"})
    return Answer(200, {"received": True})
