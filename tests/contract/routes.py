"""The routes that template.yaml declares. Calls none."""

from __future__ import annotations

import re
from dataclasses import dataclass
from uuid import uuid4

from local.stack.deploy import read_template

WEBHOOK = "StrategyWebhookExpressJSv1"


@dataclass(frozen=True, slots=True)
class Route:
    """One route of the REST API."""

    function: str
    method: str
    path: str

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    def at(self, record_id: str | None = None) -> str:
        """Return the path with an id in its place, one of nothing by default."""
        return re.sub(r"\{.*?\}", record_id or str(uuid4()), self.path)


def admin_routes() -> list[Route]:
    """Return every route of the admin API."""
    return [route for route, authorizer in _routes() if authorizer is None]


def account_routes() -> list[Route]:
    """Return every route of the users' Account API."""
    return [route for route, authorizer in _routes() if authorizer == "UserAuthorizer"]


def _routes() -> list[tuple[Route, str | None]]:
    """Return every route that stands behind an authorizer, with the one that it names, if any."""
    found = []
    for name, resource in read_template()["Resources"].items():
        if resource["Type"] != "AWS::Serverless::Function":
            continue
        for event in resource["Properties"].get("Events", {}).values():
            if event["Type"] == "Api":
                properties = event["Properties"]
                route = Route(name, properties["Method"], properties["Path"])
                found.append((route, properties.get("Auth", {}).get("Authorizer")))
    return found
