"""The declarations of lane.yaml, compared with template.yaml: a further lane is what the first one is."""

from __future__ import annotations

import ipaddress
import re
from typing import Any

import pytest

from local.stack.deploy import read_template
from tests.unit.transformed_template import transformed

MAIN, LANE = read_template(), read_template("lane.yaml")
RESOURCES: dict[str, dict[str, Any]] = LANE["Resources"]
OWN_PARAMETERS = {"MainStack", "LaneName", "NetworkPart", "SubnetIds", "SecurityGroupIds", "SourceAddress"}
NOT_NEEDED = {
    # Queues that the executor neither reads nor sends to, and what other functions use.
    *("TRIGGERS_QUEUE_URL", "BALANCES_QUEUE_URL", "IMPORTS_QUEUE_URL", "NOTICES_QUEUE_URL", "REPORTS_QUEUE_URL"),
    *("STRATEGY_REPORTS_QUEUE_URL", "PAGING_KEY_ID", "MAINTENANCE_PARAMETER", "WEB_ORIGIN"),
}
TABLE_ARN = "arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:table/${MainStack}-"
QUEUE_ARN = "arn:${AWS::Partition}:sqs:${AWS::Region}:${AWS::AccountId}:${MainStack}-"


def executor(template: dict[str, Any]) -> dict[str, Any]:
    properties: dict[str, Any] = template["Resources"]["OrderExecutor"]["Properties"]
    return properties


def statements(template: dict[str, Any]) -> list[dict[str, Any]]:
    (policy,) = template["Resources"]["OrderExecutorRole"]["Properties"]["Policies"]
    found: list[dict[str, Any]] = policy["PolicyDocument"]["Statement"]
    return found


def as_in_a_lane(resource: Any) -> Any:
    """Return a resource of a policy of template.yaml as lane.yaml names it: by the stack's name, or by an export."""
    match resource:
        case {"Fn::GetAtt": [name, "Arn"]} if name.endswith("Table"):
            return {"Fn::Sub": TABLE_ARN + table_name(name)}
        case {"Fn::GetAtt": [("KeysQueue" | "ReconcileQueue" | "OrdersQueue") as name, "Arn"]}:
            queue: str = MAIN["Resources"][name]["Properties"]["QueueName"]["Fn::Sub"]
            return {"Fn::Sub": queue.replace("${AWS::StackName}-", QUEUE_ARN)}
        case {"Fn::Sub": str(text)} if table := re.fullmatch(r"\$\{(\w+)\.Arn\}(/index/.+)", text):
            return {"Fn::Sub": TABLE_ARN + table_name(table[1]) + table[2]}
        case {"Fn::Sub": str(text)}:
            return {"Fn::Sub": text.replace("${AWS::StackName}", "${MainStack}")}
    raise AssertionError(resource)


def table_name(resource: str) -> str:
    name: str = MAIN["Resources"][resource]["Properties"]["TableName"]["Fn::Sub"]
    return name.removeprefix("${AWS::StackName}-")


def imported(export: str) -> dict[str, Any]:
    return {"Fn::ImportValue": {"Fn::Sub": f"${{MainStack}}-{export}"}}


