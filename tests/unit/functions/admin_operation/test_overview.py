from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from functions.admin_operation import overview
from functions.admin_operation.app import lambda_handler
from shared import queue_depths
from shared.acceptance import accept_alert
from shared.clock import to_iso, utc_now
from shared.exchange.lane_weight import present_minute
from shared.models.egress_lane import EgressLane
from shared.models.execution import Execution
from shared.models.trading_switch import TradingSwitch
from shared.queues import Queue
from shared.trading.execution import DenialReason, Desired, ExecutionState
from shared.trading.exits import Exit
from shared.trading.sides import TriggerAction
from tests.builders import execution, follower, saved, trigger
from tests.unit.admin_requests import sample, send
from tests.unit.in_process_aws import Queues, aws_client
from tests.unit.records import a_strategy, id_of

EMPTY = {"waiting": 0, "delayed": 0, "inFlight": 0, "oldestAgeSeconds": None, "deadLetters": None}


@pytest.fixture
def stack(admin_api: Queues, settings_from: Callable[..., None]) -> Queues:
    """Add the dead letters of streams."""
    url = aws_client("sqs").create_queue(QueueName="stack-trade-events-dead-letters")["QueueUrl"]
    settings_from(TRADE_EVENTS_DEAD_LETTERS_URL=url)
    return admin_api


pytestmark = pytest.mark.usefixtures("stack")


def show() -> dict[str, Any]:
    answer = send(lambda_handler, sample("admin_operation/show_overview"))
    assert answer.status == 200, answer.text
    body: dict[str, Any] = answer.body
    return body


def queue(name: str) -> dict[str, Any]:
    (found,) = [one for one in show()["queues"] if one.pop("queue") == name]
    return dict(found)


def test_of_an_empty_stack_nothing_needs_attention() -> None:
    shown = show()
    assert (shown["maintenance"], shown["halts"], shown["alerts"]) == (False, [], [])
    assert shown["Attention"]["items"] == []
    assert shown["Attention"]["complete"] is True
    assert set(shown["Attention"]["open"].values()) == {0}
    assert [one["queue"] for one in shown["queues"]] == [*(one.value for one in Queue), "trade-events"]
    (lane,) = shown["lanes"]
    assert (lane["lane"], lane["halted"], lane["Weight"]["used"]) == ("lane-1", False, 0)


def test_halts_have_their_reason_and_age_and_a_lane_says_that_it_is_halted() -> None:
    halted_at = utc_now() - timedelta(minutes=10)
    saved(TradingSwitch("lane#lane-1", halted=True, reason="MASS_REFUSAL", updated_at=halted_at))
    send(lambda_handler, sample("admin_operation/halt_entries"))
    shown = show()
    assert [(one["scope"], one["reason"]) for one in shown["halts"]] == [
        ("lane:lane-1", "MASS_REFUSAL"),
        ("ALL", "exchange incident"),
    ]
    assert 600 <= shown["halts"][0]["ageSeconds"] <= 660
    assert [one["halted"] for one in shown["lanes"]] == [True]


def test_lanes_show_what_each_kind_of_work_may_still_take() -> None:
    until = utc_now() + timedelta(hours=1)
    over = utc_now() - timedelta(seconds=1)
    minute = present_minute().start
    saved(EgressLane("lane-1", minute=minute, used_weight=1000, held_weight=500, paused_until=over, banned_until=until))
    saved(EgressLane("lane-3", weight_limit=1000, orders_queue_url="https://sqs.us-east-1.amazonaws.com/1/none.fifo"))
    first, third = show()["lanes"]
    assert (first["pausedUntil"], first["bannedUntil"]) == (None, to_iso(until))
    # If the minute has ended meanwhile, what was held still counts.
    assert first["Weight"]["used"] in (1000, 0)
    assert (first["Weight"]["held"], first["Weight"]["limit"]) == (500, 2400)
    assert list(first["Weight"]["left"]) == ["NAKED", "CLOSE", "ENTRY", "BOOKING", "LOOK", "BACKGROUND"]
    assert first["Weight"]["left"]["NAKED"] == 2400 - 500 - first["Weight"]["used"]
    assert (third["lane"], third["Weight"]["limit"], third["Weight"]["left"]["BACKGROUND"]) == ("lane-3", 1000, 500)
    assert queue("lane-3-orders.fifo") == dict.fromkeys(EMPTY, None)


