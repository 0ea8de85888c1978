"""What the exporter asks of DynamoDB, and how it tells failures."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from functions.table_exporter import service
from functions.table_exporter.app import lambda_handler
from tests.lambda_context import FakeContext

AT = datetime(2026, 11, 29, 3, 40, tzinfo=UTC)
EVENT = {"source": "aws.events", "time": "2026-11-29T03:40:00Z"}
NOUNS = ("executions", "execution_events", "orders", "position_history")
NAMES = [f"unit-{noun}" for noun in NOUNS]


class DynamoDB:
    """Has these exports, `(status, age in days)` by table, and begins others; refuses to describe the tables `gone`."""

    def __init__(self, exports: dict[str, list[tuple[str, int]]], *, gone: tuple[str, ...] = ()) -> None:
        self.begun: list[dict[str, Any]] = []
        self._exports, self._gone = exports, gone

    def describe_table(self, *, TableName: str) -> Any:  # noqa: N803 - boto3's name
        if TableName in self._gone:
            raise ClientError({"Error": {"Code": "ResourceNotFoundException", "Message": "gone"}}, "DescribeTable")
        return {"Table": {"TableArn": f"arn:{TableName}"}}

    def list_exports(self, *, TableArn: str, NextToken: str = "0") -> Any:  # noqa: N803 - boto3's names
        found = self._exports.get(TableArn.removeprefix("arn:"), [])
        number = int(NextToken)
        summaries = [{"ExportArn": f"{status} {age}"} for status, age in found[number : number + 1]]
        more = {"NextToken": str(number + 1)} if number + 1 < len(found) else {}
        return {"ExportSummaries": summaries, **more}

    def describe_export(self, *, ExportArn: str) -> Any:  # noqa: N803 - boto3's name
        status, age = ExportArn.split()
        export = {"ExportStatus": status, "StartTime": AT - timedelta(days=int(age))}
        return {"ExportDescription": export | ({"FailureCode": "AccessDenied"} if status == "FAILED" else {})}

    def export_table_to_point_in_time(self, **request: Any) -> None:
        self.begun.append(request)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, settings_from: Callable[..., None]) -> Callable[[DynamoDB], Any]:
    settings_from(EXPORTS_BUCKET="exports", TABLE_PREFIX="unit-")

    def run(dynamodb: DynamoDB) -> Any:
        monkeypatch.setattr(service, "_dynamodb", lambda: dynamodb)
        return lambda_handler(EVENT, FakeContext())

    return run


def test_every_table_is_exported_into_the_bucket(run: Callable[[DynamoDB], Any]) -> None:
    dynamodb = DynamoDB({})
    assert run(dynamodb) == {"begun": NAMES}
    assert [one["TableArn"] for one in dynamodb.begun] == [f"arn:{name}" for name in NAMES]
    assert {one["S3Bucket"] for one in dynamodb.begun} == {"exports"}
    assert [one["S3Prefix"] for one in dynamodb.begun] == NAMES


def test_table_whose_last_export_is_recent_is_not_exported(run: Callable[[DynamoDB], Any]) -> None:
    dynamodb = DynamoDB({NAMES[0]: [("COMPLETED", 40), ("COMPLETED", 3)], NAMES[1]: [("COMPLETED", 33)]})
    assert run(dynamodb) == {"begun": NAMES[1:]}


def test_failed_export_fails_the_run_after_every_table_was_tried(run: Callable[[DynamoDB], Any]) -> None:
    dynamodb = DynamoDB({NAMES[0]: [("FAILED", 1)]})
    with pytest.raises(service.ExportFailed, match=f"{NAMES[0]}: AccessDenied"):
        run(dynamodb)
    assert len(dynamodb.begun) == len(NAMES)


def test_table_that_cannot_be_asked_for_holds_back_no_other(run: Callable[[DynamoDB], Any]) -> None:
    dynamodb = DynamoDB({}, gone=(NAMES[1],))
    with pytest.raises(service.ExportFailed, match=f"{NAMES[1]}: .*gone"):
        run(dynamodb)
    assert len(dynamodb.begun) == len(NAMES) - 1


def test_requests_are_those_that_dynamodb_knows(
    monkeypatch: pytest.MonkeyPatch, settings_from: Callable[..., None]
) -> None:
    settings_from(EXPORTS_BUCKET="exports", TABLE_PREFIX="unit-")
    monkeypatch.setattr(service, "EXPORTED", service.EXPORTED[:1])
    session = boto3.session.Session("id", "secret", region_name="ap-northeast-1")
    dynamodb = session.client("dynamodb")
    monkeypatch.setattr(service, "_dynamodb", lambda: dynamodb)
    table = "arn:aws:dynamodb:ap-northeast-1:123456789012:table/unit-executions"
    export = f"{table}/export/01764387600000-a1b2c3d4"
    with Stubber(dynamodb) as stub:
        stub.add_response("describe_table", {"Table": {"TableArn": table}}, {"TableName": NAMES[0]})
        page = {"ExportSummaries": [{"ExportArn": export, "ExportStatus": "COMPLETED"}]}
        stub.add_response("list_exports", page, {"TableArn": table})
        description = {"ExportStatus": "COMPLETED", "StartTime": AT - timedelta(days=31)}
        stub.add_response("describe_export", {"ExportDescription": description}, {"ExportArn": export})
        stub.add_response("export_table_to_point_in_time", {}, None)
        assert lambda_handler(EVENT, FakeContext()) == {"begun": NAMES[:1]}
        stub.assert_no_pending_responses()


def test_nothing_is_asked_where_tables_are_not_exported(
    monkeypatch: pytest.MonkeyPatch, settings_from: Callable[..., None]
) -> None:
    settings_from(EXPORTS_BUCKET="")
    monkeypatch.setattr(service, "_dynamodb", None)
    assert lambda_handler(EVENT, FakeContext()) == {"begun": []}
