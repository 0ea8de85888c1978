"""Tables that grow with every alert are exported, and lose only events after that, which no page of users shows."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from functions.table_exporter.due import INTERVAL_DAYS
from functions.table_exporter.service import EXPORTED
from local.stack.deploy import read_template
from shared.models import execution_event
from shared.models.base import Table
from tests.unit.function_rights import granted
from tests.unit.transformed_template import of_type, resources

EXPIRES = {"AttributeName": "expires_at", "Enabled": True}
EXPORT = "dynamodb:ExportTableToPointInTime"
RESOURCES = resources()
TABLES = of_type("AWS::DynamoDB::Table")


def noun_of(model: type[Table]) -> str:
    name: str = model.Meta.table_name
    return name.split("-", 1)[1]


def noun_of_template(properties: dict[str, Any]) -> str:
    return str(properties["TableName"]["Fn::Sub"]).removeprefix("${AWS::StackName}-")


def test_events_of_executions_expire_where_they_are_exported() -> None:
    declared = TABLES["ExecutionEventsTable"]["TimeToLiveSpecification"]
    assert declared == {"Fn::If": ["ExpiresExported", EXPIRES, {"Ref": "AWS::NoValue"}]}
    rule = read_template()["Rules"]["NothingExpiresWithoutExports"]
    assert rule["RuleCondition"] == {"Fn::Equals": [{"Ref": "ExpireExported"}, "true"]}
    assert rule["Assertions"][0]["Assert"] == {"Fn::Equals": [{"Ref": "TableExports"}, "true"]}
    assert [read_template()["Parameters"][name]["Default"] for name in ("TableExports", "ExpireExported")] == [
        "false",
        "false",
    ]


def test_tables_that_pages_and_files_show_keep_their_records() -> None:
    for table in ("ExecutionsTable", "ManualIncomesTable", "ManualTradesTable", "OrdersTable", "PositionHistoryTable"):
        assert "TimeToLiveSpecification" not in TABLES[table]


def test_bucket_of_the_exports_is_closed_encrypted_and_outlives_the_stack() -> None:
    bucket, policy = RESOURCES["ExportsBucket"], RESOURCES["ExportsBucketPolicy"]
    assert bucket["Condition"] == policy["Condition"] == "ExportsTables"
    assert bucket["DeletionPolicy"] == "RetainExceptOnCreate"
    properties = bucket["Properties"]
    assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
    assert len(properties["PublicAccessBlockConfiguration"]) == 4
    assert properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    (rule,) = properties["LifecycleConfiguration"]["Rules"]
    assert rule["ExpirationInDays"] == {"Ref": "ExportRetentionDays"}
    # What has left a table stays in the exports for longer than it was in the table.
    least = read_template()["Parameters"]["ExportRetentionDays"]["MinValue"]
    assert timedelta(days=least) > execution_event.RETENTION
    assert 10 * timedelta(days=INTERVAL_DAYS) < execution_event.RETENTION


def test_every_exported_table_may_be_exported() -> None:
    exported = {noun_of(model) for model in EXPORTED}
    assert {resource for action, resource in granted()["TableExporter"] if action == EXPORT} == exported
    expiring = {name for name, one in TABLES.items() if "ExpiresExported" in str(one.get("TimeToLiveSpecification"))}
    assert {TABLES[name]["TableName"]["Fn::Sub"].removeprefix("${AWS::StackName}-") for name in expiring} <= exported
