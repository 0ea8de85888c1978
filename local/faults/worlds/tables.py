"""DynamoDB in this process: the embedded AWS's own engine, throttled, conflicting, its answers lost.

Stands where botocore's client stands, and retries as botocore does; what it gives up, the product sees.
"""

from __future__ import annotations

import base64
import importlib
import json
import pkgutil
from typing import Any

from botocore.exceptions import ClientError, ReadTimeoutError
from ministack.services import dynamodb

import shared.models
from local.faults.worlds import workers
from local.faults.worlds.chances import Chances
from local.faults.worlds.clock import SimulatedClock
from shared.models.base import Table, connection

_CALL_S = 0.002
_TIMEOUT_S = 0.2
_GIVEN_UP = 0.3
_WRITES = {"PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems"}
_SET_UP = {"CreateTable", "DescribeTable"}

for _module in pkgutil.iter_modules(shared.models.__path__):
    importlib.import_module(f"shared.models.{_module.name}")


class TablesClient:
    """What PynamoDB asks of botocore's client."""

    _request_signer = None

    def __init__(self, clock: SimulatedClock, chances: Chances) -> None:
        self._clock = clock
        self._chances = chances

    def _make_api_call(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        if operation in _SET_UP:
            return _call(operation, request)
        workers.step()
        self._clock.advance(_CALL_S)
        answer = self._answer(operation, request)
        workers.step()
        return answer

    def _answer(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        chances = self._chances
        if operation.startswith("Transact") and chances.strike(chances.table_fault, "DynamoDB: conflict"):
            count = len(request["TransactItems"])
            raise _error(
                operation,
                "TransactionCanceledException",
                CancellationReasons=[{"Code": "TransactionConflict"}, *[{"Code": "None"}] * (count - 1)],
            )
        if chances.strike(chances.table_fault, "DynamoDB: throttled"):
            # botocore has tried often enough by then.
            self._clock.advance(_TIMEOUT_S)
            raise _error(operation, "ProvisionedThroughputExceededException")
        if operation in _WRITES and chances.strike(chances.table_fault, "DynamoDB: done, answer lost"):
            answer = _call(operation, request)
            self._clock.advance(_TIMEOUT_S)
            if chances.dice.random() < _GIVEN_UP:
                raise ReadTimeoutError(endpoint_url="tables")
            # The second attempt: a transaction's token tells AWS that it is the same one; anything else is done again.
            return answer if operation == "TransactWriteItems" else _call(operation, request)
        return _call(operation, request)


def fresh_tables(clock: SimulatedClock, chances: Chances) -> None:
    """Make every table anew, empty, and let the product find them."""
    dynamodb.reset()
    connection()._client = TablesClient(clock, chances)  # type: ignore[assignment]
    for model in Table.__subclasses__():
        model.create_table(billing_mode="PAY_PER_REQUEST")


def _call(operation: str, request: dict[str, Any]) -> dict[str, Any]:
    headers = {"x-amz-target": f"DynamoDB_20120810.{operation}"}
    body = json.dumps(request, default=_base64).encode()
    handling = dynamodb.handle_request("POST", "/", headers, body, {})
    try:
        handling.send(None)
    except StopIteration as done:
        status, _, raw = done.value
    else:
        raise RuntimeError(f"{operation} waits for something")
    # botocore makes bytes of binary values.
    answer: dict[str, Any] = json.loads(raw or b"{}", object_hook=_with_bytes if b'"B":' in raw else None)
    if status < 300:  # noqa: PLR2004 - HTTP's success
        return answer
    code = str(answer.pop("__type", "")).rpartition("#")[2]
    raise _error(operation, code, str(answer.pop("message", "")), **answer)


def _with_bytes(value: dict[str, Any]) -> dict[str, Any]:
    return {"B": base64.b64decode(value["B"])} if value.keys() == {"B"} else value


def _base64(value: object) -> str:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(type(value).__name__)


def _error(operation: str, code: str, message: str = "", **more: Any) -> ClientError:
    response: Any = {"Error": {"Code": code, "Message": message}, **more}
    return ClientError(response, operation)
