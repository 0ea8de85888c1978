"""Records in the form of each earlier version of the schema, which functions of today must read as they were meant.

`old_records/<version>.json` has a record of each table with all attributes of then. A new version adds a file, and
leaves the others as they are (docs/operations.md, "Change what is stored or sent").
"""

from __future__ import annotations

import base64
import importlib
import json
import pkgutil
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import shared.models
from shared.models.base import SCHEMA_VERSION, Table
from shared.models.position_history import HistoryKind
from shared.trading.execution import ExecutionState
from shared.trading.sides import TriggerAction

VERSIONS = range(1, SCHEMA_VERSION + 1)
NOT_WRITTEN_ANY_MORE: dict[str, set[str]] = {
    "manual_incomes": {"expires_at"},  # They are the tax file's now, and stay.
}
"""Attributes that old records have and nobody reads, by table; each with the reason."""

CAME_WITH: dict[str, int] = {"refused_alerts": 2}
"""The version of tables that were made after the first one."""

for _module in pkgutil.iter_modules(shared.models.__path__):
    importlib.import_module(f"shared.models.{_module.name}")

TABLES = {one.Meta.table_name.removeprefix("lockstep-"): one for one in Table.__subclasses__()}


CASES = [(table, version) for table in sorted(TABLES) for version in VERSIONS if version >= CAME_WITH.get(table, 1)]


@cache
def stored(version: int) -> dict[str, dict[str, dict[str, Any]]]:
    """Return a record of each table, as DynamoDB holds it."""
    text = (Path(__file__).parent / "old_records" / f"{version}.json").read_text(encoding="utf-8")
    found: dict[str, dict[str, dict[str, Any]]] = json.loads(text)
    return found


def in_form_of_client(attribute: dict[str, Any]) -> dict[str, Any]:
    """Return an attribute as botocore gives it: bytes where the file has base64."""
    return {"B": base64.b64decode(attribute["B"])} if "B" in attribute else attribute


def in_form_of_file(attribute: dict[str, Any]) -> dict[str, Any]:
    """Return an attribute as the file has it: base64 for bytes, and sets in their order."""
    match attribute:
        case {"B": bytes(value)}:
            return {"B": base64.b64encode(value).decode()}
        case {"SS": texts}:
            return {"SS": sorted(texts)}
    return attribute


@pytest.mark.parametrize(("table", "version"), CASES)
def test_record_of_an_earlier_version_is_read_as_it_was_written(table: str, version: int) -> None:
    record = stored(version)[table]
    assert record["schema_version"] == {"N": str(version)}

    read = TABLES[table].from_raw_data({name: in_form_of_client(value) for name, value in record.items()})

    again = {name: in_form_of_file(value) for name, value in read.serialize().items()}
    expected = {name: value for name, value in record.items() if name not in NOT_WRITTEN_ANY_MORE.get(table, set())}
    assert {name: again.get(name) for name in expected} == expected


def test_records_of_version_2_have_the_forms_that_version_1_cannot_read() -> None:
    added = {name: record.get("kind", record.get("action")) for name, record in stored(2).items()}
    assert (added["position_history"], added["executions"], added["triggers"]) == (
        {"S": HistoryKind.NET.value},
        {"S": TriggerAction.CLOSE.value},
        {"S": TriggerAction.CLOSE.value},
    )
    assert stored(2)["executions"]["state"] == {"S": ExecutionState.DONE.value}


@pytest.mark.parametrize(("table", "version"), CASES)
def test_what_a_record_must_have_was_there_in_every_earlier_version(table: str, version: int) -> None:
    attributes = TABLES[table].get_attributes().values()
    required = {str(one.attr_name) for one in attributes if not one.null and one.default is None}
    assert required
    assert required - set(stored(version)[table]) == set()
