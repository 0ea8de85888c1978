from __future__ import annotations

from datetime import timedelta

import pytest

from functions.admin_strategy_follower.app import lambda_handler
from shared.acceptance import accept_alert
from shared.clock import utc_now
from shared.models.execution import Execution
from shared.models.follower import Follower
from shared.models.strategy_alerts import StrategyAlerts
from shared.models.trigger import FanoutState, Trigger
from shared.trading.execution import Desired, ExecutionState
from shared.trading.place import PlaceInTime
from shared.trading.sides import TriggerAction
from tests.unit.admin_requests import Answer, sample, send
from tests.unit.in_process_aws import Queues
from tests.unit.records import STRATEGY_ID, a_follower, a_slot, a_strategy, a_trigger, an_execution, id_of

DOCUMENTED = "af42792c-b48e-4322-9716-07050cec48c8"


def close(follower: Follower) -> Answer:
    return send(lambda_handler, sample("admin_strategy_follower/close_order", path=(DOCUMENTED, follower.id)))


def close_all() -> Answer:
    return send(lambda_handler, sample("admin_strategy_follower/close_all_orders"))


@pytest.mark.parametrize("state", [ExecutionState.ENTERING, ExecutionState.PROTECTED, ExecutionState.CLOSING])
def test_the_followers_positions_are_set_to_close_and_queued(admin_api: Queues, state: ExecutionState) -> None:
    a_strategy()
    trigger = a_trigger("trigger", seq=1)
    mine = an_execution(trigger, a_follower("mine"), state=state)
    others = an_execution(trigger, a_follower("other's"), state=state)
    a_slot(mine)
    a_slot(others)
    answer = close(Follower.get(STRATEGY_ID, mine.follower_key))
    assert answer.status == 200
    assert answer.body == {"items": [{"id": mine.id, "strategyFollowId": mine.follower_id, "status": "CLOSING"}]}
    assert [message["execution_id"] for message in admin_api.sent_to(admin_api.orders)] == [mine.id]
    assert Execution.get(mine.id).desired is Desired.CLOSED
    assert Execution.get(others.id).desired is Desired.OPEN


def test_queued_execution_opens_nothing_any_more(admin_api: Queues) -> None:
    a_strategy()
    follower = a_follower("follower")
    trigger = a_trigger("fresh", seq=1, at=utc_now(), active=True)
    waiting = an_execution(trigger, follower, state=ExecutionState.QUEUED)
    others = an_execution(trigger, a_follower("other"), state=ExecutionState.QUEUED)
    assert [item["id"] for item in close(follower).body["items"]] == [waiting.id]
    assert Execution.get(others.id).desired is Desired.OPEN


def test_nothing_open_is_an_empty_list(admin_api: Queues) -> None:
    a_strategy()
    answer = close(a_follower("idle"))
    assert (answer.status, answer.body) == (200, {"items": []})


def test_unknown_follower_is_not_found(admin_api: Queues) -> None:
    a_strategy()
    answer = send(lambda_handler, sample("admin_strategy_follower/close_order", path=(DOCUMENTED, id_of("nobody"))))
    assert (answer.status, answer.body) == (404, {"message": "route not found"})


def test_close_includes_executions_that_a_fan_out_has_yet_to_write(admin_api: Queues) -> None:
    a_strategy()
    follower = a_follower("follower")
    pending = a_trigger(
        "pending", seq=7, at=utc_now(), active=True, fanout_state=FanoutState.PENDING, pending="PENDING"
    )
    StrategyAlerts(STRATEGY_ID, last_seq=7).save()
    assert close(follower).body == {"items": []}
    assert closes(Follower.get(STRATEGY_ID, follower.created_key), pending.place)
    assert StrategyAlerts.get(STRATEGY_ID).closed_place is None
    assert close_all().body == {"items": []}
    assert closes(StrategyAlerts.get(STRATEGY_ID), pending.place)


def test_close_includes_an_alert_that_fired_before_it_and_comes_after_it_but_no_newer_one(admin_api: Queues) -> None:
    a_strategy()
    follower = a_follower("follower")
    StrategyAlerts(STRATEGY_ID, last_seq=7).save()
    close(follower)
    close_all()
    later = utc_now() + timedelta(seconds=3)
    late = PlaceInTime.of_trigger(
        TriggerAction.OPEN, fired_at=utc_now() - timedelta(seconds=5), received_at=later, seq=8
    )
    newer = PlaceInTime.of_trigger(TriggerAction.OPEN, fired_at=later, received_at=later, seq=8)
    for record in (Follower.get(STRATEGY_ID, follower.created_key), StrategyAlerts.get(STRATEGY_ID)):
        assert closes(record, late)
        assert not closes(record, newer)


def test_close_before_the_first_alert_includes_one_that_has_fired_already(admin_api: Queues) -> None:
    strategy = a_strategy()
    follower = a_follower("follower")
    fired_at = utc_now() - timedelta(seconds=5)
    close(follower)
    close_all()
    accepted = accept_alert(
        strategy,
        a_trigger("any", seq=1).signal(),
        alerts=StrategyAlerts.find(STRATEGY_ID),
        received_at=utc_now(),
        fired_at=fired_at,
    )
    trigger = Trigger.get(accepted.trigger_id)
    assert trigger.seq == 1
    assert closes(Follower.get(STRATEGY_ID, follower.created_key), trigger.place)
    assert closes(StrategyAlerts.get(STRATEGY_ID), trigger.place)


def test_close_includes_an_alert_that_a_faster_clock_has_accepted(admin_api: Queues) -> None:
    a_strategy()
    ahead = PlaceInTime.of_trigger(
        TriggerAction.OPEN, fired_at=None, received_at=utc_now() + timedelta(seconds=2), seq=7
    )
    StrategyAlerts(STRATEGY_ID, last_seq=7, latest_alert_seq=7, latest_alert_place=ahead).save()
    close_all()
    assert closes(StrategyAlerts.get(STRATEGY_ID), ahead)


def test_later_close_is_not_replaced_by_an_earlier_one(admin_api: Queues) -> None:
    a_strategy()
    later = PlaceInTime.of_closing(received_at=utc_now() + timedelta(seconds=60), seq=9, latest=None)
    follower = a_follower("follower", closed_place=later)
    StrategyAlerts(STRATEGY_ID, last_seq=7).save()
    assert close(follower).status == 200
    assert Follower.get(STRATEGY_ID, follower.created_key).closed_place == later


def closes(record: Follower | StrategyAlerts, place: PlaceInTime) -> bool:
    """Return whether the record's close is of a later place in time."""
    return record.closed_place is not None and place <= record.closed_place
