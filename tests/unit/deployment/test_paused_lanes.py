"""While a restore ends, no lane writes to the table that the first stack has left."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from local.deployment import restore
from local.deployment.stages import Stage, read_stage
from local.stack.lanes import stack_of

FIRST, RESTORED = "none", "users=lockstep-users-20261129T180000"
LANES = ("lane-2", "lane-3")


class Account:
    """CloudFormation and Lambda of a stage with two further lanes; a mapping takes a look to change."""

    def __init__(self) -> None:
        self.tables = {"lockstep": FIRST} | {stack_of("lockstep", lane): FIRST for lane in LANES}
        self.states = {stack_of("lockstep", lane): "Enabled" for lane in LANES}

    def describe_stacks(self, **_: str) -> Any:
        outputs = [{"OutputKey": "OrderExecutorName", "OutputValue": "lockstep:live"}]
        return {"Stacks": [{"StackName": "lockstep", "Outputs": outputs}]}

    def get_paginator(self, operation: str) -> Any:
        class Paginator:
            def paginate(_, **request: str) -> Any:  # noqa: N805 - the outer one is self
                if operation == "describe_stacks":
                    return [{"Stacks": [{"StackName": name} for name in self.tables]}]
                name, kind = request["StackName"], "AWS::Lambda::EventSourceMapping"
                found = {"ResourceType": kind, "PhysicalResourceId": name, "ResourceStatus": "CREATE_COMPLETE"}
                return [{"StackResourceSummaries": [found, {**found, "ResourceType": "AWS::SQS::Queue"}]}]

        return Paginator()

    def update_event_source_mapping(self, *, UUID: str, Enabled: bool) -> None:  # noqa: N803 - Lambda's own names
        self.states[UUID] = "Enabling" if Enabled else "Disabling"

    def get_event_source_mapping(self, *, UUID: str) -> Any:  # noqa: N803 - Lambda's own name
        state = self.states[UUID]
        self.states[UUID] = {"Enabling": "Enabled", "Disabling": "Disabled"}.get(state, state)
        return {"State": state, "FunctionArn": f"{UUID}:live"}

    def get_function_configuration(self, *, FunctionName: str) -> Any:  # noqa: N803 - Lambda's own name
        tables = self.tables[FunctionName.removesuffix(":live")]
        return {"Environment": {"Variables": {"RESTORED_TABLES": tables}}}


@pytest.fixture
def account() -> Account:
    return Account()


def redeploy(account: Account, monkeypatch: pytest.MonkeyPatch, deploy: Callable[[], int]) -> int:
    def everything(stage: Stage, *_: object, **__: object) -> int:
        assert stage.parameter("GradualDeployment") == "false"
        assert set(account.states.values()) == {"Disabled"}
        return deploy()

    monkeypatch.setattr(restore, "deploy_everything", everything)
    return restore.redeploy_stage(read_stage("prod"), lambda _: account, run=lambda _: 0, pause_s=0)


def settled(account: Account) -> list[str]:
    return [state.replace("Enabling", "Enabled") for state in account.states.values()]


def test_lanes_take_no_order_while_the_tables_change(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    def deploy() -> int:
        account.tables = dict.fromkeys(account.tables, RESTORED)
        return 0

    assert redeploy(account, monkeypatch, deploy) == 0
    assert settled(account) == ["Enabled", "Enabled"]


def test_lane_that_still_uses_the_first_table_stays_paused(
    account: Account, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def deploy() -> int:
        account.tables |= {"lockstep": RESTORED, "lockstep-lane-2": RESTORED}
        return 1

    assert redeploy(account, monkeypatch, deploy) == 1
    assert settled(account) == ["Enabled", "Disabled"]
    assert "lane-3 takes no orders" in capsys.readouterr().err


@pytest.mark.parametrize("raises", [False, True])
def test_lanes_go_on_after_a_deployment_that_changed_nothing(
    account: Account, monkeypatch: pytest.MonkeyPatch, *, raises: bool
) -> None:
    def deploy() -> int:
        if raises:
            raise ConnectionError
        return 1

    if raises:
        with pytest.raises(ConnectionError):
            redeploy(account, monkeypatch, deploy)
    else:
        assert redeploy(account, monkeypatch, deploy) == 1
    assert settled(account) == ["Enabled", "Enabled"]


def test_second_run_lets_lanes_go_on_that_the_first_left_paused(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    account.states = dict.fromkeys(account.states, "Disabled")
    assert redeploy(account, monkeypatch, lambda: 0) == 0
    assert settled(account) == ["Enabled", "Enabled"]
