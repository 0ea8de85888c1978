"""Lambda behind a public Function URL, which letters link to: HTTP in, HTTP out. Only a signed token does anything.

GET shows a page that asks, and changes nothing: mail scanners open every link. POST ends the letters at once, from that
page's button or from a mail program (RFC 8058), which sends no cookie and follows no redirect.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from functions.report_unsubscribe import pages, service
from shared.api.events import route_of
from shared.api.function_url import NOT_FOUND, Answer, Page, answer_request
from shared.api.maintenance import refuse_during_maintenance
from shared.api.requests import fault
from shared.errors import ServiceUnavailable
from shared.notifications.unsubscribe_link import ROUTE_PATH, TokenRefused, read_token
from shared.observability import logger

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


def lambda_handler(event: Mapping[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer one HTTP request."""
    return answer_request(event, context, _answer, failure="unsubscribe_failed")


def _answer(event: Mapping[str, Any]) -> Answer | Page:
    method, path = route_of(event)
    if path != ROUTE_PATH or method not in {"GET", "HEAD", "POST"}:
        return NOT_FOUND
    token = str((event.get("queryStringParameters") or {}).get("token") or "")
    try:
        refuse_during_maintenance()
        reader = read_token(token)
        if method == "POST":
            service.end_letters(reader, cause=str((event.get("requestContext") or {}).get("requestId", "")))
            return Page(200, pages.confirmation(reader.kind), pages.HEADERS)
        service.require_reader(reader)
    except TokenRefused as error:
        logger.info("unsubscribe_refused", why=str(error))
        wrong = fault("must be token of a letter's link", param="token", location="query")
        return Answer(422, {"errors": [wrong]})
    except ServiceUnavailable as error:
        return Answer(503, {"message": str(error)})
    return Page(200, pages.question(reader.kind), pages.HEADERS)
