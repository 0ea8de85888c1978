"""The followers that a trigger reaches, the snapshot in its executions, and the result of a batch."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from functions.trigger_fanout import app
from shared.clock import from_iso, to_iso
from shared.models.base import created_key
from shared.models.exchange_key import ExchangeKey
from shared.models.execution import Execution, open_shard_of, trigger_partition
from shared.models.follower import Follower
from shared.models.position_slot import PositionSlot
from shared.models.trigger import PENDING, FanoutState, Trigger
from shared.models.trigger_count import TriggerCount
from shared.models.user import User
from shared.trading.execution import Desired, ExecutionState
from shared.trading.ids import execution_id
from shared.trading.sides import Side, StopType, StrategySource, TriggerAction
from tests import builders
from tests.builders import saved
from tests.lambda_context import FakeContext
from tests.unit.in_process_aws import Queues

EVENTS = Path("events/trigger_fanout")
TRIGGER_ID = "5d1b6f5e-30b5-4b7b-9a2f-0f7f1d3c5a10"
STRATEGY_ID = "61b79e6d-7e22-4f91-b508-ef5be6a21419"
FIRED_AT = from_iso("2022-09-09T01:57:36.304Z")


@dataclass
class Fanout:
    """One strategy with a trigger, whose followers the test adds."""

    queues: Queues
    followers: list[Follower] = field(default_factory=list)

    def add_follower(
        self, name: str, *, age: timedelta = timedelta(days=1), active: bool = True, profile_id: str = "profile"
    ) -> Follower:
        """Store a follower of this age with a user and a key of its own."""
        at = FIRED_AT - age
        user = saved(builders.user(f"user-{name}", at=at, plan_id="plan"))
        key = saved(
            builders.exchange_key(f"key-{name}", at=at, user_id=user.id, name=f"{name}'s key", egress_lane="lane-7")
        )
        follower = builders.follower(
            f"follower-{name}",
            at=at,
            strategy_id=STRATEGY_ID,
            api_key_id=key.id,
            user_id=user.id,
            risk_profile_id=profile_id,
            active=active,
        )
        follower.save()
        self.followers.append(follower)
        return follower

    def deliver(self, event: str = "trigger") -> list[str]:
        """Deliver a sample event to the function; return the failed records."""
        answer = app.lambda_handler(json.loads((EVENTS / f"{event}.json").read_text()), FakeContext())
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]

    def execution(self, follower: Follower) -> Execution | None:
        """Return a follower's execution of the trigger."""
        return Execution.find(execution_id(TRIGGER_ID, follower.id))

    def reached(self) -> list[str]:
        """Return the followers that have an execution."""
        return [follower.id for follower in self.followers if self.execution(follower) is not None]

    def sent(self) -> list[dict[str, Any]]:
        """Take the order messages that were sent."""
        return self.queues.sent_to(self.queues.orders)


@pytest.fixture
def fanout(tables: Queues) -> Fanout:
    """Return a strategy with a stored trigger, a plan and a profile."""
    at = FIRED_AT - timedelta(days=2)
    builders.strategy(STRATEGY_ID, at=at, name="Momentum").save()
    builders.risk_profile("profile", at=at).save()
    builders.plan("plan", at=at, name="PRO", max_balance_usd=15000).save()
    store_trigger()
    return Fanout(tables)


def store_trigger(*, follower_ids: list[str] | None = None, at: datetime = FIRED_AT) -> None:
    """Store the trigger of the sample events."""
    builders.trigger(
        TRIGGER_ID,
        at=at,
        strategy_id=STRATEGY_ID,
        seq=7,
        strategy_source=StrategySource.TRADINGVIEW if follower_ids is None else StrategySource.ADMIN,
        side=Side.SELL,
        price=Decimal("19286.5"),
        stop=Decimal("19299.9"),
        stop_type=StopType.LIMIT,
        take_profits=[Decimal(19200), Decimal("19100.5")],
        trailing_trigger=Decimal(95),
        callback_rate=Decimal(2),
        breakeven_after=1,
        take_profit_weights=[Decimal(70), Decimal(30)],
        max_chase=Decimal("0.5"),
        follower_ids=follower_ids,
        fired_at=at - timedelta(seconds=1),
        fanout_state=FanoutState.PENDING,
        pending=PENDING,
    ).save()


def hold(follower: Follower, *, by: str | None = None) -> None:
    """Let the slot of a follower's key hold an execution of that follower, or of another one."""
    slot = PositionSlot(follower.api_key_id, follower.symbol)
    slot.follower_id = by or follower.id
    slot.execution_id = "an older execution"
    slot.save()


