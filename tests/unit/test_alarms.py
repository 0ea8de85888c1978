"""The alarms of the template: each sees what is counted for it, and rings beyond its threshold."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import pytest

from local.stack.places import ROOT
from shared.observability import count_outcome
from tests.alarms import (
    ALARM,
    INSUFFICIENT_DATA,
    OK,
    Datapoint,
    alarms,
    assert_state,
    heard_metrics,
    names_in,
    read_line,
    state_of,
)
from tests.unit.transformed_template import function_of, of_type

NOW_S = 1_795_900_000.0

OURS = sorted(name for name, alarm in alarms().items() if isinstance(alarm["Namespace"], dict))
OF_EVERY_FUNCTION = ("Errors", "Throttles", "Duration")
OF_AWS = sorted(alarms().keys() - set(OURS))


def marked_alarms() -> Iterator[str]:
    """Yield the alarms with which a test is marked."""
    for path in (ROOT / "tests").rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(func=ast.Attribute(attr="rings" | "feeds"), args=[ast.Constant(value=str(name))]):
                    yield name


def test_every_alarm_on_a_metric_of_ours_has_a_test_that_makes_the_product_write_it() -> None:
    assert set(marked_alarms()) == set(OURS)


# ------------------------------------------------------------------------------------------ alarms on AWS's own metrics


def consumed_queues() -> set[str]:
    mappings = of_type("AWS::Lambda::EventSourceMapping").values()
    sources = [mapping["EventSourceArn"] for mapping in mappings]
    queues = of_type("AWS::SQS::Queue")
    return {source["Fn::GetAtt"][0] for source in sources if "Fn::GetAtt" in source} & queues.keys()


def dead_letter_queues() -> set[str]:
    redriven = {
        queue["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0]
        for name, queue in of_type("AWS::SQS::Queue").items()
        if "RedrivePolicy" in queue and name in consumed_queues()
    }
    streams = {
        mapping["DestinationConfig"]["OnFailure"]["Destination"]["Fn::GetAtt"][0]
        for mapping in of_type("AWS::Lambda::EventSourceMapping").values()
        if "DestinationConfig" in mapping
    }
    return redriven | streams


def stream_readers() -> set[str]:
    return {
        function_of(mapping["FunctionName"])
        for mapping in of_type("AWS::Lambda::EventSourceMapping").values()
        if "StreamArn" in str(mapping["EventSourceArn"])
    }


def emitted_by_aws() -> set[tuple[str, str, str, str]]:
    """Return namespace, metric, dimension and resource of what AWS counts by itself and we watch.

    Lambda's and SQS's metrics have one dimension, the name (Lambda Developer Guide, "Types of metrics for Lambda
    functions"; SQS Developer Guide, "Available CloudWatch metrics").
    """
    functions = set(of_type("AWS::Lambda::Function"))
    return {
        *(
            ("AWS/Lambda", metric, "FunctionName", f)
            for f in functions
            for metric in ("Errors", "Throttles", "Duration")
        ),
        *(("AWS/Lambda", "IteratorAge", "FunctionName", function) for function in stream_readers()),
        *(("AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", queue) for queue in consumed_queues()),
        *(("AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", queue) for queue in dead_letter_queues()),
    }


@pytest.mark.parametrize("name", OF_AWS)
def test_alarm_on_a_metric_of_awss_watches_what_exists_and_rings_beyond_its_threshold(name: str) -> None:
    alarm = alarms()[name]
    (dimension,) = alarm["Dimensions"]
    resource = names_in(dimension["Value"], "lockstep")
    source = (alarm["Namespace"], alarm["MetricName"], dimension["Name"], resource)
    assert source in emitted_by_aws()

    def state(value: float, *, of: str = resource) -> str:
        point = Datapoint(source[0], source[1], value, NOW_S, {source[2]: of})
        return state_of(alarm, [point], now_s=NOW_S)

    assert (state(alarm["Threshold"]), state(alarm["Threshold"] + 1)) == (OK, ALARM)
    assert state(alarm["Threshold"] + 1, of="Another") == OK
    assert state_of(alarm, [], now_s=NOW_S) == OK


def test_every_queue_with_a_consumer_has_alarms_on_its_age_and_on_its_dead_letters() -> None:
    watched = {
        (alarm["MetricName"], names_in(one["Value"], "lockstep"))
        for alarm in alarms().values()
        for one in alarm.get("Dimensions", [])
    }
    assert {("ApproximateAgeOfOldestMessage", queue) for queue in consumed_queues()} <= watched
    assert {("ApproximateNumberOfMessagesVisible", queue) for queue in dead_letter_queues()} <= watched


# ---------------------------------------------------------------------------------------------------- the rule itself

RULE = {
    "Namespace": {"Ref": "AWS::StackName"},
    "MetricName": "lost",
    "Dimensions": [{"Name": "reason", "Value": "CUT"}],
    "Statistic": "Sum",
    "Period": 60,
    "EvaluationPeriods": 1,
    "Threshold": 1,
    "ComparisonOperator": "GreaterThanThreshold",
    "TreatMissingData": "notBreaching",
}


def a_point(**changes: Any) -> Datapoint:
    usual: dict[str, Any] = {"namespace": "lockstep", "metric": "lost", "value": 2, "at_s": NOW_S}
    return Datapoint(**(usual | {"dimensions": {"reason": "CUT"}} | changes))


def test_point_counts_for_its_own_namespace_metric_and_dimensions_only() -> None:
    assert state_of(RULE, [a_point()], now_s=NOW_S) == ALARM
    others: tuple[dict[str, Any], ...] = (
        {"namespace": "another"},
        {"metric": "found"},
        {"dimensions": {}},
        {"dimensions": {"reason": "WON"}},
        {"dimensions": {"reason": "CUT", "lane": "lane-1"}},
        {"at_s": NOW_S - 60},
        {"at_s": NOW_S + 1},
    )
    for other in others:
        assert state_of(RULE, [a_point(**other)], now_s=NOW_S) == OK, other


def test_statistic_decides_what_several_points_come_to() -> None:
    points = [a_point(value=1), a_point(value=1)]
    assert state_of(RULE, points, now_s=NOW_S) == ALARM
    assert state_of(RULE | {"Statistic": "Maximum"}, points, now_s=NOW_S) == OK


def test_missing_points_count_as_the_alarm_says() -> None:
    silent = RULE | {"EvaluationPeriods": 3, "ComparisonOperator": "LessThanThreshold"}
    assert state_of(silent | {"TreatMissingData": "breaching"}, [], now_s=NOW_S) == ALARM
    assert state_of(silent | {"TreatMissingData": "breaching"}, [a_point(at_s=NOW_S - 130)], now_s=NOW_S) == OK
    assert state_of(silent | {"TreatMissingData": "missing"}, [], now_s=NOW_S) == INSUFFICIENT_DATA


def test_watcher_that_has_been_silent_for_three_minutes_rings() -> None:
    rounds = [a_point(metric="watch_finished", value=1, at_s=NOW_S + 60 * n, dimensions={}) for n in range(5)]
    alarm = alarms()["WatcherSilentAlarm"]
    assert state_of(alarm, rounds, now_s=NOW_S + 240) == OK
    assert state_of(alarm, rounds, now_s=NOW_S + 240 + 179) == OK
    assert state_of(alarm, rounds, now_s=NOW_S + 240 + 180) == ALARM


def test_position_that_is_naked_beyond_the_bound_rings() -> None:
    alarm = alarms()["NakedTooLongAlarm"]
    naked = [a_point(metric="naked", value=value, dimensions={}) for value in (300, 25_001)]
    assert (state_of(alarm, naked[:1], now_s=NOW_S), state_of(alarm, naked, now_s=NOW_S)) == (OK, ALARM)


@pytest.mark.parametrize(
    ("metric", "dimensions", "rings"),
    [("lane_banned", {}, True), ("lane_banned", {"lane": "lane-1"}, False), ("lane_paused", {}, False)],
)
def test_what_the_product_writes_reaches_the_alarm_by_name_and_dimensions(
    metric: str, dimensions: dict[str, str], *, rings: bool
) -> None:
    with heard_metrics() as heard:
        count_outcome(metric, **dimensions)
    assert [(point.metric, point.dimensions) for point in heard] == [(metric, dimensions)]
    with nullcontext() if rings else pytest.raises(AssertionError, match="LaneBannedAlarm"):
        assert_state("LaneBannedAlarm", ALARM, heard)


@pytest.mark.parametrize("line", ["", "not JSON", "[1]", '{"message": "order_placed"}'])
def test_other_lines_of_the_log_hold_no_metric(line: str) -> None:
    assert read_line(line) == []
