"""`make restore` against the embedded AWS, which restores today's items whatever the time: what the stack uses then."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from local.deployment import restore as command
from local.deployment.releases import Release
from local.deployment.restored_tables import as_variable, read_restored, write_names
from tests.integration.deployment.small_stack import client_of, deploy, resources_of

MOMENT = datetime(2026, 11, 29, 18, 0, tzinfo=UTC)
BUCKET = "templates-of-tests"


def template(stack: str) -> dict[str, Any]:
    """Return a table as ours are, its reader, the mapping of its stream, and rights on it."""
    reader = resources_of("Reader", Release("aaaaaaaaaaaa"))
    reader["Reader"]["Properties"]["Environment"] = {"Variables": {"RESTORED_TABLES": "none"}}
    return {
        "Globals": {"Function": {}},
        "Resources": {
            "UsersTable": {
                "Type": "AWS::DynamoDB::Table",
                "DeletionPolicy": "RetainExceptOnCreate",
                "UpdateReplacePolicy": "Retain",
                "Properties": {
                    "TableName": {"Fn::Sub": "${AWS::StackName}-users"},
                    "BillingMode": "PAY_PER_REQUEST",
                    "DeletionProtectionEnabled": True,
                    "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
                    "StreamSpecification": {"StreamViewType": "NEW_IMAGE"},
                    "Tags": [{"Key": "stage", "Value": "prod"}],
                    "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
                    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
                },
            },
            **reader,
            "ReaderRole": {
                "Type": "AWS::IAM::Role",
                "Properties": {
                    "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": []},
                    "Policies": [
                        {
                            "PolicyName": "reader",
                            "PolicyDocument": {
                                "Version": "2012-10-17",
                                "Statement": [
                                    {
                                        "Effect": "Allow",
                                        "Action": ["dynamodb:Query"],
                                        "Resource": [
                                            {"Fn::GetAtt": ["UsersTable", "Arn"]},
                                            {"Fn::Sub": "${UsersTable.Arn}/index/*"},
                                        ],
                                    }
                                ],
                            },
                        }
                    ],
                },
            },
            "ReaderUsers": {
                "Type": "AWS::Lambda::EventSourceMapping",
                "Properties": {
                    "EventSourceArn": {"Fn::GetAtt": ["UsersTable", "StreamArn"]},
                    "FunctionName": {"Ref": "ReaderAliaslive"},
                    "StartingPosition": "TRIM_HORIZON",
                },
            },
        },
    }


class Deployed:
    """A stack of a table and its reader."""

    def __init__(self, url: str) -> None:
        self.client = client_of(url)
        self.stack = f"tables-{uuid4().hex[:8]}"
        self.template = template(self.stack)
        self.told: list[str] = []
        deploy(self.client, self.stack, self.template["Resources"])
        self.dynamodb = self.client("dynamodb")
        # The embedded CloudFormation leaves this out.
        self.dynamodb.update_time_to_live(
            TableName=f"{self.stack}-users", TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires_at"}
        )
        self.dynamodb.put_item(TableName=f"{self.stack}-users", Item={"id": {"S": "anna"}})
        self.client("s3").create_bucket(Bucket=BUCKET)

    @property
    def restored_name(self) -> str:
        return f"{self.stack}-users-20261129T180000"

    def redeploy(self) -> int:
        """Deploy again, with the names that the stack has by now, as `make deploy` does."""
        names = read_restored(self.template, self.stack, self.client("cloudformation"))
        deploy(self.client, self.stack, write_names(template(self.stack), names)["Resources"])
        return 0

    def restore(self) -> None:
        wanted = command.find(self.stack, "users", MOMENT, self.client, self.template)
        tools = command.Tools(self.client, BUCKET, self.redeploy, write=self.hear, pause_s=0.2, any_moment=True)
        command.restore(wanted, tools)

    def hear(self, line: str) -> None:
        self.told.append(line)

    def physical_id(self, logical_id: str) -> str:
        found = self.client("cloudformation").describe_stack_resource(
            StackName=self.stack, LogicalResourceId=logical_id
        )
        return str(found["StackResourceDetail"]["PhysicalResourceId"])

    def rights(self) -> str:
        role = self.physical_id("ReaderRole")
        return str(self.client("iam").get_role_policy(RoleName=role, PolicyName="reader")["PolicyDocument"])

    def event_source(self) -> str:
        (mapping,) = [
            one
            for one in self.client("lambda").list_event_source_mappings()["EventSourceMappings"]
            if self.stack in one["EventSourceArn"]
        ]
        return str(mapping["EventSourceArn"])


@pytest.fixture
def deployed(ministack: str) -> Iterator[Deployed]:
    deployed = Deployed(ministack)
    yield deployed
    deployed.client("cloudformation").delete_stack(StackName=deployed.stack)


def test_restored_table_takes_the_first_ones_place_in_the_stack(deployed: Deployed) -> None:
    deployed.restore()

    name = deployed.restored_name
    assert deployed.physical_id("UsersTable") == name
    assert deployed.dynamodb.get_item(TableName=name, Key={"id": {"S": "anna"}})["Item"] == {"id": {"S": "anna"}}
    table = deployed.dynamodb.describe_table(TableName=name)["Table"]
    assert table["DeletionProtectionEnabled"]
    assert table["StreamSpecification"] == {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}
    lives = deployed.dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    assert lives == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires_at"}
    backups = deployed.dynamodb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"
    tags = deployed.dynamodb.list_tags_of_resource(ResourceArn=table["TableArn"])["Tags"]
    assert {"Key": "stage", "Value": "prod"} in tags
    # Its readers move along, and the first table is kept.
    assert deployed.event_source() == table["LatestStreamArn"]
    assert f"table/{name}'" in deployed.rights()
    assert f"table/{name}/index/*" in deployed.rights()
    reader = deployed.client("lambda").get_function_configuration(FunctionName=deployed.physical_id("Reader"))
    assert reader["Environment"]["Variables"]["RESTORED_TABLES"] == as_variable({"users": name})
    first = deployed.dynamodb.get_item(TableName=f"{deployed.stack}-users", Key={"id": {"S": "anna"}})
    assert first["Item"] == {"id": {"S": "anna"}}


@pytest.mark.parametrize("step", ["make_table", "without_table", "import", "redeploy"])
def test_restore_that_was_interrupted_goes_on(deployed: Deployed, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    with monkeypatch.context() as interrupted:
        break_after(step, deployed, interrupted)
        with pytest.raises(command.NotRestored):
            deployed.restore()

    deployed.restore()

    assert deployed.physical_id("UsersTable") == deployed.restored_name
    assert "RESTORED_TABLES" in str(
        deployed.client("lambda").get_function_configuration(FunctionName=deployed.physical_id("Reader"))
    )
    assert deployed.told[-1].startswith(f"{deployed.stack} uses {deployed.restored_name}")


def break_after(step: str, deployed: Deployed, patch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise command.NotRestored("interrupted")

    change = command._change
    match step:
        case "make_table":
            patch.setattr(command, "move_stack", fail)
        case "without_table":
            patch.setattr(
                command, "_change", lambda *a, imports=False: fail() if imports else change(*a, imports=imports)
            )
        case "import":
            patch.setattr(deployed, "redeploy", fail)
        case "redeploy":
            patch.setattr(deployed, "redeploy", lambda: 1)


def test_functions_have_rights_on_both_tables_until_all_use_the_restored_one(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deployed, "redeploy", lambda: 1)
    with pytest.raises(command.NotRestored, match="the deployment failed"):
        deployed.restore()

    rights = deployed.rights()
    for table in (f"{deployed.stack}-users", deployed.restored_name):
        assert f"table/{table}'" in rights
        assert f"table/{table}/index/*" in rights


def test_table_that_is_not_known_is_refused_with_those_that_are(deployed: Deployed) -> None:
    with pytest.raises(command.NotRestored, match="there is no table orders; those are users"):
        command.find(deployed.stack, "orders", MOMENT, deployed.client, deployed.template)
