"""An exit alert on its whole way: the webhook's service, the fan-out, the executor, the exchange."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from functions.strategy_webhook.alert_json import parse_alert_json
from functions.strategy_webhook.service import fire_strategy
from functions.trigger_fanout.service import fan_out
from shared.clock import to_iso, utc_now
from shared.messages import TriggerMessage
from shared.models.execution import Execution
from shared.models.strategy import Strategy
from shared.trading.execution import ExecutionState
from shared.trading.ids import execution_id
from shared.worker import run_async
from tests import builders
from tests.builders import saved
from tests.integration.executor.world import Person, World

SECRET = "a webhook secret"
ENTRY = {"orderPrice": "20000", "stopType": "market", "winRate": "NaN"}
BUY = ENTRY | {"type": "buy", "stop": "19800", "takeProfit": "20200"}
SELL = ENTRY | {"type": "sell", "stop": "20200", "takeProfit": "19800"}
FLAT = {"type": "sell", "position": "flat", "orderPrice": "20000", "stop": "NaN", "stopType": "NaN"}


@pytest.fixture
def followed(world: World) -> World:
    """Give the strategy a webhook secret, and store the followers' risk profile."""
    world.strategy.update(actions=[Strategy.webhook_secret_hash.set(hashlib.sha256(SECRET.encode()).hexdigest())])
    saved(builders.risk_profile("a profile"))
    return world


def fire(world: World, fields: dict[str, Any], *people: Person, fired_at: datetime) -> list[Execution]:
    """Send an alert's body down the road; return the followers' executions as they are stored then."""
    body = fields | {"strategy": world.strategy.id, "secret": SECRET, "firedAt": to_iso(fired_at)}
    acceptance = fire_strategy(parse_alert_json(json.dumps(body).encode()), received_at=utc_now())
    run_async(fan_out(TriggerMessage(acceptance.trigger_id, world.strategy.id), delivery="1"))
    executions = [Execution.get(execution_id(acceptance.trigger_id, person.record.id)) for person in people]
    assert world.deliver(*executions) == []
    return [world.stored(execution) for execution in executions]


def test_flat_closes_every_position_and_answers_each_follower(followed: World) -> None:
    holder, idle = followed.follower(), followed.follower()
    begin = utc_now() - timedelta(seconds=10)
    bought, other = fire(followed, BUY, holder, idle, fired_at=begin)
    assert [bought.state, other.state] == [ExecutionState.PROTECTED] * 2
    followed.trade_as_owner(idle, "SELL", str(other.filled_amount), reduceOnly="true")

    left, none_left = fire(followed, FLAT, holder, idle, fired_at=begin + timedelta(seconds=5))

    assert (left.state, left.reason, left.detail) == (ExecutionState.DONE, "APPLIED", bought.id)
    assert none_left.state is ExecutionState.DONE
    assert followed.stored(bought).close_reason == "EXIT_ALERT"
    assert [followed.account(person).flat for person in (holder, idle)] == [True, True]


@pytest.mark.parametrize("exit_first", [True, False])
def test_exit_and_entry_of_one_second_end_with_the_entry_whichever_comes_first(
    followed: World, exit_first: bool
) -> None:
    person = followed.follower()
    begin = utc_now() - timedelta(seconds=20)
    (bought,) = fire(followed, BUY, person, fired_at=begin)
    later = begin + timedelta(seconds=10)

    for fields in (FLAT, SELL) if exit_first else (SELL, FLAT):
        fire(followed, fields, person, fired_at=later)

    assert followed.stored(bought).state is ExecutionState.CLOSED
    account = followed.account(person)
    assert account.position < 0
    assert len(account.stops) == 1


def test_exit_that_comes_late_closes_nothing_of_a_newer_entry(followed: World) -> None:
    person = followed.follower()
    begin = utc_now() - timedelta(seconds=20)
    (bought,) = fire(followed, BUY, person, fired_at=begin)

    (late,) = fire(followed, FLAT, person, fired_at=begin - timedelta(hours=1))

    assert (late.state, late.reason) == (ExecutionState.DONE, "NOTHING_TO_CLOSE")
    assert followed.stored(bought).state is ExecutionState.PROTECTED