def imports(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = {value["Fn::ImportValue"]["Fn::Sub"]} if "Fn::ImportValue" in value else set()
        return own.union(*map(imports, value.values()))
    return set().union(*map(imports, value)) if isinstance(value, list) else set()


def test_what_a_lane_imports_is_exported_under_the_stacks_name() -> None:
    exported = {output["Export"]["Name"]["Fn::Sub"] for output in MAIN["Outputs"].values() if "Export" in output}

    assert {name.replace("${MainStack}", "${AWS::StackName}") for name in imports(LANE)} == exported


def test_executors_of_all_lanes_may_do_the_same() -> None:
    # What the main stack's roles may do with the key stands in the key's policy.
    main, lane = statements(MAIN), [one for one in statements(LANE) if not is_about_keys(one)]

    assert [one["Sid"] for one in lane] == [one["Sid"] for one in main]
    for ours, first in zip(lane, main, strict=True):
        wanted = list(map(as_in_a_lane, first["Resource"]))
        if first["Sid"] in {"HastenRetries", "TakeMessages"}:
            wanted = [{"Fn::GetAtt": ["OrdersQueue", "Arn"]}]  # its own
        assert ours["Action"] == first["Action"]
        assert sorted(map(str, ours["Resource"])) == sorted(map(str, wanted))
        assert ours.get("Condition") == first.get("Condition")


def is_about_keys(statement: dict[str, Any]) -> bool:
    return "kms:Decrypt" in statement.get("Fn::If", [None, statement])[1]["Action"]


def test_executors_of_all_lanes_open_the_same_secrets() -> None:
    (own, without_kind) = [one for one in statements(LANE) if is_about_keys(one)]
    policy = {}
    for one in MAIN["Resources"]["SecretsKey"]["Properties"]["KeyPolicy"]["Statement"]:
        condition, statement = one["Fn::If"][:2] if "Fn::If" in one else (None, one)
        policy[statement["Sid"]] = condition, statement
    for lane_condition, lane, first_sid, lanes_sid in (
        (None, own, "OpenExchangeKeys", "OpenExchangeKeysInLanes"),
        (*without_kind["Fn::If"][:2], "OpenSecretsWithoutKind", "OpenSecretsWithoutKindInLanes"),
    ):
        condition, first = policy[first_sid]
        of_lanes_condition, of_lanes = policy[lanes_sid]
        assert {"Fn::GetAtt": ["OrderExecutorRole", "Arn"]} in first["Principal"]["AWS"]
        assert lane_condition == condition == of_lanes_condition
        assert lane["Action"] == [first["Action"]] == [of_lanes["Action"]]
        assert lane["Resource"] == [imported("SecretsKeyArn")]
        rest = dict(of_lanes["Condition"])
        roles = rest.pop("ArnLike")
        assert lane["Condition"] == first["Condition"] == rest
        # CloudFormation names a role by its stack, its logical id and some random characters.
        name = "${AWS::StackName}-lane-*-OrderExecutorRole-*"
        assert roles == {"aws:PrincipalArn": {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:role/" + name}}


@pytest.mark.parametrize("policy", ["WriteLogs", "UseNetwork"])
def test_what_many_functions_may_is_the_same_in_a_lane(policy: str) -> None:
    main, lane = (template["Resources"][policy]["Properties"] for template in (MAIN, LANE))
    assert lane["PolicyDocument"] == main["PolicyDocument"]
    attached = LANE["Resources"]["OrderExecutorRole"]["Properties"]["ManagedPolicyArns"]
    assert attached == [{"Ref": "WriteLogs"}, {"Fn::If": ["InNetwork", {"Ref": "UseNetwork"}, {"Ref": "AWS::NoValue"}]}]


def test_a_lane_refers_to_nothing_that_is_not_in_its_template() -> None:
    known = LANE["Resources"].keys() | LANE["Parameters"].keys()
    texts = re.findall(r"\$\{(\w+)(?:\.\w+)?\}", str(LANE["Resources"]))
    assert set(texts) <= known


def test_executors_of_all_lanes_run_alike() -> None:
    main, lane = dict(executor(MAIN)), dict(executor(LANE))
    given = MAIN["Globals"]["Function"]
    main |= {name: given[name] for name in ("Runtime", "Architectures", "LoggingConfig")}
    main["Layers"] = [*given["Layers"], *main["Layers"]]

    different = {name for name in main.keys() | lane.keys() if main.get(name) != lane.get(name)}
    assert different == {"Environment", "VpcConfig"}


def test_executors_of_all_lanes_have_the_same_settings() -> None:
    lane = executor(LANE)["Environment"]["Variables"]
    main = MAIN["Globals"]["Function"]["Environment"]["Variables"] | executor(MAIN)["Environment"]["Variables"]

    assert set(main) - NOT_NEEDED == set(lane) - {"SOURCE_ADDRESS"}
    own = {
        "LANE": {"Ref": "LaneName"},
        "TABLE_PREFIX": {"Fn::Sub": "${MainStack}-"},
        "METRICS_NAMESPACE": {"Ref": "MainStack"},
        "RECONCILE_QUEUE_URL": imported("ReconcileQueueUrl"),
        "KEYS_QUEUE_URL": imported("KeysQueueUrl"),
        "SECRETS_KEY_ID": {"Fn::Sub": "alias/${MainStack}-secrets"},
        "SOURCE_ADDRESS": {"Ref": "SourceAddress"},
    }
    assert {name: value for name, value in lane.items() if main.get(name) != value} == own


def test_parameters_that_both_templates_have_are_the_same() -> None:
    assert set(LANE["Parameters"]) - OWN_PARAMETERS <= set(MAIN["Parameters"])
    for name in set(LANE["Parameters"]) - OWN_PARAMETERS:
        assert LANE["Parameters"][name] == MAIN["Parameters"][name]


@pytest.mark.parametrize("name", ["SharedLayer", "DependenciesLayer", "ExchangeLayer", "FunctionLogs"])
def test_lane_has_layers_and_logs_of_its_own(name: str) -> None:
    assert RESOURCES[name] == MAIN["Resources"][name]


@pytest.mark.parametrize("name", ["OrdersQueue", "OrdersDeadLetters"])
def test_queues_of_all_lanes_are_alike_but_for_their_names(name: str) -> None:
    main, lane = dict(MAIN["Resources"][name]["Properties"]), dict(RESOURCES[name]["Properties"])
    first, further = main.pop("QueueName")["Fn::Sub"], lane.pop("QueueName")["Fn::Sub"]

    assert lane == main
    assert further == first.replace("${AWS::StackName}", "${MainStack}-${LaneName}")


def test_lane_has_every_alarm_that_the_first_lanes_queue_and_executor_have() -> None:
    def of_orders(template: dict[str, Any]) -> dict[str, tuple[Any, ...]]:
        alarms = {
            name: resource["Properties"]
            for name, resource in template["Resources"].items()
            if resource["Type"] == "AWS::CloudWatch::Alarm"
        }
        return {
            name: (one["MetricName"], one["Threshold"], one["Period"])
            for name, one in alarms.items()
            if any(f"'{subject}" in str(one.get("Dimensions")) for subject in ("Orders", "OrderExecutor"))
        }

    assert of_orders(LANE) == of_orders(MAIN) != {}
    for name in of_orders(LANE):
        assert RESOURCES[name]["Properties"]["AlarmActions"] == [imported("AlarmsTopicArn")]


def test_transformed_executor_reads_the_lanes_queue_and_has_its_layers() -> None:
    resources = transformed("lane.yaml", LaneName="lane-2")["Resources"]
    executor_of_lane = resources["OrderExecutor"]["Properties"]
    (mapping,) = [one["Properties"] for one in resources.values() if one["Type"] == "AWS::Lambda::EventSourceMapping"]

    assert mapping["EventSourceArn"] == {"Fn::GetAtt": ["OrdersQueue", "Arn"]}
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    made = {name for name, one in resources.items() if one["Type"] == "AWS::Lambda::LayerVersion"}
    assert {layer["Ref"] for layer in executor_of_lane["Layers"]} == made
    assert len(made) == 3


def test_network_is_a_parameter_and_empty_by_default() -> None:
    for name in ("SubnetIds", "SecurityGroupIds"):
        assert LANE["Parameters"][name]["Default"] == ""
    condition, network, without = executor(LANE)["VpcConfig"]["Fn::If"]
    assert condition == "HasNetwork"
    assert network == {"SecurityGroupIds": {"Ref": "SecurityGroupIds"}, "SubnetIds": {"Ref": "SubnetIds"}}
    condition, made, without = without["Fn::If"]
    assert condition == "MakesNetwork"
    assert made == {"SecurityGroupIds": [imported("EgressSecurityGroupId")], "SubnetIds": [{"Ref": "EgressSubnet"}]}
    assert without == {"Ref": "AWS::NoValue"}


def test_lanes_make_subnets_that_overlap_with_no_other() -> None:
    part, cidr = RESOURCES["EgressSubnet"]["Properties"]["CidrBlock"]["Fn::Select"]
    block, count, bits = cidr["Fn::Cidr"]
    subnets = list(ipaddress.IPv4Network(block).subnets(new_prefix=32 - bits))
    network = ipaddress.IPv4Network(MAIN["Resources"]["EgressVpc"]["Properties"]["CidrBlock"])
    taken = [
        ipaddress.IPv4Network(one["Properties"]["CidrBlock"])
        for one in MAIN["Resources"].values()
        if one["Type"] == "AWS::EC2::Subnet"
    ]

    assert part == {"Ref": "NetworkPart"}
    assert len(subnets) == count == LANE["Parameters"]["NetworkPart"]["MaxValue"] + 1
    for subnet in subnets:
        assert network.supernet_of(subnet)
        assert not any(subnet.overlaps(other) for other in taken)


def test_address_of_a_lane_outlives_its_stack() -> None:
    assert RESOURCES["EgressAddress"]["DeletionPolicy"] == "RetainExceptOnCreate"
    assert RESOURCES["EgressNat"]["Properties"]["AllocationId"] == {"Fn::GetAtt": ["EgressAddress", "AllocationId"]}
