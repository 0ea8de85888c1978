from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from functions.admin_strategy_follower.app import lambda_handler
from shared import close_requests
from shared.clock import utc_now
from shared.errors import RecordChanged
from shared.models.execution import Execution
from shared.models.trigger import Trigger
from shared.trading.execution import Desired, ExecutionState
from tests.unit.admin_requests import Answer, sample, send
from tests.unit.in_process_aws import Queues
from tests.unit.records import a_follower, a_slot, a_strategy, a_trigger, an_execution, an_exit, id_of

OPEN = [
    ExecutionState.QUEUED,
    ExecutionState.ENTERING,
    ExecutionState.ENTRY_UNKNOWN,
    ExecutionState.UNPROTECTED,
    ExecutionState.PROTECTED,
    ExecutionState.CLOSING,
]


def close_all(**changes: Any) -> Answer:
    event = sample("admin_strategy_follower/close_all_orders")
    event["requestContext"] |= changes
    return send(lambda_handler, event)


def an_open_execution(trigger: Trigger, name: str, *, state: ExecutionState = ExecutionState.PROTECTED) -> Execution:
    execution = an_execution(trigger, a_follower(name), state=state)
    a_slot(execution)
    return execution


@pytest.mark.parametrize("state", OPEN)
def test_open_executions_are_set_to_close_and_queued(admin_api: Queues, state: ExecutionState) -> None:
    a_strategy()
    execution = an_open_execution(a_trigger("trigger", seq=1), "follower", state=state)
    answer = close_all()
    assert answer.status == 200
    assert answer.body == {"items": [{"id": execution.id, "strategyFollowId": id_of("follower"), "status": "CLOSING"}]}
    execution.refresh()
    assert (execution.desired, execution.state) == (Desired.CLOSED, state)
    assert admin_api.sent_to(admin_api.orders) == [
        {
            "version": 1,
            "command": "CLOSE",
            "execution_id": execution.id,
            "api_key_id": execution.api_key_id,
            "symbol": "BTC/USDT",
            "handed_over": False,
        }
    ]


def test_closings_do_not_wait_in_the_group_of_their_key(admin_api: Queues) -> None:
    a_strategy()
    execution = an_open_execution(a_trigger("trigger", seq=1), "follower")
    close_all()
    (message,) = admin_api.taken_from(admin_api.orders)
    assert message["Attributes"]["MessageGroupId"].startswith(f"{execution.id}.")


def test_nothing_open_is_an_empty_list(admin_api: Queues) -> None:
    a_strategy()
    trigger = a_trigger("trigger", seq=1)
    a_follower("idle")
    ended = an_execution(trigger, a_follower("ended"), state=ExecutionState.CLOSED)
    a_slot(ended)
    answer = close_all()
    assert (answer.status, answer.body) == (200, {"items": []})
    assert admin_api.sent_to(admin_api.orders) == []
    ended.refresh()
    assert ended.desired is Desired.OPEN


def test_only_this_strategys_positions_are_closed(admin_api: Queues) -> None:
    a_strategy()
    trigger = a_trigger("trigger", seq=1)
    other = an_execution(
        a_trigger("other", seq=1, strategy_id=id_of("another")),
        a_follower("elsewhere", strategy_id=id_of("another")),
        state=ExecutionState.PROTECTED,
    )
    a_slot(other)
    # The same account follows this strategy too, but the position on the symbol is the other follower's.
    a_follower("same account", api_key_id=other.api_key_id)
    mine = an_open_execution(trigger, "mine")
    assert [item["id"] for item in close_all().body["items"]] == [mine.id]
    other.refresh()
    assert other.desired is Desired.OPEN


