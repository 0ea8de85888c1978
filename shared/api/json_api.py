"""The routes of one function behind the REST API, and the checks that every request passes. Knows no endpoint.

Who may send a request is for the subclasses: `AdminApi` lets admins in, `AccountApi` users. Order of the checks: 401,
403, 503 (maintenance), 404 for routes and ids, then the endpoint's own.
"""

from __future__ import annotations

import re
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from aws_lambda_powertools.event_handler import ApiGatewayResolver, APIGatewayRestResolver, CORSConfig, Response
from aws_lambda_powertools.event_handler.api_gateway import ResponseBuilder
from aws_lambda_powertools.event_handler.content_types import APPLICATION_JSON
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.middlewares import NextMiddleware
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEvent
from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.api.csv_text import TEXT_CSV, CsvFile
from shared.api.events import header_of
from shared.api.formats import FormattedListQuery, wants_csv
from shared.api.grammar import parse_uuid
from shared.api.json_text import write_json
from shared.api.requests import Body, Fault, Query, read_body, read_query
from shared.config import settings
from shared.errors import AccessDenied, NotFound, RequestInvalid, RequestUnprocessable, ServiceUnavailable
from shared.messages import MessageNotSent
from shared.observability import logger

REQUEST_ID_HEADER = "x-request-id"
NEXT_TOKEN_HEADER = "x-next-token"  # noqa: S105 - the name of a header
FILE_NAME_HEADER = "content-disposition"

CALLER_KEYS = ("admin_id", "user_id")
"""The keys of log lines that say who sent the request."""

E = TypeVar("E", bound=Exception)
B = TypeVar("B", bound=Body)
Q = TypeVar("Q", bound=Query)


@dataclass(frozen=True, slots=True)
class PathText:
    """The type of a path variable that is no id."""

    parse: Callable[[str], str | None]
    """Returns what the handler is given, or None for a text that names nothing."""
    pattern: str
    """Of the texts, in the API's document."""


class JsonApi(APIGatewayRestResolver, ABC):
    """The routes of one function behind the REST API.

    A path variable is an id, unless `path_texts` has another type for its name. A handler returns the body of its 200,
    or a CsvFile. Handlers find the record before they read query or body, because 404 goes before 400 and 422.
    """

    def __init__(self, *, path_texts: Mapping[str, PathText] | None = None) -> None:
        super().__init__(serializer=write_json, cors=_cors())
        self.path_texts: Mapping[str, PathText] = path_texts or {}
        self.use([_require_caller, _require_routed_path, _require_ids, _render_csv])
        self.not_found(_raise_not_found)
        for error_class, answer in _ANSWERS.items():
            self.exception_handler(error_class)(answer)

    @abstractmethod
    def authenticate(self) -> None:
        """Identify who sent the current request; raise AccessDenied for somebody who may not use this API."""

    def body(self, model: type[B], *, faults: Sequence[Fault] = ()) -> B:
        """Return the request's body; raise the given `faults`, followed by the body's (400, 422)."""
        return read_body(self.current_event.raw_event, model, faults=faults)

    def query(self, model: type[Q], *, faults: Sequence[Fault] = ()) -> Q:
        """Return the request's query; raise the given `faults`, followed by the query's (422)."""
        return read_query(self.current_event.raw_event, model, path=self.current_event.path, faults=faults)

    def answers(self, error_class: type[E]) -> Callable[[Callable[[E], Response[Any]]], Callable[[E], Response[Any]]]:
        """Register the decorated function as the handler of an error of this function's own."""

        def register(answer: Callable[[E], Response[Any]]) -> Callable[[E], Response[Any]]:
            self.exception_handler(error_class)(answer)
            return answer

        return register

    @staticmethod
    def _compile_regex(rule: str, base_regex: str = "") -> re.Pattern[str]:  # noqa: ARG004 - theirs
        r"""Compile a route's pattern, which allows one slash at the end.

        Powertools' own ends in `/*$`, which also takes several slashes, and a line break (`%0a`) behind them.
        """
        pattern: re.Pattern[str] = ApiGatewayResolver._compile_regex(rule, r"^{}/?\Z")
        return pattern

    def _build_failure(self, error: Exception, event: APIGatewayProxyEvent) -> dict[str, Any]:
        """Return the finished answer to an error that no handler answers."""
        builder: ResponseBuilder[APIGatewayProxyEvent] = ResponseBuilder(_failed(error), serializer=write_json)
        if self._cors is not None:
            builder._add_cors(event, self._cors)
        return builder.build(event)

    def header(self, name: str) -> str | None:
        """Return a header of the request, whatever its case, or None."""
        return header_of(self.current_event.raw_event, name)

    def wants_csv(self, query: FormattedListQuery) -> bool:
        """Return whether to answer the list in CSV."""
        return wants_csv(query.format, accept=self.header("accept"))

    @property
    def request_id(self) -> str:
        """The id of the request, as its answer's header shows it."""
        return _request_id(self.current_event.raw_event, self.lambda_context)

    def resolve(self, event: Mapping[str, Any], context: LambdaContext) -> dict[str, Any]:
        """Answer one API Gateway proxy event; the answer always carries the request's id."""
        started = time.perf_counter()
        request_id = _request_id(event, context)
        # The logger outlives a request: the lines of this one must not carry the last one's caller.
        logger.append_keys(request_id=request_id, **dict.fromkeys(CALLER_KEYS))
        try:
            answer = super().resolve(event, context)
        except Exception as error:  # noqa: BLE001 - a request ends here
            # Handlers answer their own errors. This one came before or after them, such as an answer that cannot be
            # written.
            answer = self._build_failure(error, APIGatewayProxyEvent(dict(event)))
        answer["multiValueHeaders"][REQUEST_ID_HEADER] = [request_id]
        logger.info(
            "request_answered",
            method=event.get("httpMethod"),
            path=event.get("path"),
            status=answer["statusCode"],
            duration_ms=round((time.perf_counter() - started) * 1000),
        )
        return answer


