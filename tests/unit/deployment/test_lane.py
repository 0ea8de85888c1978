"""`make lane` deploys a lane beside a stage's stack and brings it into use; `make deploy` takes every lane along."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from local import embedded_tables
from local.deployment import lane as command
from local.deployment.lane import deploy_all, deploy_lane, remove_lane
from local.deployment.preflight import Client
from local.deployment.releases import Release, release_of
from local.deployment.stages import read_stage
from local.stack.stacks import find
from shared.models.egress_lane import EgressLane
from tests.unit.deployment.sam_parameters import read_by_sam
from tests.unit.in_process_aws import Queues, aws_client

STAGE = read_stage("prod")
NETWORK = {"SubnetIds": "subnet-a,subnet-b", "SecurityGroupIds": "sg-1"}
MAIN = {"MaxChase": "0.2", "ExchangeUrl": "", "Retained": "true"}


class Tables:
    """DynamoDB's client, of the engine that has the tests' tables."""

    def update_item(self, **request: Any) -> Any:
        return embedded_tables.call("UpdateItem", request)


def client(service: str) -> Any:
    return Tables() if service == "dynamodb" else aws_client(service)


def a_template(parameters: Mapping[str, str], outputs: Mapping[str, str]) -> str:
    return json.dumps(
        {
            "Parameters": {name: {"Type": "String", "Default": value} for name, value in parameters.items()},
            "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
            "Outputs": {name: {"Value": value} for name, value in outputs.items()},
        }
    )


@pytest.fixture(autouse=True)
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The lanes' built template, of which the release is not written yet."""
    path = tmp_path / "lane.yaml"
    path.write_text("{Globals: {Function: {Description: release none}}, Resources: {}}", encoding="utf-8")
    monkeypatch.setattr(command, "BUILT_LANE", path)
    return path


@pytest.fixture
def main_stack(tables: Queues) -> Queues:
    """The stage's stack, whose tables are those of the test."""
    _create_main_stack(tables)
    return tables


@pytest.fixture
def main_stack_with_network(tables: Queues) -> Queues:
    """The stage's stack with `FixedEgress`."""
    _create_main_stack(tables, EgressAddresses="203.0.113.1")
    return tables


def _create_main_stack(queues: Queues, **outputs: str) -> None:
    prefix = EgressLane.Meta.table_name.removesuffix("egress_lanes")
    template = a_template(MAIN, {"OrdersQueueUrl": queues.orders, "TablePrefix": prefix, **outputs})
    aws_client("cloudformation").create_stack(StackName="lockstep", TemplateBody=template)


class Sam:
    """Creates a lane's stack in the test's AWS, with a queue, in place of `sam deploy`; keeps the commands."""

    def __init__(self, *, failing: str = "") -> None:
        self.commands: list[list[str]] = []
        self._failing = failing

    def __call__(self, arguments: Sequence[str]) -> int:
        self.commands.append(list(arguments))
        if arguments[1] == self._failing:
            return 1
        if arguments[1] == "deploy":
            self._create(self.values(-1), arguments[arguments.index("--stack-name") + 1])
        return 0

    def values(self, number: int) -> dict[str, str]:
        """Return the parameters of a command."""
        return read_by_sam(self.commands[number])

    def _create(self, values: dict[str, str], stack: str) -> None:
        cloudformation = aws_client("cloudformation")
        if any(one["StackName"] == stack for one in cloudformation.describe_stacks()["Stacks"]):
            return
        attributes = {"FifoQueue": "true"}
        queue = aws_client("sqs").create_queue(QueueName=f"{stack}-orders.fifo", Attributes=attributes)
        aws_client("sqs").create_queue(QueueName=f"{stack}-orders-dead-letters.fifo", Attributes=attributes)
        outputs = {"OrdersQueueUrl": queue["QueueUrl"]}
        if not values.get("SubnetIds"):
            outputs["EgressAddress"] = f"203.0.113.{stack.rpartition('-')[2]}"  # of a network that the lane makes
        cloudformation.create_stack(StackName=stack, TemplateBody=a_template(values, outputs))


def queue_of(lane: str) -> str | None:
    record = EgressLane.find(lane)
    return record.orders_queue_url if record is not None else None


def add(lane: str = "lane-2", network: Mapping[str, str] = NETWORK, **how: Any) -> tuple[int, Sam]:
    sam = Sam(**how)
    return deploy_lane(STAGE, lane, client, network=network, run=sam), sam