def trigger_now() -> Trigger:
    return Trigger.get(TRIGGER_ID, consistent_read=True)


def test_an_execution_stores_a_snapshot_of_trigger_key_profile_and_plan(fanout: Fanout) -> None:
    follower = fanout.add_follower("ann")
    assert fanout.deliver() == []
    execution = fanout.execution(follower)
    assert execution is not None
    assert execution.signal() == trigger_now().signal()
    kept = {
        "state": ExecutionState.QUEUED,
        "desired": Desired.OPEN,
        "revision": 1,
        "seq": 7,
        "strategy_source": StrategySource.TRADINGVIEW,
        "strategy_id": STRATEGY_ID,
        "strategy_name": "Momentum",
        "trigger_id": TRIGGER_ID,
        "trigger_part": trigger_partition(TRIGGER_ID, execution.id),
        "follower_id": follower.id,
        "follower_key": follower.created_key,
        "user_id": follower.user_id,
        "api_key_id": follower.api_key_id,
        "key_name": "ann's key",
        "egress_lanes": ["lane-7"],
        "egress_lane": "lane-1",  # the key's own has no executor
        "exchange_id": "BINANCE",
        "symbol": "BTC/USDT",
        "risk_profile_id": "profile",
        "risk_pct": Decimal("1.5"),
        "plan_id": "plan",
        "max_balance_usd": 15000,
        "breakeven_after": 1,
        "take_profit_weights": [Decimal(70), Decimal(30)],
        "max_chase": Decimal("0.5"),
        "received_at": FIRED_AT,
        "fired_at": FIRED_AT - timedelta(seconds=1),
        "open_shard": open_shard_of(execution.id),
        "due_at": execution.created_at + timedelta(seconds=10),
        "created_key": created_key(to_iso(execution.created_at), execution.id),
        "closed_at": None,
    }
    assert {name: getattr(execution, name) for name in kept} == kept
    assert execution.state_times == {"QUEUED": to_iso(execution.created_at)}


def test_each_follower_gets_one_message_that_names_its_execution(fanout: Fanout) -> None:
    followers = [fanout.add_follower(name) for name in ("ann", "ben")]
    fanout.deliver()
    assert sorted(fanout.sent(), key=lambda message: message["api_key_id"]) == [
        {
            "version": 1,
            "command": "OPEN",
            "execution_id": execution_id(TRIGGER_ID, follower.id),
            "api_key_id": follower.api_key_id,
            "symbol": "BTC/USDT",
            "handed_over": False,
        }
        for follower in followers
    ]
    assert TriggerCount.total_active(TRIGGER_ID) == 2


def test_a_strategy_without_followers_ends_its_trigger_at_once(fanout: Fanout) -> None:
    assert fanout.deliver() == []
    trigger = trigger_now()
    assert (trigger.fanout_state, trigger.active) == (FanoutState.DONE, False)
    assert trigger.pending is None
    assert fanout.sent() == []


def test_a_trigger_with_executions_stays_active(fanout: Fanout) -> None:
    fanout.add_follower("ann")
    fanout.deliver()
    trigger = trigger_now()
    assert (trigger.fanout_state, trigger.active) == (FanoutState.DONE, True)


def test_followers_younger_than_the_trigger_are_left_out(fanout: Fanout) -> None:
    fanout.add_follower("older", age=timedelta(milliseconds=1))
    fanout.add_follower("same moment", age=timedelta())
    fanout.add_follower("younger", age=timedelta(milliseconds=-1))
    fanout.deliver()
    assert fanout.reached() == ["follower-older", "follower-same moment"]


def test_an_inactive_follower_is_reached_only_while_its_slot_holds_an_execution_of_its_own(fanout: Fanout) -> None:
    fanout.add_follower("flat", active=False)
    hold(fanout.add_follower("in position", active=False))
    hold(fanout.add_follower("key in use by another", active=False), by="follower-somebody")
    released = fanout.add_follower("released", active=False)
    PositionSlot(released.api_key_id, released.symbol, follower_id=released.id).save()
    fanout.deliver()
    assert fanout.reached() == ["follower-in position"]


def test_follower_that_may_be_denied_still_gets_an_execution(fanout: Fanout) -> None:
    follower = fanout.add_follower("ann")
    User.get(follower.user_id).update(actions=[User.active.set(False), User.plan_lapsed.set(True)])
    key = ExchangeKey.get(follower.api_key_id)
    key.update(actions=key.activation(active=False))
    fanout.deliver()
    execution = fanout.execution(follower)
    assert execution is not None
    assert execution.state is ExecutionState.QUEUED