def message(status_code: int, text: str) -> Response[Any]:
    """Return an answer that is only a message."""
    return Response(status_code=status_code, content_type=APPLICATION_JSON, body={"message": text})


def _cors() -> CORSConfig | None:
    """Return what browsers may read of an answer; None where no web page has been named.

    Tokens are sent in a header and never in a cookie, so credentials are not allowed. The gateway answers preflights.
    """
    origin = settings().web_origin
    readable = [REQUEST_ID_HEADER, NEXT_TOKEN_HEADER, FILE_NAME_HEADER]
    return CORSConfig(origin, allow_headers=["Idempotency-Key"], expose_headers=readable) if origin else None


def _require_caller(app: JsonApi, next_middleware: NextMiddleware) -> Response[Any]:
    if app.current_event.http_method != "OPTIONS":
        app.authenticate()
    return next_middleware(app)


def _require_routed_path(app: APIGatewayRestResolver, next_middleware: NextMiddleware) -> Response[Any]:
    # API Gateway decodes the path after it has chosen the route: `<id>%2Fall` is an id there, and would be our `/all`.
    resource = app.current_event.raw_event.get("resource") or ""
    if "/" in resource and resource.count("/") != app.current_event.path.rstrip("/").count("/"):
        raise NotFound("another path than the gateway's route")
    return next_middleware(app)


def _require_ids(app: JsonApi, next_middleware: NextMiddleware) -> Response[Any]:
    variables: dict[str, str] = app.context["_route_args"]
    for name, value in variables.items():
        text = app.path_texts.get(name)
        parsed = parse_uuid(value) if text is None else text.parse(value)
        if parsed is None:
            raise NotFound(f"{name} is not a UUID" if text is None else f"{name} names nothing")
        variables[name] = parsed
    return next_middleware(app)


def _render_csv(app: APIGatewayRestResolver, next_middleware: NextMiddleware) -> Response[Any]:
    answer: Response[Any] = next_middleware(app)
    if isinstance(answer.body, CsvFile):
        file = answer.body
        answer.body = file.text
        answer.headers["Content-Type"] = f"{TEXT_CSV}; charset=utf-8"
        answer.headers[FILE_NAME_HEADER] = f'attachment; filename="{file.name}"'
        if file.next_token is not None:
            answer.headers[NEXT_TOKEN_HEADER] = file.next_token
    return answer


def _raise_not_found(_: NotFoundError) -> Response[Any]:
    return _not_found(NotFound("no such route"))


def _request_id(event: Mapping[str, Any], context: LambdaContext) -> str:
    return str((event.get("requestContext") or {}).get("requestId") or context.aws_request_id)


def _invalid(error: RequestInvalid) -> Response[Any]:
    return message(400, str(error))


def _denied(error: AccessDenied) -> Response[Any]:
    logger.info("access_denied", why=str(error), authenticated=error.authenticated)
    return message(403, str(error)) if error.authenticated else message(401, "unauthorized")


def _not_found(error: NotFound) -> Response[Any]:
    logger.info("not_found", why=str(error))
    return message(404, "route not found")


def _unprocessable(error: RequestUnprocessable) -> Response[Any]:
    return Response(status_code=422, content_type=APPLICATION_JSON, body={"errors": error.faults})


def _unavailable(error: ServiceUnavailable) -> Response[Any]:
    logger.warning("service_unavailable", why=str(error))
    return message(503, str(error))


def _not_sent(error: MessageNotSent) -> Response[Any]:
    logger.error("message_not_sent", why=str(error))
    return message(503, "temporarily unavailable, please repeat the request")


def _failed(error: Exception) -> Response[Any]:
    # Whatever went wrong, the answer reveals no more than that.
    logger.error("request_failed", exc_info=error)
    return message(500, "internal server error")


_ANSWERS: dict[type[Exception], Any] = {
    RequestInvalid: _invalid,
    AccessDenied: _denied,
    NotFound: _not_found,
    RequestUnprocessable: _unprocessable,
    ServiceUnavailable: _unavailable,
    MessageNotSent: _not_sent,
    Exception: _failed,
}
