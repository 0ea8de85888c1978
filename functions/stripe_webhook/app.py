"""Lambda behind the public Function URL that Stripe sends its events to: HTTP in, HTTP out. Reads no event.

It works during maintenance too: it only stores events, and Stripe would retry with growing pauses.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from functions.stripe_webhook.service import EventUnreadable, receive_event
from shared import messages
from shared.api.events import header_of, raw_body_of
from shared.api.function_url import NOT_FOUND, Answer, answer_request, is_routed_to
from shared.clock import utc_now
from shared.config import settings
from shared.errors import RequestInvalid, ServiceUnavailable
from shared.models import base
from shared.observability import count_outcome, logger

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

ROUTE = ("POST", "/v1/webhook/stripe")

MAX_BYTES = 256 * 1024
"""Far above the size of any event that we subscribe to."""

_SIGNATURE = "stripe-signature"


if settings().in_lambda:
    # While the container starts, time is cheap.
    base.connect()
    messages.connect()


def lambda_handler(event: Mapping[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one HTTP request; Stripe repeats what is not answered with 2xx."""
    return answer_request(event, context, _answer, failure="stripe_event_not_taken")


def _answer(event: Mapping[str, Any]) -> Answer:
    received_at = utc_now()
    if not is_routed_to(event, ROUTE):
        return NOT_FOUND
    try:
        body = raw_body_of(event, max_bytes=MAX_BYTES)
        receive_event(body, signature=header_of(event, _SIGNATURE), received_at=received_at)
    except RequestInvalid as error:
        # Anybody may send these, so they are counted apart from the faults that raise an alarm.
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
