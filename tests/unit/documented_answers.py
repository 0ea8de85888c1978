"""Holds an answer against the checked-in API document: no other status, no other shape. Sends nothing."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

from openapi_schema_validator import OAS31Validator, oas31_format_checker

from local.openapi.__main__ import FILE


@cache
def _document() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return document


def check_answer(method: str, path: str, status: int, body: Any, *, media_type: str) -> None:
    """Fail for an answer that the document does not have; a path that is no route of ours answers as it likes."""
    item = next((one for pattern, one in _paths() if pattern.fullmatch(path)), {})
    operation = item.get(method.lower())
    if operation is None:
        return
    assert str(status) in operation["responses"], f"{method} {path} answers {status}, which is not documented"
    validator = _validator(operation["operationId"], str(status), media_type)
    faults = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(body)]
    assert not faults, f"{method} {path} answers {status} outside its schema: {faults}"


@cache
def _paths() -> list[tuple[re.Pattern[str], dict[str, Any]]]:
    # A path without variables goes before one with a variable in the same place.
    paths = sorted(_document()["paths"].items(), key=lambda entry: entry[0].count("{"))
    return [(re.compile(re.sub(r"\{\w+\}", "[^/]+", path)), item) for path, item in paths]


@cache
def _validator(operation_id: str, status: str, media_type: str) -> OAS31Validator:
    document = _document()
    operation = next(
        one for item in document["paths"].values() for one in item.values() if one["operationId"] == operation_id
    )
    response = operation["responses"][status]
    if "$ref" in response:
        response = document["components"]["responses"][response["$ref"].rpartition("/")[2]]
    assert media_type in response["content"], f"{operation_id} answers {media_type}, which is not documented"
    schema = response["content"][media_type]["schema"]
    return OAS31Validator(schema | {"components": document["components"]}, format_checker=oas31_format_checker)
