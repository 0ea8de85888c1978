"""Single stacks of CloudFormation: what one is like, and how one goes whose first deployment has failed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

NEVER_MADE = frozenset({"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED"})
"""Statuses of a stack whose first deployment has failed. It cannot be updated, only deleted."""


def describe(cloudformation: Any, name: str) -> dict[str, Any]:
    """Return CloudFormation's description of a stack; raise botocore's errors, one of them where there is none."""
    (stack,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
    return dict(stack)


def find(cloudformation: Any, name: str) -> dict[str, Any] | None:
    """Return CloudFormation's description of a stack, None where there is none; raise botocore's errors."""
    try:
        return describe(cloudformation, name)
    except ClientError as error:
        if error.response["Error"]["Code"] == "ValidationError":
            return None
        raise


def outputs_of(stack: Mapping[str, Any]) -> dict[str, str]:
    """Return the outputs of a stack, by its description."""
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


def values_of(stack: Mapping[str, Any]) -> dict[str, str]:
    """Return the values of a stack's parameters, by its description."""
    return {one["ParameterKey"]: one["ParameterValue"] for one in stack.get("Parameters", [])}


def delete(cloudformation: Any, name: str) -> None:
    """Delete a stack and wait until it is gone, for an hour at most; raise botocore's errors."""
    cloudformation.delete_stack(StackName=name)
    cloudformation.get_waiter("stack_delete_complete").wait(StackName=name)


def delete_if_never_made(cloudformation: Any, stack: Mapping[str, Any]) -> bool:
    """Delete a stack, by its description, if its first deployment has failed; return whether it did."""
    if stack["StackStatus"] not in NEVER_MADE:
        return False
    delete(cloudformation, stack["StackName"])
    return True
