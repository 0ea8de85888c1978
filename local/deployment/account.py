"""Opens the stack that a command is about: a stage's in its AWS account, or that of `make run` on this machine."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from local.deployment.preflight import Client, NotOpened, open_account
from local.deployment.stages import Stage
from local.stack.deploy import client as client_of
from local.stack.places import DEFAULT_PORT, STACK_NAME, NotReady, Places, Ports


@dataclass(frozen=True, slots=True)
class OpenedStack:
    """A deployed stack, and the clients of its account."""

    stack_name: str
    client: Client
    stage: Stage | None = None
    """None for the stack of `make run`."""
    session: Mapping[str, Any] | None = None
    """What `make run` tells of its stack; None on AWS."""


def open_stack(arguments: list[str], environment: Mapping[str, str]) -> OpenedStack:
    """Return the stack of the stage that is named, or the one of `make run`; raise NotOpened with what is missing."""
    if not arguments:
        return _open_local(environment)
    stage, client, status = open_account(arguments)
    if status is None:
        raise NotOpened(f"stack {stage.stack_name} is not there: make deploy STAGE={stage.name}")
    return OpenedStack(stage.stack_name, client, stage=stage)


def _open_local(environment: Mapping[str, str]) -> OpenedStack:
    try:
        file = Places(Ports(int(environment.get("PORT") or DEFAULT_PORT))).session_file
        session: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, NotReady):
        reason = "no stack runs here: name a stage (STAGE=prod), or start one with make run (PORT=n for another port)"
        raise NotOpened(reason) from None
    return OpenedStack(STACK_NAME, partial(client_of, places=Places.of(session)), session=session)
