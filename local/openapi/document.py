"""Builds the OpenAPI document of all functions that answer HTTP, from each one's app. Writes no file.

The list of functions and the documented names of path variables come from template.yaml.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from functions.strategy_webhook.app import ROUTE as WEBHOOK_ROUTE
from local.openapi import alert_schemas
from local.openapi.examples import examples_of
from local.openapi.handlers import JSON, name_of, operation, response, responses, routes_of
from local.openapi.schemas import Clash, Components, Schema
from local.stack.deploy import read_template
from shared.api.account_api import AccountApi
from shared.api.answers import REFUSALS
from shared.api.json_api import JsonApi

TITLE = "Lockstep"
TOKEN = "IdToken"  # noqa: S105 - the name of a scheme
USER_TOKEN = "UserIdToken"  # noqa: S105 - the same

_ANY_VARIABLE = re.compile(r"<\w+>|\{\w+\}")
_VARIABLE_NAME = re.compile(r"\{(\w+)\}")

_API_SERVER = {
    "url": "https://{api_id}.execute-api.{region}.amazonaws.com/live",
    "description": "The admin API and the Account API.",
    "variables": {"api_id": {"default": "api-id"}, "region": {"default": "us-east-1"}},
}
_WEBHOOK_SERVER = {
    "url": "https://{url_id}.lambda-url.{region}.on.aws",
    "description": "The webhook's Function URL.",
    "variables": {"url_id": {"default": "url-id"}, "region": {"default": "us-east-1"}},
}


@dataclass(frozen=True, slots=True)
class Function:
    """A function of template.yaml that answers HTTP."""

    logical_id: str
    package: str
    routes: tuple[tuple[str, str], ...]
    """Methods and paths, as deployed."""

    def path_of(self, method: str, rule: str) -> str:
        """Return the deployed path of a handler's rule; raise LookupError if it is not deployed."""
        for deployed_method, path in self.routes:
            if deployed_method == method and _shape(path) == _shape(rule):
                return path
        raise LookupError(f"template.yaml has no {method} {rule} for {self.logical_id}")


class Document:
    """An OpenAPI document that grows function by function."""

    def __init__(self) -> None:
        self.components = Components()
        self.paths: dict[str, dict[str, Schema]] = {}
        self.tags: list[Schema] = []
        self._operation_ids: set[str] = set()

    def add(self, path: str, method: str, operation_id: str, found: Schema) -> None:
        """Add an operation; raise Clash if its path and method, or its id, are taken."""
        item = self.paths.setdefault(path, {})
        if method.lower() in item:
            raise Clash(f"two handlers answer {method} {path}")
        if operation_id in self._operation_ids:
            raise Clash(f"two operations are called {operation_id}")
        self._operation_ids.add(operation_id)
        item[method.lower()] = {"operationId": operation_id} | found

    def add_app(self, function: Function, app: JsonApi) -> None:
        """Add every route of a function of the admin API or the Account API."""
        for route in routes_of(app):
            path = function.path_of(route.method, route.path)
            variables = _VARIABLE_NAME.findall(path)
            found = operation(route, app, variables=variables, components=self.components)
            examples = examples_of(function.package, route.method, path)
            if examples and "requestBody" in found:
                found["requestBody"]["content"][JSON]["examples"] = examples
            operation_id = f"{function.package}.{route.func.__name__}"
            if isinstance(app, AccountApi):
                found["security"] = [{USER_TOKEN: []}]
            self.add(path, route.method, operation_id, {"tags": [function.logical_id]} | found)

    def as_json(self) -> Schema:
        """Return the whole document, sorted where order has no meaning."""
        shared = {
            name_of(status): response(one, components=self.components) for status, one in sorted(REFUSALS.items())
        }
        return {
            "openapi": "3.1.0",
            "info": {"title": TITLE, "version": "1", "description": _DESCRIPTION},
            "servers": [_API_SERVER],
            "security": [{TOKEN: []}],
            "tags": sorted(self.tags, key=lambda tag: str(tag["name"])),
            "paths": {path: dict(sorted(item.items())) for path, item in sorted(self.paths.items())},
            "components": {
                "headers": {"RequestId": {"description": "The request's id.", "schema": {"type": "string"}}},
                "responses": shared,
                "schemas": self.components.schemas,
                "securitySchemes": {
                    TOKEN: {
                        "type": "http",
                        "scheme": "bearer",
                        "bearerFormat": "JWT",
                        "description": "A Cognito id token of the admins' pool, of the group `admin`, with or without "
                        "`Bearer `.",
                    },
                    USER_TOKEN: {
                        "type": "http",
                        "scheme": "bearer",
                        "bearerFormat": "JWT",
                        "description": "A Cognito id token of the users' pool, with or without `Bearer `.",
                    },
                },
            },
        }


ALERTS = "StrategyWebhookExpressJSv1"
"""The function behind the public address that alerts are sent to."""

_DESCRIPTION = (
    "The admin API, the users' Account API (without `/admin` in its paths) and the webhook of Lockstep. Times are UTC, "
    "ISO 8601 with milliseconds and `Z`; ids are lower-case UUIDs; numbers are JSON numbers. Checks go in the order "
    "401, 403, 404, 400, 422, and a 422 names every fault."
)


def document() -> Schema:
    """Return the OpenAPI document of all functions."""
    whole = Document()
    for function in functions():
        module = importlib.import_module(f"functions.{function.package}.app")
        about = (
            (module.__doc__ or "")
            .partition("\n")[0]
            .partition(": ")[2]
            .partition(". ")[0]
            .removeprefix("the routes of ")
        )
        if function.logical_id == ALERTS:
            about = "alerts"
            _add_webhook(whole, function)
        else:
            whole.add_app(function, module.app)
        whole.tags.append({"name": function.logical_id, "description": about[:1].upper() + about[1:] + "."})
    return whole.as_json()


def functions() -> Iterator[Function]:
    """Yield the functions of template.yaml that answer users of the API."""
    for logical_id, resource in read_template()["Resources"].items():
        if resource["Type"] != "AWS::Serverless::Function":
            continue
        properties: dict[str, Any] = resource["Properties"]
        routes = tuple(
            (str(event["Properties"]["Method"]).upper(), str(event["Properties"]["Path"]))
            for event in properties.get("Events", {}).values()
            if event["Type"] == "Api"
        )
        # Other Function URLs receive vendors' own messages, which need no document.
        if logical_id == ALERTS:
            routes += (WEBHOOK_ROUTE,)
        if routes:
            yield Function(logical_id, str(properties["CodeUri"]).strip("/").rpartition("/")[2], routes)


def _add_webhook(whole: Document, function: Function) -> None:
    method, path = WEBHOOK_ROUTE
    body = whole.components.of(alert_schemas.BODY)
    found = {
        "tags": [function.logical_id],
        "summary": alert_schemas.SUMMARY,
        "description": alert_schemas.DESCRIPTION,
        "security": [],
        "servers": [_WEBHOOK_SERVER],
        "requestBody": {"required": True, "content": {kind: {"schema": body} for kind in (JSON, "text/plain")}},
        "responses": responses(alert_schemas.AlertAccepted, dict(alert_schemas.REFUSALS), components=whole.components),
    }
    whole.add(path, method, f"{function.package}.fire", found)


def _shape(path: str) -> str:
    return _ANY_VARIABLE.sub("{}", path)