def test_lane_gets_the_stages_settings_and_its_own_network(main_stack: Queues) -> None:
    status, sam = add()

    assert status == 0
    own = {"MainStack": "lockstep", "LaneName": "lane-2", "NetworkPart": "0"}
    assert sam.values(-1) == {"MaxChase": "0.2", "ExchangeUrl": "", **own, **NETWORK}
    assert sam.commands[-1][1:4] == ["deploy", "--config-env", "prod"]


def test_new_lane_whose_changes_the_operator_declines_is_not_in_use(
    main_stack: Queues, capsys: pytest.CaptureFixture[str]
) -> None:
    assert deploy_lane(STAGE, "lane-2", client, network=NETWORK, run=lambda _: 0) == 1
    assert queue_of("lane-2") is None
    assert capsys.readouterr().err == "declined: lane-2 is not deployed, and is not in use\n"


def described(built: Path) -> str:
    return str(yaml.safe_load(built.read_text(encoding="utf-8"))["Globals"]["Function"]["Description"])


def test_lane_is_of_the_stages_release(main_stack: Queues, built: Path) -> None:
    add()

    assert Release.read(described(built)) == release_of(STAGE.overrides)


def test_lane_whose_deployment_failed_is_published_anew(
    main_stack: Queues, built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add()
    failed = described(built)

    def describe_failed(cloudformation: Any, name: str) -> dict[str, Any]:
        return {**(find(cloudformation, name) or {}), "StackStatus": "UPDATE_ROLLBACK_COMPLETE"}

    monkeypatch.setattr(command, "find", describe_failed)
    add()

    assert described(built) != failed
    assert Release.read(described(built)) == Release.read(failed)


def test_deployed_lane_is_in_use_and_knows_the_first_lanes_queue(main_stack: Queues) -> None:
    add()

    assert queue_of("lane-1") == main_stack.orders
    assert str(queue_of("lane-2")).endswith("lockstep-lane-2-orders.fifo")


def test_lanes_addresses_are_those_that_keys_may_be_bound_to(main_stack_with_network: Queues) -> None:
    add(network={})
    add("lane-3")

    assert EgressLane.addresses() == {"lane-1": "203.0.113.1", "lane-2": "203.0.113.2"}

    EgressLane("lane-3").update(actions=[EgressLane.address.set("198.51.100.3")])  # by the operator of its network
    assert deploy_all(STAGE, client, run=Sam()) == 0
    assert EgressLane.addresses()["lane-3"] == "198.51.100.3"

    assert remove_lane(STAGE, "lane-2", client) == 0
    assert list(EgressLane.addresses()) == ["lane-1", "lane-3"]


def test_lane_that_would_have_no_address_of_its_own_is_refused(
    main_stack: Queues, capsys: pytest.CaptureFixture[str]
) -> None:
    status, sam = add(network={})

    assert (status, sam.commands, queue_of("lane-2")) == (1, [], None)
    assert "FixedEgress=true" in capsys.readouterr().err


def test_lane_whose_deployment_fails_is_not_in_use(main_stack: Queues) -> None:
    status, _ = add(failing="deploy")

    assert (status, queue_of("lane-2")) == (1, None)


def test_deployment_takes_every_lane_along_and_keeps_its_network(main_stack: Queues) -> None:
    add("lane-2")
    add("lane-3", {"SubnetIds": "subnet-c", "SecurityGroupIds": "sg-3"})
    sam = Sam()

    assert deploy_all(STAGE, client, run=sam) == 0

    assert [one[1] for one in sam.commands] == ["build", "deploy", "deploy"]
    assert [sam.values(number)["LaneName"] for number in (1, 2)] == ["lane-2", "lane-3"]
    assert [sam.values(number)["SubnetIds"] for number in (1, 2)] == ["subnet-a,subnet-b", "subnet-c"]


def test_deployment_without_further_lanes_builds_none(main_stack: Queues) -> None:
    sam = Sam()

    assert deploy_all(STAGE, client, run=sam) == 0
    assert sam.commands == []


def test_removed_lane_gets_no_orders_at_once_and_its_stack_goes_when_none_waits(
    main_stack: Queues, capsys: pytest.CaptureFixture[str]
) -> None:
    add()
    url = str(queue_of("lane-2"))
    aws_client("sqs").send_message(QueueUrl=url, MessageBody="{}", MessageGroupId="g", MessageDeduplicationId="d")

    assert remove_lane(STAGE, "lane-2", client) == 1
    assert queue_of("lane-2") is None
    assert "1 message(s) wait" in capsys.readouterr().out
    assert "lockstep-lane-2" in stacks()

    main_stack.taken_from(url)
    assert remove_lane(STAGE, "lane-2", client) == 0
    assert "lockstep-lane-2" not in stacks()


def dead_letters() -> list[str]:
    urls: list[str] = aws_client("sqs").list_queues(QueueNamePrefix="lockstep-lane-2-").get("QueueUrls", [])
    return [url for url in urls if url.endswith("-dead-letters.fifo")]


def test_removed_lane_leaves_nothing_that_a_new_lane_of_its_name_would_meet(main_stack: Queues) -> None:
    add()
    (url,) = dead_letters()
    assert remove_lane(STAGE, "lane-2", client) == 0
    assert dead_letters() == []
    assert url


def test_lane_is_not_removed_while_its_dead_letters_can_still_be_redriven(
    main_stack: Queues, capsys: pytest.CaptureFixture[str]
) -> None:
    add()
    (url,) = dead_letters()
    aws_client("sqs").send_message(QueueUrl=url, MessageBody="{}", MessageGroupId="g", MessageDeduplicationId="d")

    assert remove_lane(STAGE, "lane-2", client) == 1
    assert queue_of("lane-2") is None
    assert "lockstep-lane-2" in stacks()
    assert "1 message(s) wait in its dead letters" in capsys.readouterr().out

    main_stack.taken_from(url)
    assert remove_lane(STAGE, "lane-2", client) == 0
    assert dead_letters() == []


def test_dead_letters_of_a_lane_that_was_deleted_otherwise_are_told_and_can_be_removed(
    main_stack: Queues, capsys: pytest.CaptureFixture[str]
) -> None:
    add()
    aws_client("cloudformation").delete_stack(StackName="lockstep-lane-2")

    status, sam = add()
    assert (status, sam.commands) == (1, [])
    assert "lockstep-lane-2-orders-dead-letters.fifo" in capsys.readouterr().err

    assert remove_lane(STAGE, "lane-2", client) == 0
    assert dead_letters() == []
    assert remove_lane(STAGE, "lane-2", client) == 1


class FailedAtCreation:
    """CloudFormation, in which the first deployment of lane-2 has failed: its stack has no outputs."""

    def __init__(self) -> None:
        self.there = True

    def __getattr__(self, name: str) -> Any:
        return getattr(aws_client("cloudformation"), name)

    def describe_stacks(self, **request: str) -> Any:
        if request.get("StackName") != "lockstep-lane-2" or not self.there:
            return aws_client("cloudformation").describe_stacks(**request)
        parameters = [{"ParameterKey": name, "ParameterValue": value} for name, value in NETWORK.items()]
        return {
            "Stacks": [{"StackName": "lockstep-lane-2", "StackStatus": "ROLLBACK_COMPLETE", "Parameters": parameters}]
        }

    def delete_stack(self, *, StackName: str) -> None:  # noqa: N803 - CloudFormation's own name
        assert StackName == "lockstep-lane-2"
        self.there = False


@pytest.fixture
def failed_at_creation(main_stack: Queues) -> tuple[FailedAtCreation, Client]:
    cloudformation = FailedAtCreation()
    return cloudformation, lambda service: cloudformation if service == "cloudformation" else client(service)


def test_lane_whose_first_deployment_failed_is_deleted_and_made_again(
    failed_at_creation: tuple[FailedAtCreation, Client],
) -> None:
    cloudformation, clients = failed_at_creation
    sam = Sam()

    assert deploy_lane(STAGE, "lane-2", clients, network={}, run=sam) == 0

    assert not cloudformation.there
    assert sam.values(-1)["SubnetIds"] == NETWORK["SubnetIds"]
    assert queue_of("lane-2") is not None


def test_lane_whose_first_deployment_failed_can_be_removed(
    failed_at_creation: tuple[FailedAtCreation, Client],
) -> None:
    cloudformation, clients = failed_at_creation

    assert remove_lane(STAGE, "lane-2", clients) == 0
    assert not cloudformation.there


def stacks() -> list[str]:
    return [one["StackName"] for one in aws_client("cloudformation").describe_stacks()["Stacks"]]


@pytest.mark.parametrize("name", ["", "lane-1", "lane-02", "lane-18", "other", "lane-2; rm"])
def test_name_that_no_further_lane_may_have_is_refused(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    sam = Sam()

    assert command.main(["prod"], {"NAME": name}, run=sam) == 2
    assert sam.commands == []
    assert "NAME=lane-2" in capsys.readouterr().err
