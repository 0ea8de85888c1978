"""The order in which a fan-out reaches its followers: around from another place each time, the left out first."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.trigger_fanout import rotation, service
from functions.trigger_fanout.rotation import Rotation
from shared.clock import from_iso
from shared.errors import RecordChanged
from shared.messages import TriggerMessage
from shared.models.execution import Execution
from shared.models.follower import Follower
from shared.models.trigger import PENDING, FanoutState, Trigger
from shared.models.trigger_count import Totals, TriggerCount
from shared.trading.execution import DenialReason, ExecutionState
from shared.trading.ids import execution_id
from shared.trading.sides import StrategySource, TriggerAction
from shared.worker import run_async
from tests import builders
from tests.builders import saved
from tests.unit.in_process_aws import Queues

AT = from_iso("2026-03-01T12:00:00.000Z")


class Strategy:
    """A strategy with followers, the oldest first, and its alerts."""

    def __init__(self, queues: Queues, followers: int) -> None:
        self.queues = queues
        saved(builders.risk_profile("profile", at=AT))
        self.record = saved(builders.strategy(at=AT))
        self.followers = [self.add_follower(number) for number in range(followers)]
        self._alerts = 0

    def add_follower(self, number: int) -> Follower:
        at = AT + timedelta(seconds=number)
        key = saved(builders.exchange_key(at=at))
        return saved(
            builders.follower(
                at=at, strategy_id=self.record.id, api_key_id=key.id, user_id="nobody", risk_profile_id="profile"
            )
        )

    def trigger(self, **changes: Any) -> Trigger:
        """Store the next trigger, whose fan-out is to be done."""
        self._alerts += 1
        usual: dict[str, Any] = {
            "at": AT + timedelta(hours=self._alerts),
            "strategy_id": self.record.id,
            "seq": self._alerts,
            "fanout_state": FanoutState.PENDING,
            "pending": PENDING,
        }
        return saved(builders.trigger(**(usual | changes)))

    def fan_out(self, trigger: Trigger) -> list[int]:
        """Fan a trigger out; return its followers' numbers in the order of their messages."""
        message = TriggerMessage(trigger_id=trigger.id, strategy_id=self.record.id)
        run_async(service.fan_out(message, delivery="1"))
        return self.sent(trigger)

    def sent(self, trigger: Trigger) -> list[int]:
        numbers = {execution_id(trigger.id, one.id): number for number, one in enumerate(self.followers)}
        return [numbers[message["execution_id"]] for message in self.queues.sent_to(self.queues.orders)]

    def alert(self, *, leaves_out: Sequence[int] = ()) -> list[int]:
        """Fan the next alert out, and end the entries of those whom it leaves out."""
        trigger = self.trigger()
        order = self.fan_out(trigger)
        for number, follower in enumerate(self.followers):
            execution = Execution.find(execution_id(trigger.id, follower.id))
            assert execution is not None
            reason = DenialReason.WEIGHT_EXHAUSTED if number in leaves_out else DenialReason.STALE
            execution.change(state=ExecutionState.DENIED, reason=reason)
        return order