def test_queues_show_depths_ages_and_dead_letters(stack: Queues) -> None:
    sqs = aws_client("sqs")
    dead = sqs.create_queue(QueueName="notices-dead-letters")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 10})
    sqs.set_queue_attributes(QueueUrl=stack.notices, Attributes={"RedrivePolicy": policy})
    for url, bodies in ((stack.notices, 3), (dead, 2)):
        for number in range(bodies):
            sqs.send_message(QueueUrl=url, MessageBody=str(number))
    sqs.receive_message(QueueUrl=stack.notices, MaxNumberOfMessages=1)
    sqs.receive_message(QueueUrl=dead, MaxNumberOfMessages=1)
    now = utc_now()
    for minutes, age in ((4, 900), (1, 70)):
        point = {
            "MetricName": "ApproximateAgeOfOldestMessage",
            "Dimensions": [{"Name": "QueueName", "Value": "notices"}],
            "Timestamp": now - timedelta(minutes=minutes),
            "Value": age,
        }
        aws_client("cloudwatch").put_metric_data(Namespace="AWS/SQS", MetricData=[point])
    assert queue("notices") == EMPTY | {"waiting": 2, "inFlight": 1, "oldestAgeSeconds": 70, "deadLetters": 2}
    assert queue("reports") == EMPTY
    assert queue("trade-events") == dict.fromkeys(EMPTY, None) | {"deadLetters": 0}


def test_ages_that_cannot_be_read_leave_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    class Unreachable:
        def get_metric_data(self, **_: Any) -> Any:
            raise EndpointConnectionError(endpoint_url="https://monitoring")

    monkeypatch.setattr(queue_depths, "_cloudwatch", Unreachable)
    assert queue("reports") == EMPTY


def an_open_execution(name: str, state: ExecutionState, *, age_s: int, due_in_s: int = 10, **values: Any) -> str:
    at = utc_now() - timedelta(seconds=age_s)
    made = execution(
        trigger(id_of("a trigger"), strategy_id=id_of("a strategy")),
        follower(id_of(name), user_id=id_of("a user"), api_key_id=id_of("a key"), strategy_id=id_of("a strategy")),
        state=state,
        at=at,
        due_at=utc_now() + timedelta(seconds=due_in_s),
        **values,
    )
    return saved(made).id


def an_ended_execution(name: str, **values: Any) -> Execution:
    return execution(trigger(), follower(id_of(name)), state=ExecutionState.CLOSED, **values)


def test_executions_that_need_attention_come_the_most_urgent_first() -> None:
    states = ExecutionState
    young = an_open_execution("young", states.UNPROTECTED, age_s=1)
    stuck = an_open_execution("stuck", states.CLOSING, age_s=300)
    unknown = an_open_execution("unknown", states.ENTRY_UNKNOWN, age_s=4000)
    naked = an_open_execution("naked", states.UNPROTECTED, age_s=30)
    older = an_open_execution("older", states.FLATTENING, age_s=60)
    fine = an_open_execution("fine", states.PROTECTED, age_s=9000)
    unseen = an_open_execution("unseen", states.PROTECTED, age_s=9000, due_in_s=-2000)
    an_open_execution("over", states.DENIED, age_s=9000, reason=DenialReason.HALTED)
    shown = show()["Attention"]
    found = {one["id"]: one for one in shown["items"]}
    assert [one["id"] for one in shown["items"]] == [older, naked, unknown, unseen, stuck]
    assert [one["concern"] for one in shown["items"]] == ["NAKED", "NAKED", "UNKNOWN", "NO_PROGRESS", "NO_PROGRESS"]
    assert {young, fine}.isdisjoint(found)
    assert 30 <= found[naked]["ageSeconds"] <= 90
    assert found[naked] | {"since": "", "ageSeconds": 0} == {
        "id": naked,
        "triggerId": id_of("a trigger"),
        "strategyId": id_of("a strategy"),
        "strategyFollowId": id_of("naked"),
        "userId": id_of("a user"),
        "apiKeyId": id_of("a key"),
        "symbol": "BTC/USDT",
        "status": "UNPROTECTED",
        "concern": "NAKED",
        "reason": None,
        "since": "",
        "ageSeconds": 0,
    }
    assert {state: number for state, number in shown["open"].items() if number} == {
        "UNPROTECTED": 2,
        "CLOSING": 1,
        "ENTRY_UNKNOWN": 1,
        "FLATTENING": 1,
        "PROTECTED": 2,
    }
    assert shown["complete"] is True


