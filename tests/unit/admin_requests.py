"""Requests to the admin functions, made of the sample events, and their answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.lambda_context import FakeContext
from tests.unit.documented_answers import check_answer

EVENTS = Path("events")
CLIENT_ID = "3n4b5urk1ft4fl3mg5e62d9ado"
"""The `aud` of the sample events."""

Handler = Callable[[dict[str, Any], Any], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a function answered; `text` as sent, `body` as read."""

    status: int
    text: str
    headers: dict[str, str]

    @property
    def body(self) -> Any:
        return json.loads(self.text, parse_float=Decimal)


def sample(name: str, *, path: tuple[str, str] | None = None, query: dict[str, str] | None = None) -> dict[str, Any]:
    """Return a sample event, with something in its path replaced, or with more in its query."""
    event: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text())
    if path is not None:
        event["path"] = event["path"].replace(*path)
        event["requestContext"]["path"] = event["requestContext"]["path"].replace(*path)
    if query is not None:
        event["queryStringParameters"] = (event["queryStringParameters"] or {}) | query
    return event


def with_body(event: dict[str, Any], body: Any) -> dict[str, Any]:
    """Return the event with another body."""
    return event | {"body": body if body is None or isinstance(body, str) else json.dumps(body)}


def send(handler: Handler, event: dict[str, Any]) -> Answer:
    """Return what the function answers to an event; an answer that the API's document does not have is a failure."""
    raw = handler(event, FakeContext())
    assert raw["isBase64Encoded"] is False
    headers = {name.lower(): ",".join(values) for name, values in raw["multiValueHeaders"].items()}
    answer = Answer(status=raw["statusCode"], text=raw["body"], headers=headers)
    if event["httpMethod"] != "OPTIONS":
        media_type = headers["content-type"].partition(";")[0]
        body = answer.body if media_type == "application/json" else answer.text
        check_answer(event["httpMethod"], event["path"], answer.status, body, media_type=media_type)
    return answer


def fault(msg: str, param: str, location: str, **value: Any) -> dict[str, Any]:
    """Return one documented fault."""
    return {**value, "msg": msg, "param": param, "location": location}


def pages(handler: Handler, event: dict[str, Any], *, limit: int) -> list[list[dict[str, Any]]]:
    """Return every page of a list, followed by its tokens."""
    found: list[list[dict[str, Any]]] = []
    query = {"limit": str(limit)}
    while True:
        answer = send(handler, event | {"queryStringParameters": (event["queryStringParameters"] or {}) | query})
        assert answer.status == 200, answer.text
        found.append(answer.body["items"])
        if "nextToken" not in answer.body:
            return found
        query["nextToken"] = answer.body["nextToken"]
        assert len(found) < 100, "the pages never end"
