"""The answers beside 200 that endpoints share, and the field types of answers. Answers nothing itself.

The field types `Id`, `Time` and `Day` declare in the `TypedDict`s of answers what a client may rely on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NotRequired, TypedDict

from pydantic import WithJsonSchema

Id = Annotated[str, WithJsonSchema({"type": "string", "format": "uuid"})]
"""A UUID, in lower case."""

Time = Annotated[
    str,
    WithJsonSchema(
        {"type": "string", "format": "date-time", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$"},
    ),
]
"""A moment: UTC, ISO 8601 with milliseconds and `Z`."""

Day = Annotated[str, WithJsonSchema({"type": "string", "format": "date"})]
"""A day of UTC."""


OWN = {"x-lockstep-own": True}
"""Marks a route that is not in the business's own documentation."""


class Message(TypedDict):
    """An answer that is only a message."""

    message: str


class ErrorText(TypedDict):
    """An answer that is only an error's text."""

    error: str


class FieldFault(TypedDict):
    """What is wrong with one field; `value` is there when the request had one, and it is no secret."""

    value: NotRequired[Any]
    msg: str
    param: str
    location: Literal["body", "query", "params", "headers"]
    code: NotRequired[str]
    """Of a refusal that a person must act on: why. The words may change, the code does not."""


class Faults(TypedDict):
    """Every fault of the request, in the order of the documented table."""

    errors: list[FieldFault]


class TakeProfitsMissing(TypedDict):
    """No take-profit has a price."""

    msg: str
    param: Literal["_error"]
    nestedErrors: list[FieldFault]


class AlertFaults(TypedDict):
    """Every fault of single fields; when there is none, those of the take-profits."""

    errors: list[FieldFault | TakeProfitsMissing]


@dataclass(frozen=True, slots=True)
class Refusal:
    """The shape of an answer that is no success, and when it comes."""

    shape: Any
    when: str


REFUSALS: Mapping[int, Refusal] = {
    400: Refusal(Message, "The body is not JSON, or not an object."),
    401: Refusal(Message, "No token, or one that is wrong or expired."),
    403: Refusal(Message, "The user is no admin, or is disabled, or the exchange refuses the API key."),
    404: Refusal(Message, "No such route, an id that is not a UUID, or one that names nothing."),
    422: Refusal(Faults, "Something is wrong with the fields of the request."),
    429: Refusal(Message, "Too many requests."),
    500: Refusal(Message, "Our fault; the request's id is in a header."),
    503: Refusal(Message, "Maintenance, or a service behind this one cannot be reached."),
}
"""The refusals of the endpoints of both APIs, by their status."""
