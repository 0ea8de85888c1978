from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from inspect import signature
from pathlib import Path
from typing import Any

import pytest
import yaml

from local.deployment import deploy as command
from local.deployment.build import build
from local.deployment.deploy import deploy
from local.deployment.releases import Release, release_of
from local.deployment.stages import Stage, read_stage
from local.deployment.versions import Function, Version
from local.stack.deploy import read_template
from tests.unit.deployment.sam_parameters import read_by_sam


class Tools:
    """Keeps the commands that would have run, and fails those of one kind."""

    def __init__(self, failing: str = "") -> None:
        self.commands: list[str] = []
        self.parameters: list[dict[str, str]] = []
        self._failing = failing

    def __call__(self, arguments: Sequence[str]) -> int:
        line = " ".join(arguments[1:])
        self.commands.append(line)
        self.parameters.append(read_by_sam(arguments))
        return 1 if self._failing and line.startswith(self._failing) else 0


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """A built template, of which the release is not written yet."""
    path = tmp_path / "template.yaml"
    path.write_text("{Globals: {Function: {Description: release none}}, Resources: {}}", encoding="utf-8")
    return path


def shown(release: str, parameters: Mapping[str, str]) -> bool:
    """Be a stack that has what was deployed, as after changes that nobody declines."""
    return True


def description(built: Path) -> str:
    return str(yaml.safe_load(built.read_text(encoding="utf-8"))["Globals"]["Function"]["Description"])


def test_deployed_functions_say_their_release(built: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stage = read_stage("prod")
    assert deploy(stage, first=False, run=Tools(), has=shown, built=built) == 0
    release = release_of(stage.overrides)
    assert Release.read(description(built)) == release
    assert capsys.readouterr().out == f"release {release.name}\n"


def test_first_deployment_turns_deletion_protection_on_in_a_second_round(built: Path) -> None:
    tools = Tools()
    assert deploy(read_stage("prod"), first=True, run=tools, has=shown, built=built) == 0
    assert tools.commands[0].startswith(f"deploy --config-env prod --template-file {built} --parameter-overrides ")
    first, second = tools.parameters
    assert (first["Retained"], second["Retained"]) == ("false", "true")
    assert {**first, "Retained": "true"} == second


def test_deployment_names_every_parameter_so_that_no_earlier_value_stays(built: Path) -> None:
    known = read_stage("prod")
    stage = Stage("prod", known.stack_name, known.region, {"Stage": "prod", "AlarmEmail": "ops@example.com"})
    tools = Tools()
    assert deploy(stage, first=False, run=tools, has=shown, built=built) == 0
    (given,) = tools.parameters
    assert set(given) == set(read_template()["Parameters"])
    assert given["AlarmEmail"] == "ops@example.com"
    # What has left samconfig.toml returns to the template's default, an empty one too.
    assert given["Retained"] == "true"
    assert given["SecretsWithoutKind"] == "false"
    assert given["WebhookDomainName"] == ""
    assert given["DirectWebhookCalls"] == "allowed"


def test_stage_without_protection_stays_without_it(built: Path) -> None:
    tools = Tools()
    assert deploy(read_stage("dev"), first=True, run=tools, has=shown, built=built) == 0
    assert [one["Retained"] for one in tools.parameters] == ["false", "false"]


def test_protection_is_not_tried_after_a_deployment_that_failed(built: Path) -> None:
    tools = Tools("deploy")
    assert deploy(read_stage("prod"), first=True, run=tools, has=shown, built=built) == 1
    assert len(tools.commands) == 1


@pytest.mark.parametrize("accepted", [0, 1])
def test_changes_that_the_operator_declines_end_the_deployment(
    built: Path, capsys: pytest.CaptureFixture[str], accepted: int
) -> None:
    tools = Tools()

    def has(release: str, parameters: Mapping[str, str]) -> bool:
        return len(tools.commands) <= accepted

    assert deploy(read_stage("prod"), first=True, run=tools, has=has, built=built) == 1
    assert len(tools.commands) == accepted + 1
    assert capsys.readouterr().err.startswith("declined: lockstep stays as it is")


class Declined:
    """Answers as CloudFormation and Lambda do after declined changes: of a new stack, or of a deployed one."""

    def __init__(self, status: str, *, retained: str = "true", release: Release | None = None) -> None:
        self._stack = {
            "StackName": "lockstep",
            "StackStatus": status,
            "Parameters": [{"ParameterKey": "Retained", "ParameterValue": retained}],
        }
        self._release = release

    def __call__(self, service: str) -> Any:
        return self

    def describe_stacks(self, **_: str) -> Any:
        return {"Stacks": [self._stack]}

    def get_paginator(self, operation: str) -> Any:
        return self if operation == "list_stack_resources" else Pages([{"Versions": [self._version]}])

    def paginate(self, **_: str) -> Any:
        version = {
            "ResourceType": "AWS::Lambda::Version",
            "ResourceStatus": "CREATE_COMPLETE",
            "PhysicalResourceId": "arn:aws:lambda:eu-central-1:123456789012:function:f:1",
        }
        return [{"StackResourceSummaries": [version] if self._release else []}]

    @property
    def _version(self) -> dict[str, str]:
        return {"Version": "1", "Description": self._release.describe() if self._release else ""}

    def get_alias(self, **_: str) -> Any:
        return {"FunctionVersion": "1"}


class Pages:
    """A paginator that has these pages."""

    def __init__(self, pages: list[Any]) -> None:
        self._pages = pages

    def paginate(self, **_: str) -> list[Any]:
        return self._pages


@pytest.mark.parametrize(
    ("account", "has"),
    [
        (Declined("REVIEW_IN_PROGRESS"), False),
        (Declined("CREATE_COMPLETE", retained="false", release=Release("aaaaaaaaaaaa")), False),
        (Declined("UPDATE_COMPLETE", release=Release("bbbbbbbbbbbb")), False),
        (Declined("UPDATE_COMPLETE", release=Release("aaaaaaaaaaaa")), True),
    ],
    ids=["first deployment", "protection from deletion", "another release", "accepted"],
)
def test_stack_shows_whether_its_changes_were_declined(account: Declined, *, has: bool) -> None:
    assert command.has_release(read_stage("prod"), account, "aaaaaaaaaaaa", {"Retained": "true"}) == has


def test_build_that_fails_is_not_compiled(capsys: pytest.CaptureFixture[str]) -> None:
    assert build(run=Tools("build")) == 1
    assert capsys.readouterr().err == ""


def test_machine_without_credentials_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: object
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", f"{tmp_path}/none")
    monkeypatch.setenv("AWS_CONFIG_FILE", f"{tmp_path}/none")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    tools = Tools()
    assert command.main(["prod"], run=tools) == 1
    assert tools.commands == []
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("\n") == 1
    assert "AWS_PROFILE" in told.err


@pytest.mark.parametrize("program", ["deploy", "edge", "lane", "preflight", "reseal", "restore", "rollback", "smoke"])
def test_profile_that_does_not_exist_is_told_in_one_line_by_every_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, program: str
) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", f"{tmp_path}/none")
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    main = import_module(f"local.deployment.{program}").main
    environment = {"NAME": "lane-2", "TABLE": "users", "TIME": "2026-11-29T18:00:00Z"}
    takes_environment = "environment" in signature(main).parameters
    assert main(["prod"], *([environment] if takes_environment else [])) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("\n") == 1
    assert "aws configure list-profiles" in told.err


