"""`make restore`: its waits and failures, and the template of the steps in between."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.deployment import releases
from local.deployment import restore as command
from local.deployment.account import OpenedStack
from local.deployment.preflight import Finding
from local.deployment.restore import NotRestored, Restore, Tools, make_table, read_moment, without_table
from local.deployment.restored_tables import as_variable, read_restored, usual_names, write_names
from local.deployment.stages import Stage, read_stage
from local.stack.deploy import read_template
from local.stack.places import ROOT, Places, Ports
from shared.config import settings
from shared.models.user import User
from tests.environment import environment

MOMENT = datetime(2026, 11, 29, 18, 0, tzinfo=UTC)
WANTED = Restore("lockstep", "UsersTable", "lockstep-users", "lockstep-users-20261129T180000", MOMENT, {})
FIRST = {"TableName": WANTED.source, "TableArn": "arn:first", "TableStatus": "ACTIVE"}
RESTORED = {"TableName": WANTED.target, "TableArn": "arn:restored", "LatestStreamArn": "arn:restored/stream"}


class DynamoDB:
    """Answers as DynamoDB does while it restores a table, which takes several looks."""

    def __init__(self, *statuses: str | None, recovery: dict[str, Any] | None = None) -> None:
        self.asked: list[str] = []
        self._statuses: Iterator[str | None] = iter(statuses)
        self._recovery = recovery or {"PointInTimeRecoveryStatus": "ENABLED"}

    def describe_table(self, **request: str) -> Any:
        if request["TableName"] == WANTED.source:
            return {"Table": FIRST}
        status = next(self._statuses)
        if status is None:
            raise ClientError({"Error": {"Code": "ResourceNotFoundException"}}, "DescribeTable")
        return {"Table": {**RESTORED, "TableStatus": status}}

    def describe_continuous_backups(self, **_: str) -> Any:
        return {"ContinuousBackupsDescription": {"PointInTimeRecoveryDescription": self._recovery}}

    def describe_time_to_live(self, **_: str) -> Any:
        return {"TimeToLiveDescription": {"TimeToLiveStatus": "DISABLED"}}

    def list_tags_of_resource(self, **_: str) -> Any:
        return {"Tags": [{"Key": "aws:cloudformation:stack-name", "Value": "lockstep"}]}

    def __getattr__(self, name: str) -> Any:
        def ask(**request: Any) -> Any:
            self.asked.append(name)
            return request

        return ask


def tools(dynamodb: Any, told: list[str] | None = None) -> Tools:
    return Tools(lambda _: dynamodb, "bucket", lambda: 0, write=(told or []).append, pause_s=0)


def test_table_is_waited_for_until_it_is_active() -> None:
    dynamodb = DynamoDB(None, "CREATING", "CREATING", *["ACTIVE"] * 9)

    assert make_table(WANTED, tools(dynamodb))["TableStatus"] == "ACTIVE"

    assert dynamodb.asked.count("restore_table_to_point_in_time") == 1
    # Tags of AWS's own cannot be set.
    assert "tag_resource" not in dynamodb.asked


def test_second_run_restores_no_second_time() -> None:
    dynamodb = DynamoDB("CREATING", "CREATING", *["ACTIVE"] * 9)
    make_table(WANTED, tools(dynamodb))
    assert "restore_table_to_point_in_time" not in dynamodb.asked


def test_restore_that_fails_is_told() -> None:
    with pytest.raises(NotRestored, match="is gone: the restore failed"):
        make_table(WANTED, tools(DynamoDB(None, "CREATING", None)))


def test_restore_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "_MAX_RESTORE_S", -1)
    with pytest.raises(NotRestored, match="run this again later"):
        make_table(WANTED, tools(DynamoDB(None, *["CREATING"] * 9)))


@pytest.mark.parametrize(
    ("recovery", "reason"),
    [
        ({"PointInTimeRecoveryStatus": "DISABLED"}, "has no point-in-time recovery"),
        (
            {
                "PointInTimeRecoveryStatus": "ENABLED",
                "EarliestRestorableDateTime": datetime(2026, 11, 29, 18, 1, tzinfo=UTC),
                "LatestRestorableDateTime": datetime(2026, 11, 29, 19, 0, tzinfo=UTC),
            },
            "TIME must be from 2026-11-29T18:01:00Z to 2026-11-29T19:00:00Z",
        ),
    ],
)
def test_time_that_cannot_be_restored_is_refused_before_anything_is_made(recovery: dict[str, Any], reason: str) -> None:
    dynamodb = DynamoDB(None, recovery=recovery)
    with pytest.raises(NotRestored, match=reason):
        make_table(WANTED, tools(dynamodb))
    assert dynamodb.asked == []


class CloudFormation:
    """Answers with these statuses of a change set and of the stack."""

    def __init__(self, change_set: list[str], stack: list[str]) -> None:
        self._change_set, self._stack = iter(change_set), iter(stack)

    def describe_change_set(self, **_: Any) -> Any:
        return {"Status": next(self._change_set), "StatusReason": "an export is in use"}

    def describe_stacks(self, **_: Any) -> Any:
        return {"Stacks": [{"StackStatus": next(self._stack), "StackStatusReason": "a role was refused"}]}


def test_change_that_cloudformation_refuses_is_told_with_its_reason() -> None:
    cloudformation = CloudFormation(["CREATE_IN_PROGRESS", "FAILED"], [])
    with pytest.raises(NotRestored, match="an export is in use"):
        command._wait_for_change_set(WANTED, "change", cloudformation, tools(None))


def test_change_that_is_taken_back_is_told_with_its_reason() -> None:
    cloudformation = CloudFormation([], ["UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE"])
    with pytest.raises(NotRestored, match="lockstep is UPDATE_ROLLBACK_COMPLETE: a role was refused"):
        command._wait_for_stack(WANTED, cloudformation, tools(None))


def test_change_is_waited_for() -> None:
    cloudformation = CloudFormation(["CREATE_PENDING", "CREATE_COMPLETE"], ["IMPORT_IN_PROGRESS", "IMPORT_COMPLETE"])
    command._wait_for_change_set(WANTED, "change", cloudformation, tools(None))
    command._wait_for_stack(WANTED, cloudformation, tools(None))


def opened(**overrides: str) -> OpenedStack:
    """The stack of stage prod, with these parameters."""
    known = read_stage("prod")
    stage = Stage("prod", known.stack_name, known.region, {**known.overrides, **overrides})
    return OpenedStack(stage.stack_name, lambda _: None, stage=stage)


class Account:
    """What the account of a stage says to a restore: when secrets were resealed, and what stands against deploying."""

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        *,
        resealed_at: datetime | None = None,
        findings: tuple[Finding, ...] = (),
    ) -> None:
        self.restored: list[Restore] = []
        monkeypatch.setattr(command, "last_resealed", lambda *_: resealed_at)
        monkeypatch.setattr(command, "stack_status", lambda *_: "UPDATE_COMPLETE")
        monkeypatch.setattr(command, "check", lambda *_, **__: list(findings))
        monkeypatch.setattr(command, "find", lambda *_: WANTED)
        monkeypatch.setattr(command, "bucket_of", lambda _: "bucket")
        monkeypatch.setattr(command, "restore", lambda wanted, _: self.restored.append(wanted))


def test_restore_is_refused_before_it_begins_where_the_deployment_would_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    account = Account(monkeypatch, findings=(Finding("SES has not verified it", "confirm it"),))
    with pytest.raises(NotRestored, match="nothing is restored yet"):
        command.restore_into(opened(), "users", MOMENT, run=lambda _: 0)
    assert account.restored == []


def test_restore_begins_where_something_is_only_missing_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    account = Account(monkeypatch, findings=(Finding("no e-mails are sent", "give an address", blocks=False),))
    command.restore_into(opened(), "users", MOMENT, run=lambda _: 0)
    assert account.restored == [WANTED]


@pytest.mark.parametrize("table", ["exchange_keys", "strategies"])
def test_secrets_of_before_the_reseal_are_not_restored_where_no_function_could_open_them(
    monkeypatch: pytest.MonkeyPatch, table: str
) -> None:
    account = Account(monkeypatch, resealed_at=MOMENT + timedelta(seconds=1))
    with pytest.raises(NotRestored, match="set SecretsWithoutKind=true"):
        command.restore_into(opened(), table, MOMENT, run=lambda _: 0)
    assert account.restored == []


@pytest.mark.parametrize(
    ("table", "resealed_at", "without_kind"),
    [
        ("exchange_keys", MOMENT + timedelta(days=1), "true"),
        ("exchange_keys", MOMENT, "false"),
        ("exchange_keys", None, "false"),
        ("users", MOMENT + timedelta(days=1), "false"),
    ],
    ids=["functions may open them", "secrets have their kind", "secrets always had their kind", "no secrets"],
)
def test_secrets_that_functions_can_open_are_restored(
    monkeypatch: pytest.MonkeyPatch, table: str, resealed_at: datetime | None, without_kind: str
) -> None:
    account = Account(monkeypatch, resealed_at=resealed_at)
    command.restore_into(opened(SecretsWithoutKind=without_kind), table, MOMENT, run=lambda _: 0)
    assert account.restored == [WANTED]


def test_every_lane_of_this_machine_gets_the_restored_table_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, source in (("BUILT_TEMPLATE", "template.yaml"), ("BUILT_LANE", "lane.yaml")):
        built = tmp_path / source
        shutil.copyfile(ROOT / source, built)
        monkeypatch.setattr(command, name, built)
    deployed: dict[str, str] = {}

    def sam_deploy(_: Places, template: Path, *, stack_name: str, values: object) -> None:
        deployed[stack_name] = template.read_text(encoding="utf-8")

    monkeypatch.setattr(command, "sam_deploy", sam_deploy)
    monkeypatch.setattr(command, "client_of", lambda service, places: None)
    monkeypatch.setattr(command, "lanes_of", lambda *_: ["lane-2", "lane-3"])
    monkeypatch.setattr(command, "paused_lanes", lambda *_, **__: nullcontext())
    monkeypatch.setattr(releases, "client", lambda service, places: None)
    monkeypatch.setattr(releases, "find", lambda *_: {})
    monkeypatch.setattr(releases, "read_restored", lambda *_: {"users": WANTED.target})
    monkeypatch.setattr(Places, "of", lambda _: Places(Ports(3000)))

    assert command.redeploy_local({}) == 0

    assert list(deployed) == ["lockstep", "lockstep-lane-2", "lockstep-lane-3"]
    for template in deployed.values():
        assert f"RESTORED_TABLES: users={WANTED.target}" in template
    # The builds are those of every stack of this machine.
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lane.yaml", "template.yaml"]
    assert "RESTORED_TABLES: none" in (tmp_path / "lane.yaml").read_text(encoding="utf-8")


def test_nothing_of_the_template_names_a_table_that_has_left_it() -> None:
    template = read_template()
    for logical_id in usual_names(template, "lockstep"):
        rest = without_table(template, logical_id, restored={**RESTORED, "TableName": "restored"}, first=FIRST)
        assert logical_id not in rest["Resources"]
        named = str([rest["Resources"], rest["Outputs"]])
        assert f"'Ref': '{logical_id}'" not in named
        assert f"'Fn::GetAtt': ['{logical_id}'" not in named
        assert f"${{{logical_id}" not in named


def test_rights_on_a_table_that_has_left_are_on_both() -> None:
    statement = {
        "Resource": [{"Fn::GetAtt": ["UsersTable", "Arn"]}, {"Fn::Sub": "${UsersTable.Arn}/index/*"}, "arn:other"]
    }
    template = {"Resources": {"Role": {"Statement": [statement]}, "UsersTable": {}}}

    rest = without_table(template, "UsersTable", restored=RESTORED, first=FIRST)

    wanted = ["arn:first", "arn:restored", "arn:first/index/*", "arn:restored/index/*", "arn:other"]
    assert rest["Resources"]["Role"]["Statement"][0]["Resource"] == wanted


def test_deployed_templates_use_restored_tables() -> None:
    restored = {"users": WANTED.target}

    main, lane = (write_names(read_template(name), restored) for name in ("template.yaml", "lane.yaml"))

    assert main["Resources"]["UsersTable"]["Properties"]["TableName"] == WANTED.target
    assert main["Resources"]["OrdersTable"]["Properties"]["TableName"] == {"Fn::Sub": "${AWS::StackName}-orders"}
    variables = main["Globals"]["Function"]["Environment"]["Variables"]
    assert variables["RESTORED_TABLES"] == f"users={WANTED.target}"
    executor = lane["Resources"]["OrderExecutor"]["Properties"]
    assert executor["Environment"]["Variables"]["RESTORED_TABLES"] == f"users={WANTED.target}"
    assert f"table/{WANTED.target}'" in str(lane)
    assert "table/${MainStack}-users'" not in str(lane)
    assert "table/${MainStack}-executions/index/by_follower" in str(lane)


def test_templates_without_restored_tables_stay_as_they_are() -> None:
    for name in ("template.yaml", "lane.yaml"):
        assert write_names(read_template(name), {}) == read_template(name)


def test_functions_use_restored_tables() -> None:
    with environment(TABLE_PREFIX="lockstep-", RESTORED_TABLES=f"orders=one users={WANTED.target}"):
        assert User.Meta.table_name == WANTED.target
        assert settings().restored_tables == {"orders": "one", "users": WANTED.target}
    with environment(TABLE_PREFIX="lockstep-", RESTORED_TABLES=as_variable({})):
        assert User.Meta.table_name == "lockstep-users"


def test_names_of_restored_tables_are_read_from_the_stack() -> None:
    class Pages:
        def get_paginator(self, _: str) -> Pages:
            return self

        def paginate(self, **_: Any) -> Any:
            resources = [("UsersTable", WANTED.target), ("OrdersTable", "lockstep-orders"), ("Alarms", "topic")]
            return [
                {
                    "StackResourceSummaries": [
                        {"LogicalResourceId": one, "PhysicalResourceId": name, "ResourceStatus": "UPDATE_COMPLETE"}
                        for one, name in resources
                    ]
                }
            ]

    assert read_restored(read_template(), "lockstep", Pages()) == {"users": WANTED.target}


@pytest.mark.parametrize("text", ["", "yesterday", "2026-11-29T18:00:00"])
def test_time_without_a_zone_is_refused(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main([], {"TIME": text, "TABLE": "users"}) == 2
    assert "TIME=2026-11-29T18:00:00Z" in capsys.readouterr().err
    assert read_moment("2026-11-29T19:00:00+01:00") == MOMENT
