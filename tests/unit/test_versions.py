"""Versions of functions, on the template as CloudFormation gets it: what publishes them, and who calls which."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from local.deployment import releases
from local.deployment.releases import Release, name_local_release, release_of, write_release
from local.deployment.restored_tables import as_variable
from local.deployment.rollback import Plan, refusal
from local.stack.deploy import read_template
from local.stack.places import ROOT, Places, Ports
from tests.unit.transformed_template import ALIAS, of_type, transformed

TEMPLATES = ["template.yaml", "lane.yaml"]
BOTH = pytest.mark.parametrize("template", TEMPLATES)


def resources_of(kind: str, template: str, **changes: Any) -> dict[str, dict[str, Any]]:
    found = transformed(template, **changes)["Resources"]
    return {name: one for name, one in found.items() if one["Type"] == kind}


@cache
def versions(template: str, changed: str = "", *, description: str = "release none") -> dict[str, str]:
    """Return the logical id of each function's version, with one artefact changed; another id is another version."""
    artefacts = {changed: "s3://artefacts/changed"}
    found = resources_of("AWS::Lambda::Version", template, artefacts=artefacts, description=description)
    return {one["Properties"]["FunctionName"]["Ref"]: name for name, one in found.items()}


def republished(before: Mapping[str, str], after: Mapping[str, str]) -> set[str]:
    return {name for name in before if before[name] != after[name]}


@BOTH
def test_each_function_has_an_alias_of_its_published_version(template: str) -> None:
    published = versions(template)
    assert set(published) == set(resources_of("AWS::Lambda::Function", template))
    aliases = {
        one["Properties"]["FunctionName"]["Ref"]: one["Properties"]
        for one in resources_of("AWS::Lambda::Alias", template).values()
    }
    assert {name: one["FunctionVersion"]["Fn::GetAtt"] for name, one in aliases.items()} == {
        name: [version, "Version"] for name, version in published.items()
    }
    assert {one["Name"] for one in aliases.values()} == {"live"}


@BOTH
def test_a_change_of_shared_code_alone_publishes_every_function(template: str) -> None:
    before, after = versions(template), versions(template, "SharedLayer")
    assert republished(before, after) == set(before)


@BOTH
def test_a_changed_package_of_the_exchange_publishes_the_functions_that_ask_it(template: str) -> None:
    before, after = versions(template), versions(template, "ExchangeLayer")
    functions = resources_of("AWS::Lambda::Function", template)
    asking = {name for name, one in functions.items() if "ExchangeLayer" in str(one["Properties"]["Layers"])}
    assert asking
    assert republished(before, after) == asking


@BOTH
def test_a_function_whose_code_changes_alone_is_published_alone(template: str) -> None:
    before, after = versions(template), versions(template, "OrderExecutor")
    assert republished(before, after) == {"OrderExecutor"}


@BOTH
def test_a_parameter_that_changes_alone_publishes_every_function(template: str) -> None:
    quiet, loud = release_of({"LogLevel": "INFO"}), release_of({"LogLevel": "DEBUG"})
    before, after = (versions(template, description=one.describe()) for one in (quiet, loud))
    assert republished(before, after) == set(before)
    assert release_of({"LogLevel": "INFO"}) == quiet


def test_a_lanes_own_settings_publish_it_without_another_release() -> None:
    release = release_of({})
    first, second = release.describe({"SubnetIds": "subnet-1"}), release.describe({"SubnetIds": "subnet-2"})
    assert first != second
    assert Release.read(first) == Release.read(second) == release


