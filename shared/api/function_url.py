"""Answers requests to a public Function URL: every request has an answer, whatever is sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shared.api.edge import is_direct_call
from shared.api.events import route_of
from shared.api.json_text import write_json
from shared.observability import count_outcome, logger

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and the fields of a JSON body."""

    status: int
    body: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Page:
    """A status, a page of HTML and its headers."""

    status: int
    html: str
    headers: Mapping[str, str]


NOT_FOUND = Answer(404, {"message": "route not found"})
FORBIDDEN = Answer(403, {"message": "forbidden"})


def is_routed_to(event: Mapping[str, Any], route: tuple[str, str]) -> bool:
    """Return whether a request has this method and path; log another route."""
    method, path = route_of(event)
    if (method, path) == route:
        return True
    logger.info("route_unknown", method=method, path=path)
    return False


def answer_request(
    event: Mapping[str, Any],
    context: LambdaContext,
    answer: Callable[[Mapping[str, Any]], Answer | Page],
    *,
    failure: str,
) -> dict[str, Any]:
    """Return the response of `answer` (payload version 2); an error is a 500, counted as `failure`.

    Behind CloudFront, a direct call is a 403.
    """
    headers = {"content-type": "application/json"}
    try:
        match FORBIDDEN if is_direct_call(event) else answer(event):
            case Answer(status, content):
                body = write_json(content)
            case Page(status, body, more):
                headers = {"content-type": "text/html; charset=utf-8", **more}
    except Exception as error:  # noqa: BLE001 - a request ends here
        # Only the class: the message of a foreign error may contain a secret.
        logger.error("request_failed", error=type(error).__name__, request_id=context.aws_request_id)
        count_outcome(failure)
        status, body = 500, write_json({"message": "internal server error"})
    return {
        "statusCode": status,
        "headers": headers | {"x-request-id": context.aws_request_id},
        "body": body,
    }
