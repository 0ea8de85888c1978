"""Which releases of a stack were deployed to the end: the ones that a rollback may go to.

A version says of which release it is, not whether its deployment succeeded: versions of a deployment that
CloudFormation has taken back look the same. So the end of each deployment is stored, in an SSM parameter of the stack.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from local.deployment.versions import KEPT, Function


def parameter_of(stack: str) -> str:
    """Return the name of the SSM parameter that has the releases of a stack."""
    return f"/{stack}/finished-releases"


def read_finished(stack: str, ssm: Any) -> list[str] | None:
    """Return the names of the releases, the one that was called last first; None where nothing was ever stored."""
    try:
        return str(ssm.get_parameter(Name=parameter_of(stack))["Parameter"]["Value"]).split()
    except ssm.exceptions.ParameterNotFound:
        return None


def store_finished(
    stack: str, ssm: Any, *, release: str, called: Collection[str], functions: Iterable[Function]
) -> list[str]:
    """Store that a release was deployed to the end; return the names of all that are kept.

    `called` has the releases that were called before: the operator may have gone back to one, and it comes before the
    one that was left. Without earlier records every release that has a version counts as deployed.
    """
    versions = sorted(
        (version for function in functions for version in function.versions if version.release),
        key=lambda one: one.published_at,
        reverse=True,
    )
    known = [version.release.name for version in versions if version.release]
    earlier = read_finished(stack, ssm)
    # The parameter outlives its stack: releases of which no version is left say nothing.
    others = known if earlier is None else [name for name in earlier if name in known]
    ordered = [release, *sorted(others, key=lambda name: name not in called)]
    kept = list(dict.fromkeys(ordered))[:KEPT]
    ssm.put_parameter(Name=parameter_of(stack), Type="String", Value=" ".join(kept), Overwrite=True)
    return kept
