"""Adds an egress lane to a deployed stage, or removes one: `make lane STAGE=prod NAME=lane-2`.

A lane has a stack of its own, made of lane.yaml. Its record says where its orders queue: from then on it trades for the
keys that name it, and without that entry no order is sent to it. `make deploy` brings the stack of every lane to the
version of the first stack.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import WaiterError

from local.deployment.build import Run, build, run_in_root
from local.deployment.command import exit_status_of
from local.deployment.preflight import Client, open_account
from local.deployment.releases import attempt_after, release_of, write_release
from local.deployment.restored_tables import read_restored
from local.deployment.stages import STAGES, Stage
from local.stack.build import overrides_of
from local.stack.deploy import read_template
from local.stack.lanes import (
    FIRST_LANE,
    LANE_TEMPLATE,
    is_name,
    lanes_of,
    parameters_of,
    register,
    register_deployed,
    stack_of,
)
from local.stack.places import ROOT, TOOLS
from local.stack.stacks import delete, delete_if_never_made, describe, find, outputs_of, values_of

AWS_LANE_BUILD = ROOT / ".aws-sam" / "build-lane"
BUILT_LANE = AWS_LANE_BUILD / "template.yaml"

NETWORK = ("SubnetIds", "SecurityGroupIds")
"""A lane's own parameters, kept until others are given."""

_NO_ADDRESS = (
    "{stack} has no network, so a lane would have no address of its own. Deploy stage {stage} with FixedEgress=true, "
    "or name subnets whose requests leave by one address: SUBNETS=subnet-a,subnet-b SECURITY_GROUPS=sg-1"
)

_LEFT = (
    "{queue} is left of a stack that was deleted, and keeps another from being made. "
    "`make lane STAGE={stage} NAME={lane} REMOVE=1` deletes it if it is empty; wait a minute after that"
)

_WAITING = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)


def build_lanes(*, run: Run) -> int:
    """Build what all further lanes are made of; return the exit status."""
    return build(run=run, template=LANE_TEMPLATE, into=AWS_LANE_BUILD)


def deploy_lane(stage: Stage, lane: str, client: Client, *, network: Mapping[str, str], run: Run) -> int:
    """Deploy a lane's stack as it is built, then bring the lane into use; return the exit status."""
    cloudformation = client("cloudformation")
    main_stack = find(cloudformation, stage.stack_name)
    if main_stack is None:
        print(f"stack {stage.stack_name} is not there: deploy it first", file=sys.stderr)
        return 1
    known = find(cloudformation, stack_of(stage.stack_name, lane))
    kept = values_of(known or {})
    given = {name: network.get(name) or kept.get(name, "") for name in NETWORK}
    if not (given["SubnetIds"] or _has_network(main_stack)):
        print(_NO_ADDRESS.format(stage=stage.name, stack=stage.stack_name), file=sys.stderr)
        return 1
    is_new = known is None or delete_if_never_made(cloudformation, known)
    if is_new and _dead_letters(client("sqs"), stage, lane):
        print(_LEFT.format(queue=_dead_letters_name(stage, lane), stage=stage.name, lane=lane), file=sys.stderr)
        return 1
    values = parameters_of(lane, main_stack=main_stack, given=given)
    restored = read_restored(read_template(), stage.stack_name, cloudformation)
    attempt = attempt_after((known or {}).get("StackStatus"))
    write_release(BUILT_LANE, release_of(stage.overrides, restored).describe(values, attempt=attempt), restored)
    command = [
        *(str(TOOLS / "sam"), "deploy", "--config-env", stage.name),
        *("--template-file", str(BUILT_LANE)),
        *("--stack-name", stack_of(stage.stack_name, lane)),
        *overrides_of(values),
    ]
    if failed := run(command):
        return failed
    stack = find(cloudformation, stack_of(stage.stack_name, lane))
    if stack is None or "OrdersQueueUrl" not in outputs_of(stack):
        # SAM CLI ends without an error when the operator declines the changes that it shows.
        print(f"declined: {lane} is not deployed, and is not in use", file=sys.stderr)
        return 1
    register_first(stage, client)  # an executor of another stack sends to it
    register_deployed(client("dynamodb"), stack, lane=lane, main_stack=main_stack)
    return 0