@pytest.fixture
def one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of three, so small that their messages keep the order."""
    monkeypatch.setattr(service, "PAGE_SIZE", 3)
    monkeypatch.setattr(service, "_split_by_shard", lambda executions: [executions])


@pytest.mark.usefixtures("one_by_one")
def test_each_alert_begins_at_another_follower_and_goes_around(tables: Queues) -> None:
    strategy = Strategy(tables, 7)

    assert strategy.alert() == [0, 1, 2, 3, 4, 5, 6]
    assert strategy.alert() == [1, 2, 3, 4, 5, 6, 0]
    assert strategy.alert() == [2, 3, 4, 5, 6, 0, 1]


@pytest.mark.usefixtures("one_by_one")
def test_those_left_out_by_weight_come_first_at_the_next_alert_and_only_then(tables: Queues) -> None:
    strategy = Strategy(tables, 7)
    strategy.alert(leaves_out=[3, 5])

    assert strategy.alert() == [3, 5, 1, 2, 4, 6, 0]
    assert strategy.alert() == [2, 3, 4, 5, 6, 0, 1]


@pytest.mark.usefixtures("one_by_one")
def test_admins_order_neither_turns_the_order_nor_forgets_who_was_left_out(tables: Queues) -> None:
    strategy = Strategy(tables, 7)
    strategy.alert(leaves_out=[4])
    named = [strategy.followers[number].id for number in (6, 2)]

    order = strategy.fan_out(strategy.trigger(follower_ids=named, strategy_source=StrategySource.ADMIN))

    assert order == [2, 6]
    assert strategy.alert() == [4, 1, 2, 3, 5, 6, 0]


@pytest.mark.usefixtures("one_by_one")
def test_exit_does_not_forget_who_was_left_out_by_the_entry_before(tables: Queues) -> None:
    strategy = Strategy(tables, 7)
    strategy.alert(leaves_out=[4])

    order = strategy.fan_out(strategy.trigger(action=TriggerAction.CLOSE))

    assert sorted(order) == list(range(7))
    assert strategy.alert() == [4, 1, 2, 3, 5, 6, 0]


@pytest.mark.usefixtures("one_by_one")
def test_fan_out_that_is_killed_goes_on_in_its_own_order(tables: Queues, monkeypatch: pytest.MonkeyPatch) -> None:
    strategy = Strategy(tables, 7)
    strategy.alert(leaves_out=[5])
    trigger = strategy.trigger()
    usual, saved_pages = service._save_checkpoint, []

    def killed_at_the_second(*arguments: Any, **values: Any) -> None:
        saved_pages.append(arguments)
        if len(saved_pages) == 2:
            raise RecordChanged("killed")
        usual(*arguments, **values)

    with monkeypatch.context() as patch:
        patch.setattr(service, "_save_checkpoint", killed_at_the_second)
        with pytest.raises(RecordChanged):
            strategy.fan_out(trigger)
    assert strategy.sent(trigger) == [5, 1, 2, 3, 4, 6]

    # The first page is done; those after it that are still QUEUED are sent again, and nobody is passed.
    assert strategy.fan_out(trigger) == [4, 5, 6, 0]
    assert Trigger.get(trigger.id).fanout_state is FanoutState.DONE
    assert TriggerCount.totals(trigger.id) == Totals(total=7, left_out=0)


@pytest.mark.usefixtures("one_by_one")
def test_follower_that_the_next_alert_would_begin_with_may_be_gone(tables: Queues) -> None:
    strategy = Strategy(tables, 5)
    strategy.alert(leaves_out=[1])
    strategy.followers.pop(1).delete()

    assert strategy.alert() == [1, 2, 3, 0]


@pytest.mark.usefixtures("one_by_one")
def test_place_after_the_triggers_own_followers_is_not_begun_at(tables: Queues) -> None:
    strategy = Strategy(tables, 4)
    strategy.alert()
    late = strategy.trigger(at=AT)  # older than the follower that the first alert left the next one to begin with

    assert strategy.fan_out(late) == [0]


@given(count=st.integers(0, 23), start=st.integers(-1, 23), size=st.integers(1, 9), gone=st.sets(st.integers(0, 23)))
def test_pages_from_any_place_have_every_follower_once(count: int, start: int, size: int, gone: set[int]) -> None:
    keys = [f"2026-03-01T12:00:{number:02}.000Z#id" for number in range(24)]
    present = [key for number, key in enumerate(keys[:count]) if number not in gone]

    class FewFollowers:
        @staticmethod
        def between(first: str, last: str, *, limit: int) -> list[Follower]:
            return [Follower("s", key) for key in present if first <= key <= last][:limit]

    trigger = Trigger("t", created_at=AT + timedelta(hours=1), follower_ids=None)
    order = Rotation(keys[start] if start >= 0 else None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            Follower,
            "query",
            lambda _, condition, **options: FewFollowers.between(
                *(one.value["S"] for one in condition.values[1:]), limit=options["limit"]
            ),
        )
        found: list[str] = []
        done = False
        while not done:
            page, done = rotation.read_page(trigger, order, size=size)
            assert len(page) <= size
            assert page or done
            found += [follower.created_key for follower in page]
            if page:
                trigger.fanout_checkpoint = page[-1].created_key

    first = [key for key in present if order.start is None or key >= order.start]
    assert found == first + [key for key in present if key not in first]
