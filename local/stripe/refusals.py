"""Stripe's error answers, and the checks of forms and ids that lead to them. Knows no resource."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

Resource = dict[str, Any]


class Refused(Exception):
    """An error answer of Stripe's."""

    def __init__(self, status: int, kind: str, message: str, **more: str) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"error": {"type": kind, "message": message, **more}}


def new_id(prefix: str) -> str:
    """Return an id as Stripe makes them."""
    return f"{prefix}_1{secrets.token_hex(11)}"


def found(resources: Mapping[str, Resource], resource_id: str, noun: str, *, status: int = 404) -> Resource:
    """Return a resource by its id; raise Refused: 404 for one in the path, 400 for one that a form names."""
    if resource_id not in resources:
        message = f"No such {noun}: '{resource_id}'"
        raise Refused(status, "invalid_request_error", message, code="resource_missing", param=noun)
    return resources[resource_id]


def invalid(message: str, param: str, code: str | None = None) -> Refused:
    """Return the refusal of a parameter."""
    more = {"param": param} | ({"code": code} if code else {})
    return Refused(400, "invalid_request_error", message, **more)


def refuse_unknown(form: Mapping[str, Any], known: set[str], *, within: str = "") -> None:
    """Refuse a form with a parameter that Stripe does not know."""
    for name in form:
        if name not in known:
            param = f"{within}[{name}]" if within else name
            raise invalid(f"Received unknown parameter: {param}", param, "parameter_unknown")


def required(form: Mapping[str, Any], name: str, *, within: str = "") -> str:
    """Return a parameter's text, which must be there and not empty."""
    param = f"{within}[{name}]" if within else name
    value = form.get(name)
    if value is None:
        raise invalid(f"Missing required param: {param}.", param, "parameter_missing")
    if value == "":
        raise invalid(f"You passed an empty string for '{param}'.", param, "parameter_invalid_empty")
    return str(value)
