"""How many messages wait in queues, and for how long. Reads and moves no message."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from shared.aws_session import aws_session
from shared.concurrency import run_concurrently
from shared.config import settings
from shared.dead_letters import dead_letters_url
from shared.observability import logger
from shared.process_state import process_cache

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.literals import QueueAttributeNameType

_AGE_READ_BACK = timedelta(minutes=10)
"""CloudWatch has a queue's metrics some minutes late."""

_ATTRIBUTES: tuple[QueueAttributeNameType, ...] = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesDelayed",
    "ApproximateNumberOfMessagesNotVisible",
    "RedrivePolicy",
)


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """The messages of a queue, as SQS counts them: about."""

    waiting: int
    delayed: int
    in_flight: int
    dead_letters: int | None
    """None for a queue that has no dead-letter queue."""


def connect() -> None:
    """Create this process's clients, before threads use them."""
    sqs()
    _cloudwatch()


def read_depths(urls: Sequence[str]) -> list[QueueDepth | None]:
    """Return the depth of each queue; None for one that does not exist."""
    return run_concurrently(_read_depth, urls)


def read_count(url: str) -> int | None:
    """Return how many messages a queue holds, waiting or in flight; None if it does not exist."""
    found = _attributes(url)
    return None if found is None else _count(found)


def dead_letters_of(url: str) -> str | None:
    """Return the URL of a queue's dead-letter queue, or None if it has none or does not exist."""
    found = _attributes(url)
    return None if found is None else dead_letters_url(url, found)


def read_oldest_ages(urls: Sequence[str], *, now: datetime) -> dict[str, int]:
    """Return the age in seconds of each queue's oldest message, where CloudWatch has it; empty if it cannot be read."""
    queries = [
        {
            "Id": f"q{number}",
            "MetricStat": {
                "Metric": {
                    "Namespace": "AWS/SQS",
                    "MetricName": "ApproximateAgeOfOldestMessage",
                    "Dimensions": [{"Name": "QueueName", "Value": name_of(url)}],
                },
                "Period": 60,
                "Stat": "Maximum",
            },
        }
        for number, url in enumerate(urls)
    ]
    try:
        found = _cloudwatch().get_metric_data(
            MetricDataQueries=queries, StartTime=now - _AGE_READ_BACK, EndTime=now, ScanBy="TimestampDescending"
        )["MetricDataResults"]
    except (BotoCoreError, ClientError) as error:
        logger.warning("queue_ages_not_read", error=type(error).__name__)
        return {}
    newest = {one["Id"]: round(one["Values"][0]) for one in found if one["Values"]}
    return {url: newest[f"q{number}"] for number, url in enumerate(urls) if f"q{number}" in newest}


def name_of(url: str) -> str:
    """Return the name of the queue at a URL."""
    return url.rpartition("/")[2]


def _read_depth(url: str) -> QueueDepth | None:
    found = _attributes(url)
    if found is None:
        return None
    dead_letters = dead_letters_url(url, found)
    return QueueDepth(
        waiting=int(found["ApproximateNumberOfMessages"]),
        delayed=int(found["ApproximateNumberOfMessagesDelayed"]),
        in_flight=int(found["ApproximateNumberOfMessagesNotVisible"]),
        dead_letters=None if dead_letters is None else read_count(dead_letters),
    )


def _attributes(url: str) -> Mapping[str, str] | None:
    try:
        answer = sqs().get_queue_attributes(QueueUrl=url, AttributeNames=_ATTRIBUTES)
    except sqs().exceptions.QueueDoesNotExist:
        return None
    return {str(name): value for name, value in answer["Attributes"].items()}


def _count(found: Mapping[str, str]) -> int:
    return int(found["ApproximateNumberOfMessages"]) + int(found["ApproximateNumberOfMessagesNotVisible"])


@process_cache
def sqs() -> SQSClient:
    """Return this process's client."""
    config = Config(
        connect_timeout=1, read_timeout=3, retries={"max_attempts": 3, "mode": "standard"}, max_pool_connections=20
    )
    return aws_session().client("sqs", region_name=settings().aws_region, config=config)


@process_cache
def _cloudwatch() -> Any:
    config = Config(connect_timeout=1, read_timeout=2, retries={"total_max_attempts": 2, "mode": "standard"})
    return cast("Any", aws_session()).client("cloudwatch", region_name=settings().aws_region, config=config)
