"""What a follower's user has chosen: exits only, an end while a position is open, a key that is deleted."""

from __future__ import annotations

import pytest

from shared.ending_followers import end_follower, owner_of_claim
from shared.errors import ServiceUnavailable
from shared.messages import Command
from shared.models.follower import Follower, FollowerMode
from shared.models.position_slot import PositionSlot
from shared.models.trigger import Trigger
from shared.models.unique_name import NameKind, UniqueName
from shared.trading.execution import CloseReason, DenialReason, ExecutionState
from shared.trading.sides import Side
from tests.unit.functions.order_executor.harness import Harness


def stored(follower: Follower) -> Follower | None:
    return Follower.find(follower.strategy_id, follower.created_key)


def claim(executor: Harness) -> str:
    """Claim the follower's account and symbol, as following does; return the claim."""
    key = UniqueName.exact_claim_key(NameKind.FOLLOWED, executor.key.account_alias or "", executor.follower.symbol)
    UniqueName(key, owner_id=owner_of_claim(executor.follower)).save()
    return key


def test_exits_only_denies_an_entry_and_closes_the_opposite_position(executor: Harness) -> None:
    long = executor.open(Side.BUY)
    executor.follower.update(actions=[Follower.mode.set(FollowerMode.EXITS_ONLY)])
    executor.advance(1)

    short = executor.handle(executor.queue(Side.SELL))

    assert (short.state, short.reason) == (ExecutionState.DENIED, DenialReason.EXITS_ONLY)
    assert executor.now(long).close_reason == CloseReason.OPPOSITE
    assert executor.book.position == 0


def test_follower_without_a_position_is_removed_with_its_claim(executor: Harness) -> None:
    held = claim(executor)

    assert end_follower(executor.follower) == []

    assert stored(executor.follower) is None
    assert UniqueName.find(held) is None


def test_ended_follower_keeps_its_stop_and_goes_when_the_position_has_ended(executor: Harness) -> None:
    held = claim(executor)
    execution = executor.open(Side.BUY)
    stops = list(executor.book.standing())

    assert [one.id for one in end_follower(executor.follower)] == [execution.id]

    kept = stored(executor.follower)
    assert kept is not None
    assert (kept.active, kept.ended_at is None) == (False, False)
    assert UniqueName.find(held) is not None
    assert stops
    assert executor.reconcile(execution).state is ExecutionState.PROTECTED
    assert list(executor.book.standing()) == stops

    executor.request_close(execution)
    assert executor.handle(execution, Command.CLOSE).state is ExecutionState.CLOSED
    assert stored(executor.follower) is None
    assert UniqueName.find(held) is None


def test_ended_follower_opens_nothing(executor: Harness) -> None:
    executor.open(Side.BUY)
    end_follower(executor.follower)
    executor.advance(1)

    short = executor.handle(executor.queue(Side.SELL))

    assert short.reason == DenialReason.FOLLOWER_INACTIVE
    assert executor.book.position == 0
    assert stored(executor.follower) is None


def test_follower_that_a_crashed_worker_left_behind_goes_with_the_messages_repeat(executor: Harness) -> None:
    execution = executor.open(Side.BUY)
    executor.request_close(execution)
    executor.handle(execution, Command.CLOSE)
    executor.follower.update(actions=[Follower.active.set(False), Follower.ended_at.set(executor.follower.created_at)])

    executor.handle(execution, Command.CLOSE)

    assert stored(executor.follower) is None


def test_follower_is_not_ended_while_a_worker_has_the_lease(executor: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.ending_followers.LEASE_WAIT_S", 0.0)
    PositionSlot.acquire(api_key_id=executor.key.id, symbol="BTC/USDT", owner="a worker", lease_s=10)

    with pytest.raises(ServiceUnavailable):
        end_follower(executor.follower)

    assert stored(executor.follower) is not None


def test_queued_entry_of_a_deleted_key_is_denied(executor: Harness) -> None:
    execution = executor.queue()
    executor.key.delete()

    denied = executor.handle(execution)

    assert (denied.state, denied.reason) == (ExecutionState.DENIED, DenialReason.KEY_INACTIVE)
    assert executor.account.requests == []
    trigger = Trigger.find(execution.trigger_id)
    assert trigger is not None
    assert not trigger.active
