"""What each function may do, by the transformed template: the statements of its role and of KMS keys' policies.

Resources are named as in docs/rights.yaml: tables, queues and parameters without the stack's name, secrets with their
kind, everything else by its logical id.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import yaml

from local.stack.places import ROOT
from tests.unit.transformed_template import of_type, resources

Right = tuple[str, str]
"""An action and a resource."""

_NAMES = {"AWS::DynamoDB::Table": "TableName", "AWS::SQS::Queue": "QueueName", "AWS::SSM::Parameter": "Name"}
_STACK = "${AWS::StackName}"
_ARN = r"arn:\$\{AWS::Partition\}:\w+:\$\{AWS::Region\}:\$\{AWS::AccountId\}:"
_KIND = "kms:EncryptionContext:kind"


@cache
def reviewed() -> dict[str, Any]:
    """Return docs/rights.yaml."""
    found: dict[str, Any] = yaml.safe_load((ROOT / "docs" / "rights.yaml").read_text(encoding="utf-8"))
    return found


def listed() -> dict[str, set[Right]]:
    """Return what docs/rights.yaml lists, by function."""
    return {function: _pairs(rights) for function, rights in reviewed()["functions"].items()}


def listed_for_others() -> dict[str, set[Right]]:
    """Return what docs/rights.yaml lists for roles that no function has."""
    return {role: _pairs(rights) for role, rights in reviewed()["other roles"].items()}


def shared_rights(name: str) -> set[Right]:
    """Return what docs/rights.yaml lists for many functions together, by the logical id of their policy."""
    return _pairs(reviewed()["many functions"][name])


def _pairs(rights: dict[str, list[str]]) -> set[Right]:
    return {(action, resource) for action, named in rights.items() for resource in named}


def granted() -> dict[str, set[Right]]:
    """Return what the template grants to each function alone, by function. Conditions count as if they held."""
    return {
        function: set(_of_role(properties["Role"]["Fn::GetAtt"][0]))
        for function, properties in of_type("AWS::Lambda::Function").items()
    }


def granted_to_others() -> dict[str, set[Right]]:
    """Return what the template grants to each role that no function has."""
    functions = {one["Role"]["Fn::GetAtt"][0] for one in of_type("AWS::Lambda::Function").values()}
    return {role: set(_of_role(role)) for role in of_type("AWS::IAM::Role") if role not in functions}


def policies_of(function: str) -> set[str]:
    """Return the logical ids of the policies that a function shares with others."""
    role = of_type("AWS::Lambda::Function")[function]["Role"]["Fn::GetAtt"][0]
    attached = of_type("AWS::IAM::Role")[role].get("ManagedPolicyArns", [])
    return {as_if_it_held(one)["Ref"] for one in attached}


def granted_by_policy(name: str) -> set[Right]:
    """Return what a policy of many functions grants."""
    statements = of_type("AWS::IAM::ManagedPolicy")[name]["PolicyDocument"]["Statement"]
    return set(_of_statements(one for one in statements if one["Effect"] == "Allow"))


def as_if_it_held(value: dict[str, Any]) -> dict[str, Any]:
    """Return what depends on a condition of the template as if that held."""
    found: dict[str, Any] = value["Fn::If"][1] if "Fn::If" in value else value
    return found


def _of_role(role: str) -> Iterator[Right]:
    for policy in of_type("AWS::IAM::Role")[role].get("Policies", []):
        yield from _of_statements(map(as_if_it_held, policy["PolicyDocument"]["Statement"]))
    principal = {"Fn::GetAtt": [role, "Arn"]}
    for key, properties in of_type("AWS::KMS::Key").items():
        # What a stack that still has secrets without a kind allows for a time is no right of every day.
        for statement in properties["KeyPolicy"]["Statement"]:
            principals = statement.get("Principal", {}).get("AWS")
            if isinstance(principals, list) and principal in principals:
                kind = statement.get("Condition", {}).get("StringEquals", {}).get(_KIND)
                yield statement["Action"], f"{key} {kind}" if kind else key


def _of_statements(statements: Iterator[dict[str, Any]]) -> Iterator[Right]:
    for statement in statements:
        assert statement["Effect"] == "Allow", statement
        assert not {"NotAction", "NotResource"} & set(statement), statement
        for action in statement["Action"]:
            for resource in statement["Resource"]:
                yield action, name_of(resource)


def name_of(resource: Any) -> str:
    """Return the name of a resource that a statement names."""
    match resource:
        case "*":
            return "*"
        case {"Fn::GetAtt": [name, "Arn" | "StreamArn"]}:
            return _name(name)
        case {"Fn::Sub": str(text) | [str(text), _]}:
            if index := re.fullmatch(r"\$\{(\w+)\.Arn\}(/index/\w+|/export/\*|/\*)", text):
                return _name(index[1]) + index[2]
            arn = re.fullmatch(_ARN + r"(?:parameter/?|identity/)?(.+)", text)
            assert arn, text
            own = arn[1].removeprefix(_STACK).lstrip("-/")
            return _name(own[2:-1]) if own.startswith("${") else own
    raise AssertionError(resource)


def _name(logical_id: str) -> str:
    one = resources().get(logical_id, {"Type": "a parameter of the template"})
    if one["Type"] not in _NAMES:
        return logical_id
    name: str = one["Properties"][_NAMES[one["Type"]]]["Fn::Sub"]
    return name.lstrip("/").removeprefix(_STACK)[1:]
