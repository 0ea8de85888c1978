"""The rights that the template grants, compared with the reviewed list of docs/rights.yaml."""

from __future__ import annotations

import pytest

from local.stack.deploy import read_template
from tests.unit.function_rights import (
    Right,
    granted,
    granted_by_policy,
    granted_to_others,
    listed,
    listed_for_others,
    policies_of,
    reviewed,
    shared_rights,
)
from tests.unit.transformed_template import of_type

RESOURCES = read_template()["Resources"]
FUNCTIONS = sorted(name for name, one in RESOURCES.items() if one["Type"] == "AWS::Serverless::Function")
POLICIES = sorted(name for name, one in RESOURCES.items() if one["Type"] == "AWS::IAM::ManagedPolicy")

WITHOUT_RESOURCES = {
    # Actions without a resource type in AWS's Service Authorization Reference ("Actions, resources, and condition keys
    # for" each service): AWS denies them where a statement names a resource.
    "cloudwatch:GetMetricData",
    "cloudwatch:GetMetricStatistics",
    "cloudwatch:ListMetrics",
    "cloudwatch:PutMetricData",
    "dynamodb:DescribeLimits",
    "dynamodb:ListBackups",
    "dynamodb:ListExports",
    "dynamodb:ListImports",
    "dynamodb:ListStreams",
    "dynamodb:ListTables",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "kms:ListKeys",
    "lambda:ListFunctions",
    "sts:GetCallerIdentity",
}


def told(rights: set[Right]) -> list[str]:
    return sorted(f"{action} on {resource}" for action, resource in rights)


def test_the_list_names_the_functions_of_the_template() -> None:
    assert sorted(listed()) == FUNCTIONS


@pytest.mark.parametrize("function", FUNCTIONS)
def test_function_has_the_rights_of_the_list_and_no_others(function: str) -> None:
    wanted, given = listed().get(function, set()), granted()[function]
    assert told(given - wanted) == [], f"{function} may do what docs/rights.yaml does not list"
    assert told(wanted - given) == [], f"{function} lacks what docs/rights.yaml lists"


def test_every_other_role_has_the_rights_of_the_list_and_no_others() -> None:
    assert {role: told(rights) for role, rights in granted_to_others().items()} == {
        role: told(rights) for role, rights in listed_for_others().items()
    }


@pytest.mark.parametrize("policy", POLICIES)
def test_what_many_functions_may_is_listed(policy: str) -> None:
    assert told(granted_by_policy(policy)) == told(shared_rights(policy))


@pytest.mark.parametrize("function", FUNCTIONS)
def test_functions_in_a_network_alone_may_use_it(function: str) -> None:
    network = {"UseNetwork"} if "VpcConfig" in of_type("AWS::Lambda::Function")[function] else set()
    assert policies_of(function) == {"WriteLogs"} | network


def test_rights_on_networks_are_denied_to_the_code_of_functions() -> None:
    allowed, denied = of_type("AWS::IAM::ManagedPolicy")["UseNetwork"]["PolicyDocument"]["Statement"]
    assert (denied["Effect"], denied["Action"], denied["Resource"]) == ("Deny", allowed["Action"], ["*"])
    # Only requests of a function's code carry the function.
    assert denied["Condition"] == {"Null": {"lambda:SourceFunctionArn": "false"}}


def test_wildcards_stand_only_where_the_list_gives_a_reason() -> None:
    every = set().union(*granted().values(), *granted_to_others().values(), *map(granted_by_policy, POLICIES))
    assert [action for action, _ in every if "*" in action] == []
    reasons = reviewed()["wildcards"]
    assert {(action, resource) for action, resource in every if "*" in resource} == {
        (action, resource) for resource, actions in reasons.items() for action in actions
    }
    assert all(reason.strip() for actions in reasons.values() for reason in actions.values())


def test_actions_without_a_resource_type_are_granted_on_everything() -> None:
    every = set().union(*granted().values(), *granted_to_others().values(), *map(granted_by_policy, POLICIES))
    without = {(action, resource) for action, resource in every if action in WITHOUT_RESOURCES}
    assert {"cloudwatch:GetMetricData", "dynamodb:ListExports", "dynamodb:ListStreams"} <= {one for one, _ in without}
    assert told({(action, resource) for action, resource in without if resource != "*"}) == []


def test_actions_that_no_test_of_the_stack_uses_are_listed_ones_with_a_reason() -> None:
    for function, reasons in reviewed()["not used by tests"].items():
        assert set(reasons) <= {action for action, _ in listed()[function]}, function
        assert all(reason.strip() for reason in reasons.values()), function
