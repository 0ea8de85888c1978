"""The template's alarms, evaluated as CloudWatch evaluates them, on the metrics that the product writes.

The embedded CloudWatch reads no metrics out of logs and compares no dimensions. So a test that brings about what an
alarm is for is marked with `rings("<alarm>")`: what the product has written meanwhile, line by line as a function's log
has it, is given to the rule of the alarm, which must ring. `feeds("<alarm>")` is for an alarm that must see the metric
and not ring.
"""

from __future__ import annotations

import builtins
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aws_lambda_powertools.metrics import base as powertools_metrics

OK, ALARM, INSUFFICIENT_DATA = "OK", "ALARM", "INSUFFICIENT_DATA"

_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanThreshold": lambda value, threshold: value > threshold,
    "GreaterThanOrEqualToThreshold": lambda value, threshold: value >= threshold,
    "LessThanThreshold": lambda value, threshold: value < threshold,
    "LessThanOrEqualToThreshold": lambda value, threshold: value <= threshold,
}
_STATISTICS: dict[str, Callable[[list[float]], float]] = {
    "Sum": sum,
    "Maximum": max,
    "Minimum": min,
    "SampleCount": len,
    "Average": lambda values: sum(values) / len(values),
}


@dataclass(frozen=True, slots=True)
class Datapoint:
    """One value of a metric."""

    namespace: str
    metric: str
    value: float
    at_s: float
    """Unix time in seconds."""
    dimensions: Mapping[str, str] = field(default_factory=dict)


def alarms() -> dict[str, dict[str, Any]]:
    """Return the properties of the template's alarms, by logical id."""
    from tests.unit.transformed_template import of_type  # noqa: PLC0415 - SAM's translator is slow to import

    return of_type("AWS::CloudWatch::Alarm")


def names_in(value: Any, stack: str) -> str:
    """Return a namespace or a dimension's value: text as it is, a resource by its logical id, the stack by its name."""
    match value:
        case {"Ref": "AWS::StackName"}:
            return stack
        case {"Ref": str(resource)} | {"Fn::GetAtt": [str(resource), _]}:
            return resource
        case str():
            return value
    raise AssertionError(f"no name: {value}")


def state_of(alarm: Mapping[str, Any], points: list[Datapoint], *, now_s: float, stack: str = "lockstep") -> str:
    """Return the state of an alarm at `now_s` by what a metric has been until then.

    As CloudWatch does it: points of exactly these dimensions only, one value of the statistic for each period, and the
    alarm's word for periods without points.
    """
    dimensions = {one["Name"]: names_in(one["Value"], stack) for one in alarm.get("Dimensions", [])}
    seen = [
        point
        for point in points
        if (point.namespace, point.metric) == (names_in(alarm["Namespace"], stack), alarm["MetricName"])
        and dict(point.dimensions) == dimensions
    ]
    breaching = [_is_breaching(alarm, seen, now_s=now_s, periods_ago=ago) for ago in range(alarm["EvaluationPeriods"])]
    needed = alarm.get("DatapointsToAlarm", alarm["EvaluationPeriods"])
    if breaching.count(True) >= needed:
        return ALARM
    return INSUFFICIENT_DATA if set(breaching) == {None} else OK


def _is_breaching(alarm: Mapping[str, Any], seen: list[Datapoint], *, now_s: float, periods_ago: int) -> bool | None:
    """Return whether one period is beyond the threshold, or None where it does not count."""
    end_s = now_s - periods_ago * alarm["Period"]
    values = [point.value for point in seen if end_s - alarm["Period"] < point.at_s <= end_s]
    if not values:
        return {"breaching": True, "notBreaching": False}.get(alarm.get("TreatMissingData", "missing"))
    compare = _COMPARISONS[alarm["ComparisonOperator"]]
    return compare(_STATISTICS[alarm["Statistic"]](values), alarm["Threshold"])


def read_line(line: str) -> list[Datapoint]:
    """Return the metrics of a line of a function's log; none where it is not in the embedded metric format."""
    try:
        record = json.loads(line)
    except ValueError:
        return []
    if not isinstance(record, dict) or "_aws" not in record:
        return []
    found = []
    for directive in record["_aws"]["CloudWatchMetrics"]:
        for names in directive["Dimensions"] or [[]]:
            for metric in directive["Metrics"]:
                values = record[metric["Name"]]
                found += [
                    Datapoint(
                        namespace=directive["Namespace"],
                        metric=metric["Name"],
                        value=float(value),
                        at_s=record["_aws"]["Timestamp"] / 1000,
                        dimensions={name: str(record[name]) for name in names},
                    )
                    for value in (values if isinstance(values, list) else [values])
                ]
    return found


@contextmanager
def heard_metrics() -> Iterator[list[Datapoint]]:
    """Yield the list of what the product writes as metrics meanwhile, read from the lines that it writes."""
    heard: list[Datapoint] = []

    def write(*values: object, **options: Any) -> None:
        heard.extend(read_line(" ".join(str(value) for value in values)))
        builtins.print(*values, **options)  # noqa: T201 - as Powertools does

    # A test that captures its own output would take the lines away from any other listener.
    powertools_metrics.print = write  # type: ignore[attr-defined]
    try:
        yield heard
    finally:
        del powertools_metrics.print  # type: ignore[attr-defined]


def assert_state(name: str, expected: str, heard: list[Datapoint]) -> None:
    """Raise AssertionError unless the alarm was in a state when one of the points was new."""
    alarm = alarms()[name]
    seen = {state_of(alarm, heard, now_s=now_s) for now_s in {point.at_s for point in heard}}
    metric = [point for point in heard if point.metric == alarm["MetricName"]]
    assert expected in seen, f"{name} was {sorted(seen) or 'not fed'} by {metric or sorted({p.metric for p in heard})}"
    if expected == OK:
        # An alarm to which the metric means nothing is quiet too.
        listening = {"ComparisonOperator": "GreaterThanThreshold", "Threshold": -1, "EvaluationPeriods": 1}
        assert ALARM in {state_of(alarm | listening, heard, now_s=point.at_s) for point in heard}, name