@pytest.mark.parametrize("arguments", [[], ["staging"]])
def test_stage_that_is_not_known_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    tools = Tools()
    assert command.main(arguments, run=tools) == 2
    assert tools.commands == []
    assert "STAGE=dev or STAGE=prod" in capsys.readouterr().err


@pytest.mark.parametrize(("deployed", "tried"), [(0, ["prod"]), (1, None)])
def test_stage_is_tried_once_it_is_deployed(
    deployed: int, tried: list[str] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[str]] = []

    def smoke(arguments: list[str], _: object) -> int:
        seen.append(arguments)
        return 3

    monkeypatch.setattr(command, "open_account", lambda _: (read_stage("prod"), None, "UPDATE_COMPLETE"))
    monkeypatch.setattr(command, "check", lambda *_, **__: [])
    monkeypatch.setattr(command, "deploy_everything", lambda *_, **__: deployed)
    monkeypatch.setattr("local.deployment.smoke.main", smoke)

    assert command.main(["prod"], run=Tools()) == (3 if tried else 1)
    assert seen == ([tried] if tried else [])


class Steps:
    """The order of what `make deploy` does for a stage; the step `failing` fails."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, failing: str = "", status: str = "UPDATE_COMPLETE") -> None:
        self.done: list[str] = []

        def step(name: str) -> Callable[..., int]:
            def run(*_: object, **__: object) -> int:
                self.done.append(name)
                return int(name == failing)

            return run

        monkeypatch.setattr(command, "read_restored", lambda *_: {})
        monkeypatch.setattr(command, "edge_clients", lambda _: None)
        monkeypatch.setattr(command, "functions_of", lambda *_: [])
        monkeypatch.setattr(command, "stack_status", lambda *_: status)
        for name in ("build", "deploy", "deploy_edge", "deploy_all", "settle_versions", "tidy_after_failure"):
            monkeypatch.setattr(command, name, step(name))

    def run(self, **overrides: str) -> int:
        """Deploy everything, with these parameters of the stage."""
        known = read_stage("prod")
        stage = Stage("prod", known.stack_name, known.region, {**known.overrides, **overrides})
        return command.deploy_everything(stage, lambda _: None, first=False, run=Tools())


@pytest.mark.parametrize(("called", "at_once"), [(1, True), (2, False)])
def test_calls_move_at_once_after_a_rollback(monkeypatch: pytest.MonkeyPatch, called: int, *, at_once: bool) -> None:
    versions = tuple(Version(number, None, "") for number in (2, 1))
    function = Function("f", versions, live=versions[2 - called], deployed=2)
    steps = Steps(monkeypatch)
    monkeypatch.setattr(command, "functions_of", lambda *_: [function])
    asked: list[object] = []

    def deploy(*_: object, **how: object) -> int:
        asked.append(how["at_once"])
        return 0

    monkeypatch.setattr(command, "deploy", deploy)
    assert steps.run() == 0
    assert asked == [at_once]


def test_deployment_knows_how_the_last_one_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = Steps(monkeypatch, status="UPDATE_ROLLBACK_COMPLETE")
    asked: list[object] = []

    def deploy(*_: object, **how: object) -> int:
        asked.append(how["status"])
        return 0

    monkeypatch.setattr(command, "deploy", deploy)
    assert steps.run() == 0
    assert asked == ["UPDATE_ROLLBACK_COMPLETE"]


@pytest.mark.parametrize(("status", "differs"), [("UPDATE_ROLLBACK_COMPLETE", True), ("UPDATE_COMPLETE", False)])
def test_release_whose_deployment_failed_is_published_anew(built: Path, status: str, *, differs: bool) -> None:
    stage = read_stage("prod")
    assert deploy(stage, first=False, run=Tools(), has=shown, built=built) == 0
    failed = description(built)
    assert deploy(stage, first=False, run=Tools(), has=shown, built=built, status=status) == 0
    assert (description(built) != failed) == differs
    assert Release.read(description(built)) == Release.read(failed) == release_of(stage.overrides)


@pytest.mark.parametrize(("at_once", "gradual"), [(True, "false"), (False, "true")])
def test_deployment_at_once_is_not_gradual_and_is_the_same_release(built: Path, gradual: str, *, at_once: bool) -> None:
    tools, stage = Tools(), read_stage("prod")
    assert deploy(stage, first=False, run=tools, has=shown, built=built, at_once=at_once) == 0
    assert [one["GradualDeployment"] for one in tools.parameters] == [gradual]
    assert Release.read(description(built)) == release_of(stage.overrides)


def test_cloudfront_follows_the_functions_that_it_forwards_to(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = Steps(monkeypatch)
    assert steps.run(WebhookDomainName="hooks.example.com") == 0
    assert steps.done == ["build", "deploy", "deploy_all", "deploy_edge", "settle_versions"]


@pytest.mark.parametrize(
    ("failing", "last"), [("deploy_all", "tidy_after_failure"), ("deploy_edge", "settle_versions")]
)
def test_lanes_and_cloudfront_wait_for_each_others_failures_no_longer_than_to_be_told(
    monkeypatch: pytest.MonkeyPatch, failing: str, last: str
) -> None:
    steps = Steps(monkeypatch, failing=failing)
    assert steps.run(WebhookDomainName="hooks.example.com") == 1
    assert steps.done == ["build", "deploy", "deploy_all", "deploy_edge", last]


def test_stage_without_a_domain_for_webhooks_gets_no_cloudfront(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = Steps(monkeypatch)
    assert steps.run() == 0
    assert "deploy_edge" not in steps.done


@pytest.mark.parametrize(("failing", "after"), [("build", []), ("deploy", ["tidy_after_failure"])])
def test_no_deployment_follows_a_step_that_failed(
    monkeypatch: pytest.MonkeyPatch, failing: str, after: list[str]
) -> None:
    steps = Steps(monkeypatch, failing=failing)
    assert steps.run(WebhookDomainName="hooks.example.com") == 1
    assert steps.done[steps.done.index(failing) + 1 :] == after
