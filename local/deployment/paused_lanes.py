"""Has further lanes take no orders for as long as their executors would use other tables than the first stack's."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from local.deployment.preflight import Client
from local.deployment.restored_tables import VARIABLE
from local.stack.lanes import lanes_of, stack_of
from local.stack.stacks import describe, outputs_of

_PAUSED_WITHIN_S = 300


class NotPaused(Exception):
    """Lambda has not stopped to read a lane's queue."""


@contextmanager
def paused_lanes(stack: str, client: Client, *, pause_s: float = 5) -> Iterator[None]:
    """Pause every further lane, and at the end let those go on that use the tables of the first stack.

    Orders wait in their queues meanwhile. Raise NotPaused, or botocore's errors; then all lanes go on as they were.
    """
    awslambda = client("lambda")
    mappings = _mappings(stack, client("cloudformation"))
    try:
        for mapping in mappings.values():
            awslambda.update_event_source_mapping(UUID=mapping, Enabled=False)
        for lane, mapping in mappings.items():
            _wait_until_paused(lane, mapping, awslambda, pause_s)
        yield
    finally:
        _let_go_on(stack, mappings, client)


def _let_go_on(stack: str, mappings: dict[str, str], client: Client) -> None:
    if not mappings:
        return
    awslambda = client("lambda")
    main_stack = describe(client("cloudformation"), stack)
    wanted = _tables_of(outputs_of(main_stack)["OrderExecutorName"], awslambda)
    for lane, mapping in mappings.items():
        executor = awslambda.get_event_source_mapping(UUID=mapping)["FunctionArn"]
        if _tables_of(executor, awslambda) == wanted:
            awslambda.update_event_source_mapping(UUID=mapping, Enabled=True)
        else:
            print(f"{lane} takes no orders: it still uses a table that the first stack has left", file=sys.stderr)


def _mappings(stack: str, cloudformation: Any) -> dict[str, str]:
    """Return the id of the mapping by which each further lane's executor reads its queue, by the lane's name."""
    found = {}
    for lane in lanes_of(stack, cloudformation):
        pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack_of(stack, lane))
        for one in (one for page in pages for one in page["StackResourceSummaries"]):
            is_mapping = one["ResourceType"] == "AWS::Lambda::EventSourceMapping"
            if is_mapping and not one["ResourceStatus"].startswith("DELETE"):
                found[lane] = str(one["PhysicalResourceId"])
    return found


def _wait_until_paused(lane: str, mapping: str, awslambda: Any, pause_s: float) -> None:
    ends_at_s = time.monotonic() + _PAUSED_WITHIN_S
    while awslambda.get_event_source_mapping(UUID=mapping)["State"] != "Disabled":
        if time.monotonic() > ends_at_s:
            raise NotPaused(f"{lane} still takes orders after {_PAUSED_WITHIN_S} s")
        time.sleep(pause_s)


def _tables_of(function: str, awslambda: Any) -> str:
    variables = awslambda.get_function_configuration(FunctionName=function)["Environment"]["Variables"]
    return str(variables[VARIABLE])
