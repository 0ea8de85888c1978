"""A short run of the faults on the deployed stack: a burst of alerts, and every worker killed during an alert."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from local.faults.stack import burst
from local.faults.stack.kills import KILLED_BOUND_MS, compare, wait_for_requests
from local.faults.stack.records import Records
from local.faults.stack.runs import BUY, Run, Runner
from local.faults.stack.workers import find_workers
from local.stack.deploy import client
from local.stack.places import STACK_NAME
from tests.system.stack_client import Stack, wait_for

FOLLOWERS = 8
STRATEGIES, ALERTS = 5, 40
ROAD = ("StrategyWebhook", "TriggerFanout", "OrderExecutor")


@pytest.fixture
def unlimited(stack: Stack) -> Iterator[Stack]:
    """The stack without the limits of one address, so that these tests leave the others theirs."""
    stack.move_price("BTCUSDT", "20000")
    stack.paper("POST", "settings", {"limits_enabled": False})
    yield stack
    stack.paper("PUT", "latency", {"ms": 0})
    stack.paper("POST", "settings", {"limits_enabled": True})


def close_all(stack: Stack, strategy_id: str) -> None:
    """Close every position, and warm the workers again."""
    path = f"/v1/admin/strategy/follower/{strategy_id}"
    assert stack.api("DELETE", f"{path}/all").status == 200
    wait_for("nothing is open", lambda: stack.api("DELETE", f"{path}/all").json()["items"] == [])


def test_every_alert_of_a_burst_has_its_trigger_and_an_execution_with_an_end(unlimited: Stack) -> None:
    stack, records = unlimited, Records(unlimited.running.places)
    strategies = stack.running.add_strategies("BURST", "BTC/USDT", 1, count=STRATEGIES)
    url = f"{stack.session['webhook']}/v1/webhook/strategy"

    fired = burst.fire(url, strategies, for_s=60, senders=4, at_most=ALERTS)
    outcomes, _ = burst.wait_until_ended(records, fired, within_s=120)

    accepted = [one.answer.trigger_id for one in fired if one.answer.trigger_id]
    assert len(accepted) > ALERTS / 2
    assert len(set(accepted)) == len(accepted) == outcomes.states.total()
    assert (outcomes.violations, outcomes.in_progress) == ([], 0)
    for strategy in strategies:
        close_all(stack, strategy["strategy_id"])


def test_queue_workers_have_a_lower_priority_than_workers_that_answer_http(stack: Stack) -> None:
    strategy = stack.add_strategy("PRIORITY", followers=1)
    strategy.wait_until_all(strategy.fire(), "PROTECTED")
    workers = list(find_workers(stack.running.aws_pid))
    priorities = {name: {os.getpriority(os.PRIO_PROCESS, pid) for pid, one in workers if name in one} for name in ROAD}
    first = os.getpriority(os.PRIO_PROCESS, stack.running.aws_pid)
    later = min(first + 10, 19)
    assert priorities == {"StrategyWebhook": {first}, "TriggerFanout": {later}, "OrderExecutor": {later}}


def test_log_lines_are_stored_with_their_request(stack: Stack) -> None:
    strategy = stack.add_strategy("LOGS", followers=1)
    answers = [stack.webhook(strategy.alert(stop=str(19600 + number))) for number in range(6)]
    logs = client("logs", stack.running.places)
    found = client("cloudformation", stack.running.places).describe_stack_resource(
        StackName=STACK_NAME, LogicalResourceId="FunctionLogs"
    )
    group = found["StackResourceDetail"]["PhysicalResourceId"]

    def line_of(trigger_id: str) -> dict[str, Any] | None:
        """Return the webhook's line about a trigger; other functions log in the same group."""
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group, filterPattern=f'"{trigger_id}"')
        return next((event for event in pages.search("events[]") if "alert_accepted" in event["message"]), None)

    for answer in answers:
        assert answer.status == 200, answer.text
        line = wait_for("the alert is logged", partial(line_of, answer.json()["id"]))
        # The embedded AWS makes a stream for each request.
        events = logs.get_log_events(logGroupName=group, logStreamName=line["logStreamName"])["events"]
        assert events[0]["message"].startswith(f"START RequestId: {answer.headers['X-Request-ID']} ")
    close_all(stack, strategy.strategy_id)


def test_killed_workers_do_not_change_the_end_of_an_alert(unlimited: Stack) -> None:
    stack, runner = unlimited, Runner(unlimited.running)
    stack.paper("PUT", "latency", {"ms": 100})
    quiet = Run("quiet", stack.running.add_strategy("QUIET", "BTC/USDT", FOLLOWERS))
    killed = Run("killed", stack.running.add_strategy("KILLED", "BTC/USDT", FOLLOWERS))
    runner.play(quiet, BUY)

    def kill_at_work(run: Run) -> None:
        wait_for_requests(runner, run)
        runner.kill(run)

    runner.play(killed, BUY, kill_at_work)

    assert killed.killed["OrderExecutor"] >= 1
    assert compare(runner, quiet, killed) == []
    runner.measure(killed)
    assert killed.longest_naked_ms <= KILLED_BOUND_MS
    for run in (quiet, killed):
        close_all(stack, run.seeded["strategy_id"])
