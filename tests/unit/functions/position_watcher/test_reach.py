"""Whom an alert has reached is recorded once it is stale, and the admins hear of those whom it left out, once."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from functions.position_watcher import app, reach
from shared.clock import utc_now
from shared.config import settings
from shared.models.notice import Notice
from shared.models.strategy import Strategy
from shared.models.trigger import FanoutState, Trigger
from shared.models.trigger_count import TriggerCount
from shared.notifications.notice_types import FollowersLeftOut, NoticeKind, from_json
from shared.notifications.recipients import ADMINS
from tests import builders
from tests.builders import saved
from tests.lambda_context import FakeContext
from tests.unit.in_process_aws import Queues

STALE_S = settings().max_alert_age_s + 30


def stored_trigger(strategy: Strategy, *, seconds_ago: float = STALE_S, left_out: int = 0, **values: Any) -> Trigger:
    """Store an alert that ten followers had, in two shards of its count."""
    at = utc_now() - timedelta(seconds=seconds_ago)
    usual: dict[str, Any] = {"at": at, "strategy_id": strategy.id, "fanout_state": FanoutState.DONE}
    trigger = saved(builders.trigger(**(usual | values)))
    for shard, (total, left) in enumerate([(6, left_out), (4, 0)]):
        TriggerCount(trigger.id, shard).update(
            actions=[TriggerCount.total.add(total), TriggerCount.left_out.add(left)],
        )
    return trigger


def check(trigger: Trigger) -> Trigger:
    """Deliver the delayed check of the trigger; return the trigger as it is stored then."""
    record = {"messageId": "m1", "body": json.dumps({"trigger_id": trigger.id}), "attributes": {}}
    assert app.lambda_handler({"Records": [record]}, FakeContext()) == {"batchItemFailures": []}
    return Trigger.get(trigger.id)


def notices() -> list[FollowersLeftOut]:
    found: list[FollowersLeftOut] = []
    for notice in Notice.scan():
        assert notice.recipient == ADMINS
        values = from_json(NoticeKind(notice.kind), notice.content)
        assert isinstance(values, FollowersLeftOut)
        found.append(values)
    return found


@pytest.fixture
def strategy(tables: Queues) -> Strategy:
    return saved(builders.strategy(name="Momentum"))


def test_alert_that_left_followers_out_says_so_and_tells_the_admins(
    strategy: Strategy, capsys: pytest.CaptureFixture[str]
) -> None:
    trigger = check(stored_trigger(strategy, left_out=3))

    assert (trigger.reached, trigger.left_out) == (7, 3)
    (told,) = notices()
    assert (told.strategy_name, told.reached, told.left_out) == ("Momentum", 7, 3)
    assert '"followers_left_out":[1.0]' in capsys.readouterr().out


def test_alert_that_reached_everybody_says_so_and_tells_nobody(
    strategy: Strategy, capsys: pytest.CaptureFixture[str]
) -> None:
    trigger = check(stored_trigger(strategy))

    assert (trigger.reached, trigger.left_out) == (10, 0)
    assert notices() == []
    assert "followers_left_out" not in capsys.readouterr().out


def test_nothing_is_recorded_while_entries_may_still_be_made(strategy: Strategy) -> None:
    trigger = check(stored_trigger(strategy, seconds_ago=15, left_out=3))

    assert trigger.reached is None
    assert trigger.left_out is None
    assert notices() == []


def test_check_that_comes_twice_records_and_tells_once(strategy: Strategy, capsys: pytest.CaptureFixture[str]) -> None:
    trigger = stored_trigger(strategy, left_out=3)
    check(trigger)
    check(trigger)

    assert len(notices()) == 1
    assert capsys.readouterr().out.count('"followers_left_out":[1.0]') == 1


def test_notice_of_a_worker_that_crashed_before_its_write_is_not_lost(
    strategy: Strategy, monkeypatch: pytest.MonkeyPatch
) -> None:
    trigger = stored_trigger(strategy, left_out=3)
    with monkeypatch.context() as crashing:
        crashing.setattr(reach, "conditional_write", _crash)
        with pytest.raises(KeyboardInterrupt):
            reach.record_reach(trigger)

    assert check(trigger).left_out == 3
    assert len(notices()) == 1


def _crash() -> None:
    raise KeyboardInterrupt


def test_strategy_that_alerts_often_tells_the_admins_once_an_hour(strategy: Strategy) -> None:
    # Both in the hour that began two hours ago.
    hour = utc_now().replace(minute=0, second=0, microsecond=0) - timedelta(hours=2)
    seconds_ago = [(utc_now() - _after(hour, minutes)).total_seconds() for minutes in (5, 35, 65)]
    for one in seconds_ago:
        check(stored_trigger(strategy, seconds_ago=one, left_out=3))

    assert len(notices()) == 2


def _after(hour: datetime, minutes: int) -> datetime:
    return hour + timedelta(minutes=minutes)