def register_first(stage: Stage, client: Client) -> None:
    """Store where the first lane's orders queue, and its address, as its stack says."""
    main_stack = describe(client("cloudformation"), stage.stack_name)
    register_deployed(client("dynamodb"), main_stack, lane=FIRST_LANE, main_stack=main_stack)


def deploy_all(stage: Stage, client: Client, *, run: Run) -> int:
    """Bring every lane's stack to this version; return the exit status of the first that fails, or 0.

    The first lane's stack is of this version already; its record is stored.
    """
    register_first(stage, client)
    lanes = lanes_of(stage.stack_name, client("cloudformation"))
    if not lanes:
        return 0
    failed = build_lanes(run=run)
    for lane in lanes:
        failed = failed or deploy_lane(stage, lane, client, network={}, run=run)
    return failed


def remove_lane(stage: Stage, lane: str, client: Client) -> int:
    """Take a lane out of use; delete its stack and queues once no order waits in them. Return the exit status."""
    cloudformation = client("cloudformation")
    main_stack = find(cloudformation, stage.stack_name)
    stack = find(cloudformation, stack_of(stage.stack_name, lane))
    sqs = client("sqs")
    dead_letters = _dead_letters(sqs, stage, lane)
    if main_stack is None or (stack is None and dead_letters is None):
        print(f"{stage.stack_name} has no stack of {lane}", file=sys.stderr)
        return 1
    register(client("dynamodb"), main_stack=main_stack, lane=lane, orders_queue_url=None)
    # A stack whose first deployment has failed has no queue, and was never in use.
    url = outputs_of(stack or {}).get("OrdersQueueUrl")
    if waiting := _messages_in(sqs, url):
        print(f"{lane} is out of use, and {waiting} message(s) wait in its queue: run this again in a minute")
        return 1
    if waiting := _messages_in(sqs, dead_letters):
        print(
            f"{lane} is out of use, and {waiting} message(s) wait in its dead letters: redrive them while its "
            "executor is there, or purge them, and run this again"
        )
        return 1
    if stack is not None:
        print(f"{lane} is out of use, and its stack is being deleted, which takes up to half an hour")
        try:
            delete(cloudformation, stack["StackName"])
        except WaiterError:
            print(f"stack {stack['StackName']} could not be deleted: its events say why", file=sys.stderr)
            return 1
    # The stack keeps them, and could not be made again beside them.
    if dead_letters is not None:
        sqs.delete_queue(QueueUrl=dead_letters)
    print(f"{lane} is gone")
    return 0


def _dead_letters_name(stage: Stage, lane: str) -> str:
    name = str(read_template(LANE_TEMPLATE)["Resources"]["OrdersDeadLetters"]["Properties"]["QueueName"]["Fn::Sub"])
    return name.replace("${MainStack}", stage.stack_name).replace("${LaneName}", lane)


def _dead_letters(sqs: Any, stage: Stage, lane: str) -> str | None:
    """Return the address of a lane's dead letters, None where there are none."""
    try:
        return str(sqs.get_queue_url(QueueName=_dead_letters_name(stage, lane))["QueueUrl"])
    except sqs.exceptions.QueueDoesNotExist:
        return None


def _has_network(main_stack: Mapping[str, Any]) -> bool:
    """Return whether the stack has a network of its own, in which a lane can make itself an address."""
    return "EgressAddresses" in outputs_of(main_stack)


def _messages_in(sqs: Any, url: str | None) -> int:
    if url is None:
        return 0
    queue = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(_WAITING))
    return sum(int(queue["Attributes"].get(name, 0)) for name in _WAITING)


def main(arguments: list[str], environment: Mapping[str, str], *, run: Run = run_in_root) -> int:
    """Add or remove the lane that is named and return the exit status."""
    name = environment.get("NAME", "")
    if len(arguments) != 1 or arguments[0] not in STAGES or not is_name(name):
        print("name a stage and a lane: make lane STAGE=prod NAME=lane-2", file=sys.stderr)
        return 2
    network = {"SubnetIds": environment.get("SUBNETS", ""), "SecurityGroupIds": environment.get("SECURITY_GROUPS", "")}

    def add_or_remove() -> int:
        stage, client, _ = open_account(arguments)
        if environment.get("REMOVE"):
            return remove_lane(stage, name, client)
        return build_lanes(run=run) or deploy_lane(stage, name, client, network=network, run=run)

    return exit_status_of(add_or_remove)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
