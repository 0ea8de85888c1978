"""Versions of a deployment's functions, and the aliases that say which one is called."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from local.deployment.preflight import Client
from local.deployment.releases import Release
from local.stack.deploy import ALIAS
from local.stack.lanes import lanes_of, stack_of
from local.stack.stacks import describe

KEPT = 3
"""Releases whose versions a deployment leaves: the new one, and two to go back to. Those that failed do not count."""


@dataclass(frozen=True, slots=True)
class Version:
    """A published version of a function."""

    number: int
    release: Release | None
    published_at: str


@dataclass(frozen=True, slots=True)
class Function:
    """A function of a deployment: its versions, newest first, and the one that its alias calls."""

    name: str
    versions: tuple[Version, ...]
    live: Version
    deployed: int
    """The number of the version that its stack has."""
    shares: bool = False
    """Whether its alias sends a part of the calls to another version, as it does while calls move gradually."""

    @property
    def deployed_release(self) -> str:
        """The name of the release that its stack has, empty where its version names none."""
        found = next((one.release for one in self.versions if one.number == self.deployed), None)
        return found.name if found else ""

    def version_of(self, release: str) -> Version | None:
        """Return the newest version of a release, or None."""
        return next((one for one in self.versions if one.release and one.release.name == release), None)


def functions_of(stack: str, client: Client) -> list[Function]:
    """Return the functions of a stack and of its lanes' stacks; raise botocore's errors."""
    return [function for one in _stacks(stack, client("cloudformation")) for function in functions_in(one, client)]


def functions_in(stack: str, client: Client) -> list[Function]:
    """Return the functions of one stack; raise botocore's errors."""
    deployed, awslambda = _deployed(stack, client("cloudformation")), client("lambda")
    return [_function(name, number, awslambda) for name, number in sorted(deployed.items())]


def stacks_under_way(stack: str, client: Client) -> dict[str, str]:
    """Return the status of the stack and its lanes' stacks that CloudFormation is changing, or could not change."""
    cloudformation = client("cloudformation")
    found = {name: str(describe(cloudformation, name)["StackStatus"]) for name in _stacks(stack, cloudformation)}
    return {name: status for name, status in found.items() if not status.endswith("_COMPLETE")}


def point_alias(function: Function, number: int, client: Client) -> None:
    """Let the alias of a function call this version for every call."""
    client("lambda").update_alias(
        FunctionName=function.name,
        Name=ALIAS,
        FunctionVersion=str(number),
        RoutingConfig={"AdditionalVersionWeights": {}},
    )


def return_to_deployed(functions: Iterable[Function], client: Client) -> list[Function]:
    """Point aliases that a rollback has moved at the versions that the stacks have; return their functions."""
    moved = [one for one in functions if one.live.number != one.deployed]
    for function in moved:
        point_alias(function, function.deployed, client)
    return moved


def return_to_called(before: Iterable[Function], now: Iterable[Function], client: Client) -> list[tuple[Function, int]]:
    """Point aliases again at what they called before a deployment, where it was taken back; return which, and where.

    A function whose stack has another version than before was deployed, and is left alone.
    """
    earlier = {one.name: one for one in before}
    moved = [
        (function, earlier[function.name].live.number)
        for function in now
        if function.name in earlier
        and function.deployed == earlier[function.name].deployed
        and function.live.number != earlier[function.name].live.number
    ]
    for function, number in moved:
        point_alias(function, number, client)
    return moved


def delete_failed_versions(functions: Iterable[Function], client: Client) -> int:
    """Delete the versions that a deployment published and CloudFormation took back; return how many.

    CloudFormation keeps them, because a version that it replaces has to stay. They are the ones after the stack's.
    """
    awslambda, deleted = client("lambda"), 0
    for function in functions:
        for version in function.versions:
            if version.number > max(function.deployed, function.live.number):
                awslambda.delete_function(FunctionName=function.name, Qualifier=str(version.number))
                deleted += 1
    return deleted


def delete_old_versions(functions: Iterable[Function], releases: Iterable[str], client: Client) -> int:
    """Delete all but the newest version of each of these releases and those in use; return how many were deleted.

    Each keeps a copy of the function's code, which counts towards the account's limit for code.
    """
    awslambda, deleted, names = client("lambda"), 0, list(releases)
    for function in functions:
        newest = [function.version_of(name) for name in names]
        kept = {one.number for one in newest if one} | {function.live.number, function.deployed}
        for version in function.versions:
            if version.number not in kept:
                awslambda.delete_function(FunctionName=function.name, Qualifier=str(version.number))
                deleted += 1
    return deleted


def _stacks(stack: str, cloudformation: Any) -> list[str]:
    return [stack, *(stack_of(stack, lane) for lane in lanes_of(stack, cloudformation))]


def _deployed(stack: str, cloudformation: Any) -> dict[str, int]:
    """Return the number of the version that a stack has of each of its functions, by the function's name."""
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack)
    resources = [one for page in pages for one in page["StackResourceSummaries"]]
    # A version that a later deployment has replaced is still listed, as skipped.
    arns = [
        str(one["PhysicalResourceId"]).split(":")
        for one in resources
        if one["ResourceType"] == "AWS::Lambda::Version" and not one["ResourceStatus"].startswith("DELETE")
    ]
    return {arn[6]: int(arn[7]) for arn in arns}


def _function(name: str, deployed: int, awslambda: Any) -> Function:
    pages = awslambda.get_paginator("list_versions_by_function").paginate(FunctionName=name)
    found = [one for page in pages for one in page["Versions"] if one["Version"] != "$LATEST"]
    versions = sorted(
        (
            Version(int(one["Version"]), Release.read(one.get("Description", "")), str(one.get("LastModified", "")))
            for one in found
        ),
        key=lambda one: -one.number,
    )
    alias = awslambda.get_alias(FunctionName=name, Name=ALIAS)
    live = next(one for one in versions if one.number == int(alias["FunctionVersion"]))
    shares = bool(alias.get("RoutingConfig", {}).get("AdditionalVersionWeights"))
    return Function(name, tuple(versions), live, deployed, shares)
