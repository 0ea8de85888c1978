"""Begins exports of tables to S3, and finds those that have failed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from functions.table_exporter.due import Export, ExportStatus, decide
from shared.aws_session import aws_session
from shared.config import settings
from shared.models.execution import Execution
from shared.models.execution_event import ExecutionEvent
from shared.models.order import Order
from shared.models.position_history import PositionHistory
from shared.observability import logger
from shared.process_state import process_cache

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

EXPORTED = (Execution, ExecutionEvent, Order, PositionHistory)
"""The tables that grow with every alert."""


class ExportFailed(Exception):
    """A table was not exported; the text says which and why."""


def export_tables(at: datetime) -> list[str]:
    """Begin the exports that are due and return the names of their tables; raise ExportFailed after all were tried.

    Without a bucket nothing is exported.
    """
    bucket = settings().exports_bucket
    begun: list[str] = []
    faults: list[str] = []
    for name in [one.Meta.table_name for one in EXPORTED] if bucket else []:
        try:
            fault = _export(name, bucket, at, begun)
        except (BotoCoreError, ClientError) as error:
            fault = str(error)
        if fault:
            logger.error("table_not_exported", table=name, fault=fault)
            faults.append(f"{name}: {fault}")
    if faults:
        raise ExportFailed("; ".join(faults))
    return begun


def _export(name: str, bucket: str, at: datetime, begun: list[str]) -> str:
    """Export a table if it is due, and return what is wrong with its latest export, or an empty text."""
    arn = _dynamodb().describe_table(TableName=name)["Table"]["TableArn"]
    decision = decide(_exports_of(arn), at)
    if decision.begins:
        _dynamodb().export_table_to_point_in_time(
            TableArn=arn, S3Bucket=bucket, S3Prefix=name, S3SseAlgorithm="AES256", ExportFormat="DYNAMODB_JSON"
        )
        logger.info("table_export_begun", table=name)
        begun.append(name)
    return decision.fault


def _exports_of(arn: str) -> Iterator[Export]:
    """Yield the exports of a table that DynamoDB remembers, those of 90 days."""
    dynamodb = _dynamodb()
    page = dynamodb.list_exports(TableArn=arn)
    summaries = page["ExportSummaries"]
    while "NextToken" in page:  # boto3 has no paginator for it
        page = dynamodb.list_exports(TableArn=arn, NextToken=page["NextToken"])
        summaries += page["ExportSummaries"]
    for one in summaries:
        export = dynamodb.describe_export(ExportArn=one["ExportArn"])["ExportDescription"]
        yield Export(
            ExportStatus(export["ExportStatus"]),
            export["StartTime"].astimezone(UTC),
            " ".join(filter(None, (export.get("FailureCode"), export.get("FailureMessage")))),
        )


@process_cache
def _dynamodb() -> DynamoDBClient:
    return aws_session().client("dynamodb", region_name=settings().aws_region)
