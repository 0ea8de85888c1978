"""What goes wrong on the deployed stack, in short: every worker killed on the road of an alert, alerts in a burst."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from local.faults.stack import burst
from local.faults.stack.ground import BUY, Ground, Run
from local.faults.stack.kills import KILLED_BOUND_MS, chase, compare
from local.faults.stack.records import Records
from local.faults.stack.workers import find_workers
from local.stack.deploy import client
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
    """Leave nothing open behind, and workers that are warm again."""
    path = f"/v1/admin/strategy/follower/{strategy_id}"
    assert stack.api("DELETE", f"{path}/all").status == 200
    wait_for("nothing is open", lambda: stack.api("DELETE", f"{path}/all").json()["items"] == [])


def test_every_alert_of_a_burst_has_its_trigger_and_an_execution_with_an_end(unlimited: Stack) -> None:
    stack, records = unlimited, Records(unlimited.running.places)
    strategies = stack.running.add_strategies("BURST", "BTC/USDT", 1, count=STRATEGIES)
    url = f"{stack.session['webhook']}/v1/webhook/strategy"

    fired = burst.fire(url, strategies, for_s=60, senders=4, at_most=ALERTS)
    endings, _ = burst.settle(records, fired, within_s=120)

    accepted = [one.answer.trigger_id for one in fired if one.answer.trigger_id]
    assert len(accepted) > ALERTS / 2
    assert len(set(accepted)) == len(accepted) == endings.states.total()
    assert (endings.faults, endings.unsettled) == ([], 0)
    for strategy in strategies:
        close_all(stack, strategy["strategy_id"])


def test_who_works_off_queues_leaves_the_cores_to_who_answers(stack: Stack) -> None:
    strategy = stack.add_strategy("PRIORITY", followers=1)
    strategy.wait_until_all(strategy.fire(), "PROTECTED")
    workers = list(find_workers(stack.running.aws_pid))
    priorities = {name: {os.getpriority(os.PRIO_PROCESS, pid) for pid, one in workers if name in one} for name in ROAD}
    first = os.getpriority(os.PRIO_PROCESS, stack.running.aws_pid)
    later = min(first + 10, 19)
    assert priorities == {"StrategyWebhook": {first}, "TriggerFanout": {later}, "OrderExecutor": {later}}


def test_what_a_function_logs_stands_with_the_request_that_it_is_of(stack: Stack) -> None:
    strategy = stack.add_strategy("LOGS", followers=1)
    answers = [stack.webhook(strategy.alert(stop=str(19600 + number))) for number in range(6)]
    logs = client("logs", stack.running.places)
    [group] = [one["logGroupName"] for one in logs.describe_log_groups()["logGroups"]]

    def line_of(trigger_id: str) -> dict[str, Any] | None:
        """Return the webhook's line about a trigger; others log in the same group."""
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group, filterPattern=f'"{trigger_id}"')
        return next((event for event in pages.search("events[]") if "alert_accepted" in event["message"]), None)

    for answer in answers:
        assert answer.status == 200, answer.text
        line = wait_for("the alert is logged", partial(line_of, answer.json()["id"]))
        # The embedded AWS makes a stream for each request.
        events = logs.get_log_events(logGroupName=group, logStreamName=line["logStreamName"])["events"]
        assert events[0]["message"].startswith(f"START RequestId: {answer.headers['X-Request-ID']} ")
    close_all(stack, strategy.strategy_id)


def test_workers_killed_on_the_road_change_nothing_about_its_end(unlimited: Stack) -> None:
    stack, ground = unlimited, Ground(unlimited.running)
    stack.paper("PUT", "latency", {"ms": 100})
    quiet = Run("quiet", stack.running.add_strategy("QUIET", "BTC/USDT", FOLLOWERS))
    killed = Run("killed", stack.running.add_strategy("KILLED", "BTC/USDT", FOLLOWERS))
    ground.play(quiet, BUY)

    def kill_at_work(run: Run) -> None:
        chase(ground, run)
        ground.kill(run)

    ground.play(killed, BUY, kill_at_work)

    assert killed.killed["OrderExecutor"] >= 1
    assert compare(ground, quiet, killed) == []
    ground.measure(killed)
    assert killed.longest_naked_ms <= KILLED_BOUND_MS
    for run in (quiet, killed):
        close_all(stack, run.seeded["strategy_id"])
