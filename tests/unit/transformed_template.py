"""The templates as CloudFormation gets them: after SAM's transform, which runs here without AWS."""

from __future__ import annotations

from functools import cache
from typing import Any

from samtranslator.translator.transform import transform

from local.stack.deploy import read_template

_CODE = {"AWS::Serverless::Function": "CodeUri", "AWS::Serverless::LayerVersion": "ContentUri"}


class _NoManagedPolicies:
    """SAM asks for the managed policies that a template names; ours names none."""

    def load(self) -> dict[str, str]:
        return {}


def transformed(name: str = "template.yaml", **parameters: str) -> dict[str, Any]:
    """Return a template after the transform, with these values of its parameters."""
    template = read_template(name)
    for logical_id, resource in template["Resources"].items():
        if code := _CODE.get(resource["Type"]):
            # As `sam deploy` writes it, once the artefact is uploaded.
            resource["Properties"][code] = f"s3://artefacts/{logical_id}"
    answer: dict[str, Any] = transform(template, {"AWS::Region": "eu-central-1", **parameters}, _NoManagedPolicies())
    return answer


@cache
def resources() -> dict[str, dict[str, Any]]:
    """Return the transformed resources by logical id."""
    found: dict[str, dict[str, Any]] = transformed()["Resources"]
    return found


def of_type(kind: str) -> dict[str, dict[str, Any]]:
    """Return the properties of the transformed resources of one type, by logical id."""
    return {name: one.get("Properties", {}) for name, one in resources().items() if one["Type"] == kind}
