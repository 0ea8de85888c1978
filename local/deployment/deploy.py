"""Deploys to an AWS account: `make deploy STAGE=prod`. Stops before what would fail there."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from local.deployment import smoke
from local.deployment.build import AWS_BUILD, Run, build, run_in_root
from local.deployment.command import exit_status_of
from local.deployment.edge import deploy_edge, has_edge
from local.deployment.finished import store_finished
from local.deployment.lane import deploy_all
from local.deployment.preflight import (
    Client,
    check,
    edge_clients,
    edge_clients_if_any,
    open_account,
    report,
    stack_status,
)
from local.deployment.releases import attempt_after, release_of, write_release
from local.deployment.restored_tables import read_restored
from local.deployment.stages import Stage
from local.deployment.versions import (
    Function,
    delete_failed_versions,
    delete_old_versions,
    functions_in,
    functions_of,
    return_to_called,
    return_to_deployed,
    stacks_under_way,
)
from local.stack.build import overrides_of
from local.stack.deploy import read_template
from local.stack.places import TOOLS
from local.stack.stacks import describe, values_of

BUILT_TEMPLATE = AWS_BUILD / "template.yaml"


def deploy(
    stage: Stage,
    *,
    first: bool,
    run: Run,
    has: Callable[[str, Mapping[str, str]], bool],
    built: Path = BUILT_TEMPLATE,
    restored: Mapping[str, str] | None = None,
    at_once: bool = False,
    status: str | None = None,
) -> int:
    """Deploy what is built, as the release of this working tree; return the exit status.

    `restored` has the deployed names of tables that were restored, by noun. `at_once` moves all calls together,
    whatever the stage says. `status` is that of the stage's stack. `has` tells whether the stack has a release with
    these parameters: SAM CLI ends without an error when an operator declines the changes that it shows.

    CloudFormation cannot take back a first deployment that fails if its tables are protected from deletion: they are
    made without protection, and a second deployment turns it on.
    """
    release = release_of(stage.overrides, restored)
    write_release(built, release.describe(attempt=attempt_after(status)), restored or {})
    print(f"release {release.name}")
    rounds = [{"Retained": "false"}, {}] if first else [{}]
    how = {"GradualDeployment": "false"} if at_once else {}
    for overrides in rounds:
        parameters = {**stage.parameters, **overrides, **how}
        command = [
            str(TOOLS / "sam"),
            "deploy",
            "--config-env",
            stage.name,
            "--template-file",
            str(built),
            # For a parameter that is not named, SAM keeps the value that the stack has, whatever the template says.
            *overrides_of(parameters),
        ]
        if failed := run(command):
            return failed
        if not has(release.name, parameters):
            print(f"declined: {stage.stack_name} stays as it is, and nothing after it is deployed", file=sys.stderr)
            return 1
    return 0


def main(arguments: list[str], *, run: Run = run_in_root) -> int:
    """Deploy the stage that is named and return the exit status."""

    def deploy() -> int:
        stage, client, status = open_account(arguments)
        edge_client = edge_clients_if_any(stage)
        if not report(check(stage, client, status=status, edge_client=edge_client)):
            return 1
        return deploy_everything(stage, client, first=status is None, run=run) or smoke.main([stage.name], os.environ)

    return exit_status_of(deploy)


def deploy_everything(stage: Stage, client: Client, *, first: bool, run: Run) -> int:
    """Build and deploy all of a stage; return the exit status of the first step that fails, or 0.

    Raise botocore's errors.
    """
    restored = {} if first else read_restored(read_template(), stage.stack_name, client("cloudformation"))
    before = [] if first else functions_of(stage.stack_name, client)
    if failed := build(run=run):
        return failed
    rolled_back = any(one.live.number != one.deployed for one in before)
    if rolled_back and stage.parameter("GradualDeployment") == "true":
        # CodeDeploy would move calls from the version that the stack has: the one that was left.
        print("a rollback has moved the aliases: calls move at once, not gradually")
    status = stack_status(stage, client("cloudformation"))

    def has(release: str, parameters: Mapping[str, str]) -> bool:
        return has_release(stage, client, release, parameters)

    failed = deploy(stage, first=first, run=run, has=has, restored=restored, at_once=rolled_back, status=status)
    edge_failed = 0
    if not failed:
        # What uses the first stack's functions, tables and queues comes after it; the two do not wait for each other.
        failed = deploy_all(stage, client, run=run)
        edge_failed = deploy_edge(stage, client, edge_clients(stage)) if has_edge(stage) else 0
    if failed:
        if not first:
            tidy_after_failure(stage.stack_name, client, before)
        return failed
    # All functions are of this release, also where CloudFront before them is not.
    return settle_versions(stage.stack_name, client, release_of(stage.overrides, restored).name, before) or edge_failed


def has_release(stage: Stage, client: Client, release: str, parameters: Mapping[str, str]) -> bool:
    """Return whether the stage's stack is of a release, with tables as protected as these parameters say.

    Raise botocore's errors.
    """
    cloudformation = client("cloudformation")
    if stack_status(stage, cloudformation) is None:
        return False
    if values_of(describe(cloudformation, stage.stack_name)).get("Retained") != parameters["Retained"]:
        return False
    return all(one.deployed_release == release for one in functions_in(stage.stack_name, client))


def settle_versions(stack: str, client: Client, release: str, before: Iterable[Function]) -> int:
    """Let every alias call what was deployed, store that it was, and delete old versions; return the exit status.

    `before` has the functions as they were before the deployment. Raise botocore's errors.
    """
    functions = functions_of(stack, client)
    if others := [one.name for one in functions if one.deployed_release != release]:
        # Those of a lane whose changes the operator has declined.
        print(f"release {release} is not deployed: {', '.join(others)} have another one", file=sys.stderr)
        return 1
    # CloudFormation does not notice that a rollback has moved an alias, if nothing else has changed since.
    for function in return_to_deployed(functions, client):
        print(f"{function.name}: a rollback had left {function.live.number}, {function.deployed} is called now")
    called = {one.live.release.name for one in before if one.live.release}
    kept = store_finished(stack, client("ssm"), release=release, called=called, functions=functions)
    delete_old_versions(functions_of(stack, client), kept, client)
    return 0


def tidy_after_failure(stack: str, client: Client, before: Iterable[Function]) -> None:
    """Have the versions called that were called before a deployment that failed, and delete those that it has left.

    Raise botocore's errors.
    """
    if unfinished := stacks_under_way(stack, client):
        states = ", ".join(f"{name} is {status}" for name, status in unfinished.items())
        called = ", ".join(sorted({one.live.release.name for one in before if one.live.release}))
        print(
            f"{states}: nothing is tidied up. Release {called} was called before; when CloudFormation is done, "
            "make rollback with RELEASE=name has it called again",
            file=sys.stderr,
        )
        return
    # CloudFormation takes an alias back to the version of its stack, also where a rollback had left that version.
    for function, number in return_to_called(before, functions_of(stack, client), client):
        print(f"{function.name}: CloudFormation had gone back to {function.live.number}, {number} is called again")
    if deleted := delete_failed_versions(functions_of(stack, client), client):
        print(f"{deleted} versions of the failed deployment are deleted")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