def test_follower_without_key_user_or_plan_still_gets_an_execution(fanout: Fanout) -> None:
    follower = fanout.add_follower("ann")
    User.get(follower.user_id).delete()
    ExchangeKey.get(follower.api_key_id).delete()
    assert fanout.deliver() == []
    execution = fanout.execution(follower)
    assert execution is not None
    assert (execution.state, execution.key_name) == (ExecutionState.QUEUED, "")
    assert execution.plan_id is None


def test_a_missing_profile_fails_that_follower_and_holds_back_no_other(fanout: Fanout) -> None:
    broken = fanout.add_follower("broken", profile_id="gone")
    fine = fanout.add_follower("fine")
    assert fanout.deliver() == []
    execution = fanout.execution(broken)
    assert execution is not None
    assert (execution.state, execution.reason, execution.active) == (
        ExecutionState.FAILED,
        "RISK_PROFILE_MISSING",
        False,
    )
    assert execution.open_shard is None
    assert execution.closed_at is not None
    assert [message["api_key_id"] for message in fanout.sent()] == [fine.api_key_id]
    assert TriggerCount.total_active(TRIGGER_ID) == 1


def test_an_admins_trigger_reaches_the_followers_named_active_or_not(fanout: Fanout) -> None:
    fanout.add_follower("ann")
    fanout.add_follower("ben", active=False)
    fanout.add_follower("cid")
    store_trigger(follower_ids=["follower-ben", "follower-cid"])
    fanout.deliver()
    assert fanout.reached() == ["follower-ben", "follower-cid"]


def test_a_second_delivery_of_an_unfinished_fan_out_sends_its_messages_again_under_another_id(fanout: Fanout) -> None:
    fanout.add_follower("ann")
    fanout.deliver()
    trigger_now().update(actions=[Trigger.fanout_state.set(FanoutState.PENDING), Trigger.fanout_checkpoint.remove()])
    assert fanout.deliver("trigger_again") == []
    ids = [
        message["Attributes"]["MessageDeduplicationId"] for message in fanout.queues.taken_from(fanout.queues.orders)
    ]
    assert len(set(ids)) == 2
    assert TriggerCount.total_active(TRIGGER_ID) == 1


def test_a_malformed_message_fails_alone(fanout: Fanout) -> None:
    fanout.add_follower("ann")
    assert fanout.deliver("trigger_and_malformed") == ["2e1424d4-f796-459a-8184-9c92662be6da"]
    assert fanout.reached() == ["follower-ann"]


def test_a_trigger_that_is_not_stored_fails_its_record(fanout: Fanout) -> None:
    trigger_now().delete()
    assert fanout.deliver() == ["059f36b4-87a3-44ab-83d2-661975830a7d"]


def test_exit_reaches_every_follower_without_a_signal_and_needs_no_profile(fanout: Fanout) -> None:
    builders.trigger(
        TRIGGER_ID,
        at=FIRED_AT,
        strategy_id=STRATEGY_ID,
        seq=7,
        action=TriggerAction.CLOSE,
        fanout_state=FanoutState.PENDING,
        pending=PENDING,
    ).save()
    ann, bob = fanout.add_follower("ann"), fanout.add_follower("bob", profile_id="gone")
    holding, idle = fanout.add_follower("cyd", active=False), fanout.add_follower("dan", active=False)
    hold(holding)

    assert fanout.deliver() == []

    assert fanout.reached() == [ann.id, bob.id, holding.id]
    assert fanout.execution(idle) is None
    for follower in (ann, bob, holding):
        execution = fanout.execution(follower)
        assert execution is not None
        assert (execution.state, execution.opens) == (ExecutionState.QUEUED, False)
        assert execution.side is None
        assert execution.place == trigger_now().place
    assert {message["command"] for message in fanout.sent()} == {"OPEN"}


def test_reduction_reaches_followers_with_what_it_asks_for(fanout: Fanout) -> None:
    asked = {"keep_share": Decimal("0.5"), "position_side": Side.BUY, "position_size": Decimal(3)}
    builders.trigger(
        TRIGGER_ID,
        at=FIRED_AT,
        strategy_id=STRATEGY_ID,
        seq=7,
        action=TriggerAction.REDUCE,
        fanout_state=FanoutState.PENDING,
        pending=PENDING,
        **asked,
    ).save()
    ann = fanout.add_follower("ann")

    assert fanout.deliver() == []

    execution = fanout.execution(ann)
    assert execution is not None
    assert execution.exit == trigger_now().exit
    assert (execution.exit.keep_share, execution.exit.side, execution.exit.position_size) == tuple(asked.values())
    assert (execution.opens, execution.is_to_be_reduced) == (False, False)