@BOTH
@pytest.mark.parametrize("restored", [{}, {"users": "lockstep-users-20261129T180000"}], ids=["new", "restored"])
def test_a_stack_of_make_run_names_its_release_and_keeps_its_tables(
    template: str, restored: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(releases, "client", lambda service, places: None)
    monkeypatch.setattr(releases, "find", lambda *_: {} if restored else None)
    monkeypatch.setattr(releases, "read_restored", lambda *_: restored)
    built = tmp_path / template
    shutil.copyfile(ROOT / template, built)
    with name_local_release(built, Places(Ports(3000))) as copy:
        named = copy.read_text(encoding="utf-8")
    assert release_of({}, restored).describe() in named
    assert f"RESTORED_TABLES: {as_variable(restored)}" in named
    assert list(tmp_path.iterdir()) == [built]
    assert built.read_bytes() == (ROOT / template).read_bytes()


def test_a_version_names_its_release_and_the_formats_that_it_knows() -> None:
    release = Release("0123456789ab", messages=3, records=2)
    assert Release.read(release.describe()) == release
    assert Release.read("release none") is None


@BOTH
def test_a_built_template_gets_the_release_and_loses_nothing(template: str, tmp_path: Path) -> None:
    built = tmp_path / "template.yaml"
    built.write_text((ROOT / template).read_text(encoding="utf-8"), encoding="utf-8")

    write_release(built, "release 0123456789ab, messages 1, records 1", {})

    wanted = read_template(template)
    assert wanted["Globals"]["Function"]["Description"] == "release none"
    wanted["Globals"]["Function"]["Description"] = "release 0123456789ab, messages 1, records 1"
    assert read_template(str(built)) == wanted


def called(value: Any) -> set[str]:
    """Return the functions and aliases that a value refers to, by logical id."""
    functions = set(of_type("AWS::Lambda::Function"))
    match value:
        case {"Ref": str(name)} | {"Fn::GetAtt": [str(name), *_]}:
            return {name} if name.removesuffix(ALIAS) in functions else set()
        case {"Fn::Sub": str(text)}:
            return {name for name in re.findall(r"\$\{(\w+)", text) if name.removesuffix(ALIAS) in functions}
        case dict():
            return set().union(*map(called, value.values()))
        case list():
            return set().union(*map(called, value))
    return set()


@pytest.mark.parametrize(
    "kind",
    [
        "AWS::Lambda::EventSourceMapping",
        "AWS::Lambda::Url",
        "AWS::Lambda::Permission",
        "AWS::Events::Rule",
        "AWS::ApiGateway::RestApi",
        "AWS::Cognito::UserPool",
    ],
)
def test_whatever_calls_a_function_calls_its_alias(kind: str) -> None:
    references = called(list(of_type(kind).values()))
    assert references
    assert {name for name in references if not name.endswith(ALIAS)} == set()


def test_names_of_functions_for_operators_are_those_of_aliases() -> None:
    outputs = {name: one for name, one in transformed()["Outputs"].items() if called(one["Value"])}
    assert outputs
    assert {name for name, one in outputs.items() if not one["Value"].get("Ref", ALIAS).endswith(ALIAS)} == set()


def test_calls_move_to_new_versions_gradually_and_back_at_an_alarm() -> None:
    found = transformed(GradualDeployment="true")["Resources"]
    aliases = {name: one for name, one in found.items() if one["Type"] == "AWS::Lambda::Alias"}
    alarms = {name for name, one in found.items() if one["Type"] == "AWS::CloudWatch::Alarm"}
    for name, alias in aliases.items():
        group = found[alias["UpdatePolicy"]["CodeDeployLambdaAliasUpdate"]["DeploymentGroupName"]["Ref"]]["Properties"]
        watched = [one["Name"]["Ref"] for one in group["AlarmConfiguration"]["Alarms"]]
        assert group["AlarmConfiguration"]["Enabled"], name
        assert set(watched) <= alarms
        # CodeDeploy refuses more.
        assert 0 < len(watched) <= 10
        assert "DEPLOYMENT_STOP_ON_ALARM" in group["AutoRollbackConfiguration"]["Events"]
        assert group["DeploymentConfigName"]["Fn::Sub"][1] == {"ConfigName": "Canary10Percent5Minutes"}
        assert group["ServiceRoleArn"]["Fn::If"][:2] == ["ShiftsGradually", {"Fn::GetAtt": ["DeploymentRole", "Arn"]}]
    assert aliases


def test_alarms_that_move_calls_back_cover_each_function_of_an_alerts_road() -> None:
    watched = read_template()["Globals"]["Function"]["DeploymentPreference"]["Alarms"]
    names = {one["Ref"] for one in watched}
    for function in ("StrategyWebhook", "TriggerFanout", "OrderExecutor", "PositionWatcher"):
        assert f"{function}ErrorsAlarm" in names


def test_nothing_of_a_gradual_deployment_is_made_without_it() -> None:
    found = transformed()
    assert {name for name, one in found["Resources"].items() if "CodeDeploy" in one["Type"]} == set()
    assert found["Resources"]["DeploymentRole"]["Condition"] == "ShiftsGradually"
    assert "UpdatePolicy" not in str(list(of_type("AWS::Lambda::Alias").values()))


def test_a_deployment_may_move_the_stacks_own_aliases_only() -> None:
    (policy,) = of_type("AWS::IAM::Role")["DeploymentRole"]["Policies"]
    move, read = policy["PolicyDocument"]["Statement"]
    assert set(move["Action"]) >= {"lambda:GetAlias", "lambda:UpdateAlias"}
    assert [one["Fn::Sub"].split(":function:")[1] for one in move["Resource"]] == ["${AWS::StackName}-*"]
    assert read["Action"] == ["cloudwatch:DescribeAlarms"]


def test_a_stack_stays_below_the_number_of_resources_that_cloudformation_allows() -> None:
    assert len(transformed(GradualDeployment="true")["Resources"]) <= 480


def test_a_release_of_before_exit_alerts_nets_and_kinds_of_secrets_is_no_way_back() -> None:
    way = Plan(since=Release("b" * 12), to=Release("a" * 12, records=1), moves=(), without=())
    assert "records have version 2, and release aaaaaaaaaaaa knows 1" in refusal(way)
