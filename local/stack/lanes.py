"""Egress lanes beside the first one: their stacks, and the records that say where their orders queue."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from local.stack.build import BUILT_LANE, NameRelease, as_built, build
from local.stack.deploy import client, read_template, sam_deploy
from local.stack.places import STACK_NAME, Places
from local.stack.stacks import describe, outputs_of, values_of

LANE_TEMPLATE = "lane.yaml"
FIRST_LANE = "lane-1"

_NAME = re.compile(r"lane-([2-9]|1[0-7])")
"""As many as the network of the first stack has parts for."""
_SCHEMA_VERSION = "1"


def is_name(name: str) -> bool:
    """Return whether this may be the name of a further lane: lane-2, lane-3, …"""
    return _NAME.fullmatch(name) is not None


def number_of(lane: str) -> int:
    """Return the number in a lane's name."""
    return int(lane.removeprefix("lane-"))


def stack_of(main_stack: str, lane: str) -> str:
    """Return the name of a lane's stack."""
    return f"{main_stack}-{lane}"


def lanes_of(main_stack: str, cloudformation: Any) -> list[str]:
    """Return the lanes that have a stack beside the main one."""
    pages = cloudformation.get_paginator("describe_stacks").paginate()
    stacks = [str(stack["StackName"]) for page in pages for stack in page["Stacks"]]
    beside = [name.removeprefix(f"{main_stack}-") for name in stacks if name.startswith(f"{main_stack}-")]
    return sorted(name for name in beside if is_name(name))


def parameters_of(lane: str, *, main_stack: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, str]:
    """Return the parameters of a lane's stack: the main stack's values of those that both have, then those given.

    `main_stack` is its description by CloudFormation.
    """
    known = read_template(LANE_TEMPLATE)["Parameters"]
    shared = {name: value for name, value in values_of(main_stack).items() if name in known}
    own = {"MainStack": main_stack["StackName"], "LaneName": lane, "NetworkPart": str(number_of(lane) - 2)}
    return {**shared, **own, **given}


def register(
    dynamodb: Any, *, main_stack: Mapping[str, Any], lane: str, orders_queue_url: str | None, address: str | None = None
) -> None:
    """Store in a lane's record where its orders queue, and its address; a None for the queue takes it out of use.

    Without an address the record keeps the one that an operator may have stored.
    """
    values = {":now": {"S": _now()}, ":version": {"N": _SCHEMA_VERSION}}
    update = "SET updated_at = :now, schema_version = :version"
    if orders_queue_url is None:
        update += " REMOVE orders_queue_url"
    else:
        update += ", orders_queue_url = :url"
        values[":url"] = {"S": orders_queue_url}
        if address:
            update += ", address = :address"
            values[":address"] = {"S": address}
    outputs = outputs_of(main_stack)
    dynamodb.update_item(
        TableName=outputs.get("EgressLanesTable", f"{outputs['TablePrefix']}egress_lanes"),
        Key={"lane": {"S": lane}},
        UpdateExpression=update,
        ExpressionAttributeValues=values,
    )


def deploy_lanes(places: Places, number: int, *, name_release: NameRelease = as_built) -> None:
    """Build and deploy lanes 2 to `number`, each with its own address of the loopback, and register them.

    Raise NotReady with the end of SAM's output.
    """
    build(LANE_TEMPLATE, into=BUILT_LANE)
    cloudformation, dynamodb = client("cloudformation", places), client("dynamodb", places)
    main_stack = describe(cloudformation, STACK_NAME)
    first = address_of(FIRST_LANE)
    register_deployed(dynamodb, main_stack, lane=FIRST_LANE, main_stack=main_stack, address=first)
    for lane in names(number)[1:]:
        given = {"SourceAddress": address_of(lane)}
        values = parameters_of(lane, main_stack=main_stack, given=given)
        with name_release(BUILT_LANE, places) as template:
            sam_deploy(places, template, stack_name=stack_of(STACK_NAME, lane), values=values)
        stack = describe(cloudformation, stack_of(STACK_NAME, lane))
        register_deployed(dynamodb, stack, lane=lane, main_stack=main_stack, address=address_of(lane))


def names(number: int) -> list[str]:
    """Return the names of the first lanes."""
    return [f"lane-{one}" for one in range(1, number + 1)]


def address_of(lane: str) -> str:
    """Return the address of the loopback that a lane asks the paper exchange from."""
    return f"127.0.0.{number_of(lane)}"


def register_deployed(
    dynamodb: Any, stack: Mapping[str, Any], *, lane: str, main_stack: Mapping[str, Any], address: str | None = None
) -> None:
    """Bring a lane into use, by the description of its stack, and tell owners of keys its address.

    The first lane's stack is the main one. The address is that of the stack's network, unless another is given.
    """
    outputs = outputs_of(stack)
    own = outputs.get("EgressAddresses" if lane == FIRST_LANE else "EgressAddress")
    url = outputs["OrdersQueueUrl"]
    register(dynamodb, main_stack=main_stack, lane=lane, orders_queue_url=url, address=address or own)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
