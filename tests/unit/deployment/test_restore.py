"""`make restore`: its waits and failures, and the template of the steps in between."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.deployment import restore as command
from local.deployment.restore import NotRestored, Restore, Tools, make_table, read_moment, without_table
from local.deployment.restored_tables import as_variable, read_restored, usual_names, write_names
from local.stack.deploy import read_template
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
