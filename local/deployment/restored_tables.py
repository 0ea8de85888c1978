"""Tables whose deployed name is not the usual one, because they were restored from an earlier point in time.

A restore makes a table of another name, which the stack then has in place of the first. Which names those are is read
from the stack, and written into the built templates with each deployment: nobody has to keep a list.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

VARIABLE = "RESTORED_TABLES"
"""The functions' variable that holds the names: `users=lockstep-users-20261129T180000 orders=…`."""

NONE = "none"
_NAME = "${AWS::StackName}-"
_NAME_IN_LANE = "table/${MainStack}-"


def usual_names(template: Mapping[str, Any], stack: str) -> dict[str, tuple[str, str]]:
    """Return the noun (`users`) and the usual name of each table of template.yaml, by logical id."""
    names = {
        logical_id: str(one["Properties"]["TableName"]["Fn::Sub"]).removeprefix(_NAME)
        for logical_id, one in template["Resources"].items()
        if one["Type"] == "AWS::DynamoDB::Table"
    }
    return {logical_id: (noun, f"{stack}-{noun}") for logical_id, noun in names.items()}


def read_restored(template: Mapping[str, Any], stack: str, cloudformation: Any) -> dict[str, str]:
    """Return the deployed names of the tables that were restored, by noun; raise botocore's errors."""
    usual = usual_names(template, stack)
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack)
    return {
        usual[one["LogicalResourceId"]][0]: str(one["PhysicalResourceId"])
        for page in pages
        for one in page["StackResourceSummaries"]
        if one["LogicalResourceId"] in usual
        and not one["ResourceStatus"].startswith("DELETE")
        and one["PhysicalResourceId"] != usual[one["LogicalResourceId"]][1]
    }


def as_variable(restored: Mapping[str, str]) -> str:
    """Return the value of the functions' variable."""
    return " ".join(f"{noun}={name}" for noun, name in sorted(restored.items())) or NONE


def tables_of(restored: Mapping[str, str]) -> str:
    """Return a short name for a set of restored tables, for the description of a release."""
    return hashlib.sha256(as_variable(restored).encode()).hexdigest()[:8] if restored else "first"


def write_names(template: dict[str, Any], restored: Mapping[str, str]) -> dict[str, Any]:
    """Return a template, of the first stack or of a lane, that uses the restored tables."""
    replaced = dict(_in_lane(template, restored))
    for resource in replaced["Resources"].values():
        if resource["Type"] == "AWS::DynamoDB::Table":
            noun = str(resource["Properties"]["TableName"]["Fn::Sub"]).removeprefix(_NAME)
            if noun in restored:
                resource["Properties"]["TableName"] = restored[noun]
        variables = resource.get("Properties", {}).get("Environment", {}).get("Variables", {})
        if VARIABLE in variables:
            variables[VARIABLE] = as_variable(restored)
    function = replaced["Globals"]["Function"]
    if "Environment" in function:
        function["Environment"]["Variables"][VARIABLE] = as_variable(restored)
    return replaced


def _in_lane(value: Any, restored: Mapping[str, str]) -> Any:
    """Return a value in which rights on tables by their usual name are those on the restored ones."""
    match value:
        case str() if _NAME_IN_LANE in value:
            before, _, after = value.partition(_NAME_IN_LANE)
            noun, slash, rest = after.partition("/")
            return f"{before}table/{restored[noun]}{slash}{rest}" if noun in restored else value
        case dict():
            return {key: _in_lane(inner, restored) for key, inner in value.items()}
        case list():
            return [_in_lane(inner, restored) for inner in value]
    return value