def test_every_follower_is_reached_whatever_their_number(admin_api: Queues, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(close_requests, "_PAGE", 4)
    a_strategy()
    trigger = a_trigger("trigger", seq=1)
    expected = {an_open_execution(trigger, f"follower {number}").id for number in range(11)}
    assert {item["id"] for item in close_all().body["items"]} == expected
    sent = admin_api.sent_to(admin_api.orders)
    assert {message["execution_id"] for message in sent} == expected
    assert len(sent) == 11


def test_repeat_queues_again_and_changes_nothing_more(admin_api: Queues) -> None:
    a_strategy()
    execution = an_open_execution(a_trigger("trigger", seq=1), "follower")
    first = close_all(requestId="request-1")
    revision = Execution.get(execution.id).revision
    again = close_all(requestId="request-2")
    assert again.body == first.body
    assert Execution.get(execution.id).revision == revision
    assert len(admin_api.sent_to(admin_api.orders)) == 2


def test_queued_execution_opens_nothing_any_more(admin_api: Queues) -> None:
    a_strategy()
    now = utc_now()
    trigger = a_trigger("fresh", seq=2, at=now, active=True)
    waiting = [
        an_execution(trigger, a_follower(f"follower {number}"), state=ExecutionState.QUEUED) for number in (1, 2)
    ]
    entering = an_open_execution(trigger, "entering", state=ExecutionState.ENTERING)
    an_execution(trigger, a_follower("denied"), state=ExecutionState.DENIED)
    stale = an_execution(
        a_trigger("stale", seq=1, at=now - timedelta(minutes=10), active=True),
        a_follower("long forgotten"),
        state=ExecutionState.QUEUED,
    )
    expected = {execution.id for execution in (*waiting, entering)}
    answer = close_all()
    assert sorted(item["id"] for item in answer.body["items"]) == sorted(expected)
    assert {message["execution_id"] for message in admin_api.sent_to(admin_api.orders)} == expected
    assert {Execution.get(one).desired for one in expected} == {Desired.CLOSED}
    assert Execution.get(stale.id).desired is Desired.OPEN


def test_queued_exit_opens_nothing_and_is_not_among_what_is_closed(admin_api: Queues) -> None:
    a_strategy()
    close = an_exit("exit", seq=1, at=utc_now(), active=True)
    waiting = an_execution(close, a_follower("follower"), state=ExecutionState.QUEUED)

    assert close_all().body == {"items": []}
    assert Execution.get(waiting.id).desired is Desired.OPEN


def test_every_fresh_trigger_is_included(admin_api: Queues) -> None:
    a_strategy()
    now = utc_now()
    waiting = {
        an_execution(
            a_trigger(f"trigger {seq}", seq=seq, at=now, active=True),
            a_follower(f"follower {seq}"),
            state=ExecutionState.QUEUED,
        ).id
        for seq in range(1, 13)
    }
    assert {item["id"] for item in close_all().body["items"]} == waiting


def test_execution_that_changes_meanwhile_is_closed_too(admin_api: Queues, monkeypatch: pytest.MonkeyPatch) -> None:
    a_strategy()
    execution = an_open_execution(a_trigger("trigger", seq=1), "follower", state=ExecutionState.UNPROTECTED)
    change = Execution.change
    moved: list[bool] = []

    def change_after_the_executor(self: Execution, **values: Any) -> None:
        if not moved:
            moved.append(True)
            change(Execution.get(self.id), state=ExecutionState.PROTECTED)
        change(self, **values)

    monkeypatch.setattr(Execution, "change", change_after_the_executor)
    assert [item["id"] for item in close_all().body["items"]] == [execution.id]
    execution.refresh()
    assert (execution.state, execution.desired) == (ExecutionState.PROTECTED, Desired.CLOSED)


def test_execution_that_ends_meanwhile_is_left_out(admin_api: Queues, monkeypatch: pytest.MonkeyPatch) -> None:
    a_strategy()
    execution = an_open_execution(a_trigger("trigger", seq=1), "follower")
    change = Execution.change

    def end_first(self: Execution, **values: Any) -> None:
        change(Execution.get(self.id), state=ExecutionState.CLOSED)
        change(self, **values)

    monkeypatch.setattr(Execution, "change", end_first)
    assert close_all().body == {"items": []}
    assert admin_api.sent_to(admin_api.orders) == []
    assert Execution.get(execution.id).desired is Desired.OPEN


def test_execution_that_keeps_changing_answers_503(admin_api: Queues, monkeypatch: pytest.MonkeyPatch) -> None:
    a_strategy()
    an_open_execution(a_trigger("trigger", seq=1), "follower")

    def always_late(self: Execution, **values: Any) -> None:
        raise RecordChanged("somebody was first")

    monkeypatch.setattr(Execution, "change", always_late)
    assert close_all().status == 503


def test_inactive_strategy_is_closed_too(admin_api: Queues) -> None:
    a_strategy(active=False)
    execution = an_open_execution(a_trigger("trigger", seq=1), "follower")
    assert [item["id"] for item in close_all().body["items"]] == [execution.id]


def test_unknown_strategy_is_not_found(admin_api: Queues) -> None:
    answer = close_all()
    assert (answer.status, answer.body) == (404, {"message": "route not found"})
