"""DynamoDB in this process: the embedded AWS's own engine, with throttling, conflicts and lost answers.

Replaces botocore's client and retries as botocore does; the product sees an error when the retries are used up.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from botocore.exceptions import ReadTimeoutError

import shared.models
from local import embedded_tables
from local.embedded_tables import InProcessTables
from local.simulation import workers
from local.simulation.chances import Chances
from local.simulation.clock import SimulatedClock
from local.simulation.trace import Trace
from shared.models.base import Table, connection

_TIMEOUT_S = 0.2
_GIVEN_UP = 0.3
_WRITES = {"PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems"}
_SET_UP = {"CreateTable", "DescribeTable"}

for _module in pkgutil.iter_modules(shared.models.__path__):
    importlib.import_module(f"shared.models.{_module.name}")


class TablesClient(InProcessTables):
    """The engine's client, with faults."""

    def __init__(self, clock: SimulatedClock, chances: Chances, trace: Trace, *, call_s: float) -> None:
        self._clock = clock
        self._chances = chances
        self._trace = trace
        self._call_s = call_s

    def _make_api_call(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        if operation in _SET_UP:
            return embedded_tables.call(operation, request)
        workers.step()
        self._clock.advance(self._call_s)
        self._trace.record(self._clock.monotonic(), operation, _comparable(operation, request))
        answer = self._answer(operation, request)
        workers.step()
        return answer

    def _answer(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        chances = self._chances
        if operation.startswith("Transact") and chances.happens(chances.table_fault, "DynamoDB: conflict"):
            count = len(request["TransactItems"])
            raise embedded_tables.error_of(
                operation,
                "TransactionCanceledException",
                CancellationReasons=[{"Code": "TransactionConflict"}, *[{"Code": "None"}] * (count - 1)],
            )
        if chances.happens(chances.table_fault, "DynamoDB: throttled"):
            # botocore has used up its retries by then.
            self._clock.advance(_TIMEOUT_S)
            raise embedded_tables.error_of(operation, "ProvisionedThroughputExceededException")
        if operation in _WRITES and chances.happens(chances.table_fault, "DynamoDB: done, answer lost"):
            answer = embedded_tables.call(operation, request)
            self._clock.advance(_TIMEOUT_S)
            if chances.dice.random() < _GIVEN_UP:
                raise ReadTimeoutError(endpoint_url="tables")
            # The retry: AWS knows a transaction again by its token; any other write is done a second time.
            return answer if operation == "TransactWriteItems" else embedded_tables.call(operation, request)
        return embedded_tables.call(operation, request)


def _comparable(operation: str, request: dict[str, Any]) -> object:
    # PynamoDB makes a set of the requested keys.
    if operation != "BatchGetItem":
        return request
    return {table: sorted(map(str, asked["Keys"])) for table, asked in request["RequestItems"].items()}


@contextmanager
def fresh_tables(clock: SimulatedClock, chances: Chances, trace: Trace, *, call_s: float) -> Iterator[None]:
    """Create every table, empty, and let the product use them."""
    embedded_tables.forget_tables()
    with mock.patch.object(connection(), "_client", TablesClient(clock, chances, trace, call_s=call_s)):
        for model in Table.__subclasses__():
            model.create_table(billing_mode="PAY_PER_REQUEST")
        yield
