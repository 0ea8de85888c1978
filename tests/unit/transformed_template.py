"""The templates as CloudFormation gets them: after SAM's transform, which runs here without AWS."""

from __future__ import annotations

import os
from collections.abc import Mapping
from copy import deepcopy
from functools import cache
from typing import Any
from unittest.mock import patch

from samtranslator.translator.transform import transform

from local.deployment.releases import describe_release
from local.stack.deploy import read_template

ALIAS = "Aliaslive"
"""What SAM adds to a function's logical id for its alias."""

_REGION = "eu-central-1"
_CODE = {"AWS::Serverless::Function": "CodeUri", "AWS::Serverless::LayerVersion": "ContentUri"}


_read = cache(read_template)


class _NoManagedPolicies:
    """SAM asks for the managed policies that a template names; ours names none."""

    def load(self) -> dict[str, str]:
        return {}


def transformed(
    name: str = "template.yaml",
    *,
    artefacts: Mapping[str, str] | None = None,
    description: str = "release none",
    **parameters: str,
) -> dict[str, Any]:
    """Return a template after the transform, with these values of its parameters.

    `artefacts` has the addresses of uploaded code that differ from the usual one, by logical id.
    """
    template = deepcopy(_read(name))
    describe_release(template, description)
    for logical_id, resource in template["Resources"].items():
        if code := _CODE.get(resource["Type"]):
            # As `sam deploy` writes it, once the artefact is uploaded.
            resource["Properties"][code] = (artefacts or {}).get(logical_id, f"s3://artefacts/{logical_id}")
    # The translator asks boto3 for a region, too.
    with patch.dict(os.environ, {"AWS_DEFAULT_REGION": _REGION}):
        answer: dict[str, Any] = transform(template, {"AWS::Region": _REGION, **parameters}, _NoManagedPolicies())
    return answer


def function_of(alias: Mapping[str, Any]) -> str:
    """Return the function whose alias a reference names; everything that calls a function calls that."""
    name = str(alias["Ref"])
    assert name.endswith(ALIAS), name
    return name.removesuffix(ALIAS)


@cache
def template() -> dict[str, Any]:
    """Return template.yaml after the transform; not to be changed."""
    return transformed()


@cache
def resources() -> dict[str, dict[str, Any]]:
    """Return the transformed resources by logical id."""
    found: dict[str, dict[str, Any]] = template()["Resources"]
    return found


def of_type(kind: str) -> dict[str, dict[str, Any]]:
    """Return the properties of the transformed resources of one type, by logical id."""
    return {name: one.get("Properties", {}) for name, one in resources().items() if one["Type"] == kind}
