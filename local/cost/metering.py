"""Counts what AWS would charge for the calls of a simulation: units of DynamoDB, messages of SQS, invocations.

DynamoDB's units by its own rules: a write is charged for each KB of the larger image of the record, twice in a
transaction, and once more for each index whose copy of the record changes; a read for each 4 KB, half where it need not
be consistent, twice in a transaction. What the simulation itself observes by scans is not counted.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock

from local import embedded_tables
from local.simulation.queues import Queues

_WRITE_BYTES, _READ_BYTES = 1024, 4096
_OVERHEAD_BYTES = 3
"""Of a list or a map, beside what it holds."""

Item = Mapping[str, Mapping[str, Any]]


@dataclass(slots=True)
class Meter:
    """What has been counted so far."""

    write_units: float = 0
    read_units: float = 0
    messages: float = 0
    invocations: float = 0

    def since(self, before: Meter) -> Meter:
        """Return what was counted after `before`."""
        return Meter(
            self.write_units - before.write_units,
            self.read_units - before.read_units,
            self.messages - before.messages,
            self.invocations - before.invocations,
        )

    def times(self, factor: float) -> Meter:
        """Return so many times these counts."""
        return Meter(
            self.write_units * factor, self.read_units * factor, self.messages * factor, self.invocations * factor
        )

    def copy(self) -> Meter:
        """Return the present counts."""
        return self.since(Meter())


@contextmanager
def metered() -> Iterator[Meter]:
    """Count what is called meanwhile."""
    meter = Meter()
    tables = _Tables(meter)
    add, invoke = Queues._add, Queues._invoke

    def send(queues: Queues, *arguments: Any) -> None:
        meter.messages += 1
        add(queues, *arguments)

    async def deliver(queues: Queues, *arguments: Any) -> None:
        meter.invocations += 1
        await invoke(queues, *arguments)

    with (
        mock.patch.object(embedded_tables, "call", tables.call),
        mock.patch.object(Queues, "_add", send),
        mock.patch.object(Queues, "_invoke", deliver),
    ):
        yield meter


class _Tables:
    """Makes DynamoDB's calls and counts their units."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._call = embedded_tables.call
        self._described: dict[str, dict[str, Any]] = {}

    def call(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        match operation:
            case "PutItem" | "UpdateItem" | "DeleteItem":
                return self._write(operation, request, [request], factor=1)
            case "TransactWriteItems":
                writes = [next(iter(one.values())) for one in request["TransactItems"]]
                return self._write(operation, request, writes, factor=2)
            case "BatchWriteItem":
                writes = [
                    {"TableName": table, **next(iter(one.values()))}
                    for table, ones in request["RequestItems"].items()
                    for one in ones
                ]
                return self._write(operation, request, writes, factor=1)
            case "GetItem" | "BatchGetItem" | "TransactGetItems" | "Query":
                answer = self._call(operation, request)
                self._meter.read_units += _read_units(operation, request, answer)
                return answer
        return self._call(operation, request)

    def _write(
        self, operation: str, request: dict[str, Any], writes: list[dict[str, Any]], *, factor: int
    ) -> dict[str, Any]:
        keys = [(write["TableName"], self._key(write)) for write in writes]
        before = [self._image(*key) for key in keys]
        try:
            return self._call(operation, request)
        finally:
            # A write that its condition refuses is charged like one that is made.
            for (table, key), old in zip(keys, before, strict=True):
                new = self._image(table, key)
                size = max(_size(old), _size(new), 1)
                self._meter.write_units += factor * math.ceil(size / _WRITE_BYTES)
                self._meter.write_units += factor * self._index_units(table, old, new)

    def _key(self, write: Mapping[str, Any]) -> Item:
        if "Key" in write:
            return dict(write["Key"])
        item = write["Item"]
        return {name: item[name] for name in _names(self._table(write["TableName"])["KeySchema"])}

    def _image(self, table: str, key: Item) -> Item | None:
        request = {"TableName": table, "Key": key, "ConsistentRead": True}
        return self._call("GetItem", request).get("Item")

    def _table(self, name: str) -> dict[str, Any]:
        if name not in self._described:
            self._described[name] = self._call("DescribeTable", {"TableName": name})["Table"]
        return self._described[name]

    def _index_units(self, table: str, old: Item | None, new: Item | None) -> int:
        description = self._table(table)
        units = 0
        for index in description.get("GlobalSecondaryIndexes", []):
            keys = _names(index["KeySchema"])
            kept = {*keys, *_names(description["KeySchema"]), *index["Projection"].get("NonKeyAttributes", [])}
            whole = index["Projection"]["ProjectionType"] == "ALL"
            copies = [
                {name: value for name, value in image.items() if whole or name in kept}
                if image is not None and all(key in image for key in keys)
                else None
                for image in (old, new)
            ]
            if copies[0] == copies[1]:
                continue
            moved = None not in copies and any(copies[0][key] != copies[1][key] for key in keys)  # type: ignore[index]
            size = max(map(_size, copies))
            # An entry that moves is deleted and written.
            units += (2 if moved else 1) * math.ceil(size / _WRITE_BYTES)
        return units


def _names(schema: list[dict[str, str]]) -> list[str]:
    return [one["AttributeName"] for one in schema]


def _read_units(operation: str, request: Mapping[str, Any], answer: Mapping[str, Any]) -> float:
    match operation:
        case "GetItem":
            return _units_of(_size(answer.get("Item")), consistent=request.get("ConsistentRead", False))
        case "TransactGetItems":
            return sum(2 * _units_of(_size(one.get("Item")), consistent=True) for one in answer["Responses"])
        case "BatchGetItem":
            return sum(
                _units_of(_size(item), consistent=request["RequestItems"][table].get("ConsistentRead", False))
                for table, items in answer["Responses"].items()
                for item in items
            )
        case _:
            size = sum(map(_size, answer.get("Items", [])))
            return _units_of(size, consistent=request.get("ConsistentRead", False))


def _units_of(size: int, *, consistent: bool) -> float:
    units = max(math.ceil(size / _READ_BYTES), 1)
    return units if consistent else units / 2


def _size(item: Item | None) -> int:
    """Return the size of a record in bytes, by DynamoDB's rules for names and values."""
    if item is None:
        return 0
    return sum(len(name.encode()) + _value_size(value) for name, value in item.items())


def _value_size(value: Mapping[str, Any]) -> int:
    ((kind, inner),) = value.items()
    match kind:
        case "S" | "B":
            # An answer has binary values as bytes.
            return len(inner.encode()) if isinstance(inner, str) else len(inner)
        case "N":
            return len(inner) // 2 + 2
        case "M":
            return _OVERHEAD_BYTES + sum(len(name.encode()) + 1 + _value_size(one) for name, one in inner.items())
        case "L":
            return _OVERHEAD_BYTES + sum(1 + _value_size(one) for one in inner)
        case "SS" | "NS" | "BS":
            return sum(len(one) for one in inner)
        case _:
            return 1
