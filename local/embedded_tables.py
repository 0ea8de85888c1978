"""DynamoDB in this process: the engine of the embedded AWS, called without a server. Keeps its tables in memory.

For single-threaded tests and for simulated worlds: a request takes a fraction of a millisecond. Calls the engine's one
entry point, in the pinned version; the tests of the embedded AWS compare its behaviour with AWS's.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from botocore.exceptions import ClientError
from ministack.services import dynamodb


class InProcessTables:
    """The part of botocore's client that PynamoDB uses."""

    _request_signer = None

    def _make_api_call(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        return call(operation, request)


def forget_tables() -> None:
    """Delete every table."""
    dynamodb.reset()


def call(operation: str, request: dict[str, Any]) -> dict[str, Any]:
    """Make one request of DynamoDB's API; raise ClientError as botocore does."""
    headers = {"x-amz-target": f"DynamoDB_20120810.{operation}"}
    body = json.dumps(request, default=_base64).encode()
    handling = dynamodb.handle_request("POST", "/", headers, body, {})
    try:
        handling.send(None)
    except StopIteration as done:
        status, _, raw = done.value
    else:
        raise RuntimeError(f"{operation} waits for an event")
    # botocore decodes binary values to bytes.
    answer: dict[str, Any] = json.loads(raw or b"{}", object_hook=_with_bytes if b'"B":' in raw else None)
    if status < 300:  # noqa: PLR2004 - HTTP's success
        return answer
    code = str(answer.pop("__type", "")).rpartition("#")[2]
    raise error_of(operation, code, str(answer.pop("message", "")), **answer)


def _with_bytes(value: dict[str, Any]) -> dict[str, Any]:
    return {"B": base64.b64decode(value["B"])} if value.keys() == {"B"} else value


def _base64(value: object) -> str:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(type(value).__name__)


def error_of(operation: str, code: str, message: str = "", **more: Any) -> ClientError:
    """Return the error that botocore raises for DynamoDB's error code."""
    response: Any = {"Error": {"Code": code, "Message": message}, **more}
    return ClientError(response, operation)
