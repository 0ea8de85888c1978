"""`make smoke` against the running stack: what it tells, and what it leaves."""

from __future__ import annotations

from functools import partial
from typing import Any

from local.deployment.account import OpenedStack
from local.deployment.smoke import READS, Smoke
from local.stack.deploy import client
from local.stack.places import STACK_NAME
from tests.system.stack_client import Stack


def strategies(stack: Stack) -> dict[str, Any]:
    """Return the strategies that `make smoke` has made, by id."""
    found = client("dynamodb", stack.running.places).scan(TableName=f"{STACK_NAME}-strategies")["Items"]
    return {one["id"]["S"]: one for one in found if one["name"]["S"].startswith("Smoke")}


def test_smoke_tries_everything_and_leaves_nothing_that_trades(stack: Stack) -> None:
    told: list[str] = []
    opened = OpenedStack(STACK_NAME, partial(client, places=stack.running.places), session=stack.session)

    status = Smoke(opened, {}, write=lambda line: told.append(str(line))).run()

    assert status == 0, "\n".join(told)
    assert told[-1] == "all well"
    assert len([line for line in told if line.startswith("ok")]) >= len(READS) + 2
    assert any("the exchange's time from lane-1" in line for line in told)
    made = strategies(stack)
    assert made
    assert {one["active"]["BOOL"] for one in made.values()} == {False}
    executions = client("dynamodb", stack.running.places).scan(TableName=f"{STACK_NAME}-executions")["Items"]
    states = {one["state"]["S"] for one in executions if one["strategy_id"]["S"] in made}
    assert states == {"CLOSED"}


def test_smoke_without_followers_deletes_its_strategy(stack: Stack) -> None:
    opened = OpenedStack(STACK_NAME, partial(client, places=stack.running.places), session=stack.session)
    smoke = Smoke(opened, {})
    smoke.outputs = dict(stack.running.deployed.outputs)
    before = strategies(stack)

    # As on AWS, where no paper account follows.
    smoke._alert_without_followers()

    assert strategies(stack).keys() == before.keys()