def test_a_close_that_hangs_is_shown_by_the_time_of_its_request() -> None:
    asked_at = utc_now() - timedelta(seconds=500)
    values = {"desired": Desired.CLOSED, "close_requested_at": asked_at}
    # It is tried again each minute, so that it is never overdue.
    found = an_open_execution("hangs", ExecutionState.PROTECTED, age_s=90_000, due_in_s=20, **values)
    young = {"desired": Desired.CLOSED, "close_requested_at": utc_now() - timedelta(seconds=60)}
    an_open_execution("young", ExecutionState.PROTECTED, age_s=90_000, due_in_s=20, **young)
    saved(an_ended_execution("ended", **values))
    (item,) = show()["Attention"]["items"]
    assert (item["id"], item["concern"], item["since"]) == (found, "NO_PROGRESS", to_iso(asked_at))


def test_a_stop_lost_after_weeks_is_no_position_that_was_naked_for_weeks() -> None:
    lost_at = utc_now() - timedelta(seconds=20)
    values: dict[str, Any] = {"protected_at": utc_now() - timedelta(days=20), "updated_at": lost_at}
    an_open_execution("lost", ExecutionState.UNPROTECTED, age_s=2_000_000, **values)
    (item,) = show()["Attention"]["items"]
    assert (item["concern"], item["since"]) == ("NAKED", to_iso(lost_at))


def test_an_overview_that_does_not_read_everything_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overview, "READ_WHOLE", 1)
    late = an_open_execution("late", ExecutionState.CLOSING, age_s=300)
    naked = an_open_execution("naked", ExecutionState.UNPROTECTED, age_s=30)
    shown = show()["Attention"]
    assert ([one["id"] for one in shown["items"]], shown["complete"]) == ([naked], False)
    assert late not in [one["id"] for one in shown["items"]]


def test_the_last_alerts_of_all_strategies_come_the_latest_first() -> None:
    strategies = [a_strategy(id_of(name), name=name) for name in ("first", "second")]
    now = utc_now()
    at = [now - timedelta(seconds=age) for age in (3, 2, 1)]
    accepted = [
        accept_alert(strategy, Exit(TriggerAction.CLOSE), alerts=None, received_at=moment).trigger_id
        for strategy, moment in zip(strategies, at, strict=False)
    ]
    old = trigger(id_of("of before"), strategy_id=strategies[0].id)
    saved(old)
    shown = show()["alerts"]
    assert [(one["id"], one["strategyName"]) for one in shown] == [(accepted[1], "second"), (accepted[0], "first")]
    assert shown[0] == {
        "id": accepted[1],
        "strategyId": strategies[1].id,
        "strategyName": "second",
        "strategySource": "TRADINGVIEW",
        "symbol": "BTC/USDT",
        "action": "CLOSE",
        "tradeSide": None,
        "createdAt": to_iso(at[1]),
        "active": True,
        "fanoutState": "PENDING",
        "reached": None,
        "leftOut": None,
    }


def test_yesterdays_alerts_fill_the_list_and_older_ones_do_not() -> None:
    strategy = a_strategy()
    now = utc_now()
    moments = [now, now - timedelta(days=1), now - timedelta(days=3)]
    for number, moment in enumerate(moments):
        saved(
            trigger(
                id_of(str(number)),
                strategy_id=strategy.id,
                at=moment,
                accepted_on=f"{moment:%Y-%m-%d}",
                reached=number,
                left_out=1,
            )
        )
    assert [(one["reached"], one["leftOut"]) for one in show()["alerts"]] == [(0, 1), (1, 1)]
