"""Reads one handler's parameters and answers from its declarations and its code. Merges nothing.

A handler names the models that it reads with `app.query(Model)` and `app.body(Model)`, a header with
`app.header(NAME)`, its answer in the return annotation, and other answers in its route's `responses`.
"""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_args, get_type_hints

from aws_lambda_powertools.event_handler.api_gateway import Route

from local.openapi.schemas import Components, Schema
from shared.api import idempotency
from shared.api.answers import REFUSALS, Refusal
from shared.api.csv_text import TEXT_CSV, CsvFile
from shared.api.json_api import JsonApi
from shared.api.requests import Body, Query

ALWAYS = (401, 403, 429, 500, 503)
_VARIABLE = re.compile(r"<(\w+)>")

JSON = "application/json"

_FILE_HEADERS: Schema = {
    "X-Next-Token": {
        "description": "In CSV: the nextToken of the following page; absent on the last one.",
        "schema": {"type": "string"},
    },
    "Content-Disposition": {"description": "In CSV: the file's name.", "schema": {"type": "string"}},
}


@dataclass(frozen=True, slots=True)
class Reads:
    """The parts of a request that a handler's code reads."""

    query: type[Query] | None
    bodies: tuple[type[Body], ...]
    """The shapes that a body may have: one, or the handler chooses."""
    headers: tuple[str, ...]


class UnclearHandler(Exception):
    """A handler's code does not show which models and headers it reads."""


def routes_of(app: JsonApi) -> list[Route]:
    """Return every route of an app."""
    # Powertools has no public attribute for them.
    return [*app._static_routes, *app._dynamic_routes]


def variables_of(route: Route) -> list[str]:
    """Return the names of the route's path variables."""
    return _VARIABLE.findall(route.path)


def operation(route: Route, app: JsonApi, *, variables: list[str], components: Components) -> Schema:
    """Return the OpenAPI operation of a route; `variables` are the documented names of its path variables."""
    reads = reads_of(route.func, app)
    summary, _, rest = (inspect.getdoc(route.func) or "").partition(":")
    summary, comma, order = summary.partition(", ")
    description = f"{order}{':' if order and rest else ''}{rest}".strip() if comma or rest else ""
    found: Schema = {"summary": summary.rstrip(".").partition("\n")[0]}
    if description:
        found["description"] = description[:1].upper() + description[1:]
    parameters = [
        *_path_parameters(route, app, variables),
        *_query_parameters(reads, components),
        *_headers(reads, components),
    ]
    if parameters:
        found["parameters"] = parameters
    if reads.bodies:
        shapes = [components.of_body(body) for body in reads.bodies]
        schema = shapes[0] if len(shapes) == 1 else {"anyOf": shapes}
        found["requestBody"] = {"required": True, "content": {JSON: {"schema": schema}}}
    refusals = {status: REFUSALS[status] for status in _statuses(reads, has_variables=bool(variables))}
    answer = get_type_hints(route.func, include_extras=True)["return"]
    found["responses"] = responses(answer, refusals | _declared(route), components=components)
    return found | dict(route.openapi_extensions or {})


def responses(answer: Any, refusals: dict[int, Refusal], *, components: Components) -> Schema:
    """Return the responses of an operation: 200 and its refusals."""
    declared = {200: Refusal(answer, "Success.")} | refusals
    return {
        str(status): (
            {"$ref": f"#/components/responses/{name_of(status)}"}
            if REFUSALS.get(status) == one
            else response(one, components=components)
        )
        for status, one in sorted(declared.items())
    }


def response(one: Refusal, *, components: Components) -> Schema:
    """Return one response."""
    kinds = get_args(one.shape) if CsvFile in get_args(one.shape) else (one.shape,)
    (shape,) = (kind for kind in kinds if kind is not CsvFile)
    found: Schema = {
        "description": one.when,
        "headers": {"X-Request-Id": {"$ref": "#/components/headers/RequestId"}},
        "content": {JSON: {"schema": components.of(shape)}},
    }
    if CsvFile in kinds:
        found["headers"] |= _FILE_HEADERS
        found["content"][TEXT_CSV] = {"schema": {"type": "string"}}
    return found


def name_of(status: int) -> str:
    """Return the document's name of a refusal."""
    # Not the standard phrases: Python changes them between versions.
    return f"Refusal{status}"


def reads_of(handler: Any, app: JsonApi) -> Reads:
    """Return what the handler's code reads of the request; raise UnclearHandler if an argument is no module name."""
    found: dict[str, list[Any]] = {"query": [], "body": [], "header": []}
    for method, argument in _calls(handler, app):
        if not isinstance(argument, ast.Name) or argument.id not in handler.__globals__:
            raise UnclearHandler(f"{handler.__qualname__}: app.{method}() must be given a name of its module")
        found[method].append(handler.__globals__[argument.id])
    if len(found["query"]) > 1:
        raise UnclearHandler(f"{handler.__qualname__} reads its query twice")
    return Reads(query=next(iter(found["query"]), None), bodies=tuple(found["body"]), headers=tuple(found["header"]))


def _calls(handler: Any, app: JsonApi) -> Iterator[tuple[str, ast.expr]]:
    for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(handler)))):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=method), args=[argument, *_]):
                if method in {"query", "body", "header"} and handler.__globals__.get(name) is app:
                    yield method, argument


def _statuses(reads: Reads, *, has_variables: bool) -> list[int]:
    return [
        *ALWAYS,
        *([404] if has_variables else []),
        *([400] if reads.bodies else []),
        *([422] if reads.bodies or reads.query or reads.headers else []),
    ]


def _declared(route: Route) -> dict[int, Refusal]:
    """Return the refusals that the route declares, in the format of Powertools."""
    found: dict[int, Any] = dict(route.responses or {})
    return {status: Refusal(one["content"][JSON]["model"], one["description"]) for status, one in found.items()}


def _path_parameters(route: Route, app: JsonApi, variables: list[str]) -> list[Schema]:
    texts = [app.path_texts.get(name) for name in variables_of(route)]
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string", "format": "uuid"}
            if text is None
            else {"type": "string", "pattern": text.pattern},
        }
        for name, text in zip(variables, texts, strict=True)
    ]


def _query_parameters(reads: Reads, components: Components) -> Iterator[Schema]:
    if reads.query is None:
        return
    schema = components.of_fields(reads.query)
    for name in reads.query.fault_messages:
        own = dict(schema["properties"][name])
        description = own.pop("description")
        yield {
            "name": name,
            "in": "query",
            "required": name in schema.get("required", []),
            "description": description,
            "schema": _without_null(own),
        }


def _without_null(schema: Schema) -> Schema:
    """Return a parameter's schema: a query has no way to say `null`."""
    choices: list[Schema] = [one for one in schema.get("anyOf", []) if one != {"type": "null"}]
    if len(choices) != 1:
        return schema
    return {name: value for name, value in schema.items() if name != "anyOf"} | choices[0]


def _headers(reads: Reads, components: Components) -> Iterator[Schema]:
    for name in reads.headers:
        if name != idempotency.HEADER:
            raise UnclearHandler(f"no type is known for the header {name}")
        yield {
            "name": name,
            "in": "header",
            "required": False,
            "description": "A repeat with the same key gets the first answer, for 24 hours.",
            "schema": components.of(idempotency.KeyText),
        }
