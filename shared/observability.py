"""Logs and metrics. Logs are past-tense events with ids; never a key, a secret, a token or a body."""

from __future__ import annotations

from aws_lambda_powertools import Logger, single_metric
from aws_lambda_powertools.metrics import MetricUnit

from shared.config import settings

ATTENTION_NEEDED = "attention_needed"
"""The metric of a position that could not be handled as promised. Its alarm rings at once."""

logger = Logger(service="lockstep", level=settings().log_level, log_uncaught_exceptions=True)


def count_outcome(outcome: str, **dimensions: str) -> None:
    """Count one business outcome (`order_placed`, `follower_denied`, …) as a CloudWatch metric."""
    namespace = settings().metrics_namespace
    with single_metric(name=outcome, unit=MetricUnit.Count, value=1, namespace=namespace) as metric:
        for name, value in dimensions.items():
            metric.add_dimension(name=name, value=value)


def measure_ms(name: str, milliseconds: float, **dimensions: str) -> None:
    """Record a duration as a CloudWatch metric."""
    namespace = settings().metrics_namespace
    with single_metric(name=name, unit=MetricUnit.Milliseconds, value=milliseconds, namespace=namespace) as metric:
        for key, value in dimensions.items():
            metric.add_dimension(name=key, value=value)
