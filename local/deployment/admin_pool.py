"""Finds the pool of admins of a deployed stage, or of the stack of `make run`."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import EndpointConnectionError

from local.deployment.preflight import NotOpened, open_account
from local.stack.deploy import client, find
from local.stack.places import DEFAULT_PORT, NotReady, Places, Ports
from local.stack.stacks import describe, outputs_of

LOCAL_STAGE = "local"
"""Names the stack that `make run` has started."""


@dataclass(frozen=True, slots=True)
class AdminPool:
    """A pool of admins, its app client, and a client of the Cognito that it is in."""

    id: str
    client_id: str
    cognito: Any


def open_admin_pool(arguments: list[str]) -> AdminPool:
    """Return the pool of admins of the stage that is named; raise NotOpened."""
    if arguments == [LOCAL_STAGE]:
        return _of_running_stack()
    stage, clients, status = open_account(arguments)
    if status is None:
        raise NotOpened(f"stack {stage.stack_name} is not there: deploy it first")
    outputs = outputs_of(describe(clients("cloudformation"), stage.stack_name))
    return _pool(outputs, clients("cognito-idp"))


def _of_running_stack() -> AdminPool:
    try:
        port = int(os.environ.get("PORT") or DEFAULT_PORT)
        session = json.loads(Places(Ports(port)).session_file.read_text(encoding="utf-8"))
        places = Places.of(session)
        deployed = find(places)
    except (NotReady, ValueError, FileNotFoundError, EndpointConnectionError) as error:
        raise NotOpened("no stack is running here (make run)") from error
    if deployed is None:
        raise NotOpened("the stack is not deployed yet (make run)")
    return _pool(deployed.outputs, client("cognito-idp", places))


def _pool(outputs: Mapping[str, str], cognito: Any) -> AdminPool:
    return AdminPool(outputs["AdminPoolId"], outputs["AdminPoolClientId"], cognito)
