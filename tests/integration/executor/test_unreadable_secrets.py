"""A key whose stored secret cannot be opened: its entries end, its exits are tried again, and an alarm rings."""

from __future__ import annotations

import pytest

from shared import secrets
from shared.errors import ServiceUnavailable
from shared.messages import Command
from shared.models.exchange_key import ExchangeKey
from shared.models.execution import Execution
from shared.models.trigger import Trigger
from shared.trading.execution import ExecutionState
from shared.trading.sides import Side
from tests.integration.executor.world import ORDER, Person, World

METRIC = '"secret_not_opened":[1.0]'
ATTENTION = '"attention_needed":[1.0]'


def replace_secret(person: Person, ciphertext: bytes) -> None:
    person.key.update(actions=[ExchangeKey.secret_ciphertext.set(ciphertext)])


def damage_secret(person: Person) -> bytes:
    """Damage the stored secret; return what it was."""
    good = person.key.secret_ciphertext
    replace_secret(person, b"damaged")
    return good


@pytest.fixture
def kms_out_of_reach(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    def fail(ciphertext: bytes, **_: object) -> str:
        raise ServiceUnavailable("KMS cannot be reached")

    monkeypatch.setattr(secrets, "unseal", fail)
    return monkeypatch


@pytest.mark.rings("SecretNotOpenedAlarm")
def test_entry_ends_as_failed_with_its_reason_and_an_alarm(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    person = world.follower()
    damage_secret(person)

    execution = world.open_position(person)

    assert (execution.state, execution.reason) == (ExecutionState.FAILED, "SECRET_UNREADABLE")
    assert not execution.active
    assert METRIC in capsys.readouterr().out
    assert world.account(person).sent(ORDER) == 0
    assert not Trigger.get(execution.trigger_id).active


def test_other_keys_of_the_batch_are_entered(world: World) -> None:
    damaged, other = world.follower(), world.follower()
    damage_secret(damaged)
    trigger = world.trigger()
    executions = [world.queue_execution(person, trigger) for person in (damaged, other)]

    assert world.deliver(*executions) == []

    assert [world.stored(one).state for one in executions] == [ExecutionState.FAILED, ExecutionState.PROTECTED]


def test_secret_of_another_key_opens_nothing(world: World) -> None:
    person, other = world.follower(), world.follower()
    replace_secret(person, other.key.secret_ciphertext)
    assert world.open_position(person).state is ExecutionState.FAILED


@pytest.mark.usefixtures("kms_out_of_reach")
def test_entry_waits_while_kms_is_out_of_reach_and_ends_when_its_alert_is_too_old(
    world: World, kms_out_of_reach: pytest.MonkeyPatch
) -> None:
    waits, ends = world.follower(), world.follower()
    trigger = world.trigger()
    first, second = (world.queue_execution(person, trigger) for person in (waits, ends))

    assert world.deliver(first, second) == []
    assert [world.stored(one).state for one in (first, second)] == [ExecutionState.QUEUED] * 2
    assert all(one.due_at is not None for one in map(world.stored, (first, second)))

    world.make_older(second, seconds=70)
    assert world.deliver(second) == []
    assert (world.stored(second).state, world.stored(second).reason) == (ExecutionState.FAILED, "SECRET_UNREADABLE")

    kms_out_of_reach.undo()
    assert world.deliver(first) == []
    assert world.stored(first).state is not ExecutionState.FAILED


@pytest.mark.parametrize("command", [Command.CLOSE, Command.RECONCILE])
@pytest.mark.rings("AttentionAlarm")
def test_exit_rings_and_is_tried_again_until_the_secret_opens(
    world: World, capsys: pytest.CaptureFixture[str], command: Command
) -> None:
    person = world.follower()
    execution = world.open_position(person)
    good = damage_secret(person)
    capsys.readouterr()

    assert world.deliver(execution, command=command) == []

    held = world.stored(execution)
    assert (held.state, held.active) == (ExecutionState.PROTECTED, True)
    assert held.due_at is not None
    printed = capsys.readouterr().out
    assert METRIC in printed
    assert ATTENTION in printed
    assert world.account(person).stops, "the stop stays at the exchange"

    replace_secret(person, good)
    assert world.deliver(execution, command=Command.RECONCILE) == []
    if command is Command.CLOSE:
        assert world.stored(execution).close_reason == "ADMIN"
        assert world.account(person).flat
    else:
        assert world.stored(execution).state is ExecutionState.PROTECTED


def test_opposite_alert_closes_the_older_position_as_soon_as_the_secret_opens(world: World) -> None:
    person = world.follower()
    older = world.open_position(person)
    good = damage_secret(person)

    opposite = world.open_position(person, side=Side.SELL)

    assert (opposite.state, opposite.reason) == (ExecutionState.FAILED, "SECRET_UNREADABLE")
    held = world.stored(older)
    assert (held.active, held.due_at is not None) == (True, True)
    replace_secret(person, good)
    assert world.deliver(older, command=Command.RECONCILE) == []
    assert world.stored(older).close_reason == "OPPOSITE"
    assert world.account(person).flat


def test_late_alert_that_is_overtaken_is_denied_as_always(world: World) -> None:
    person = world.follower()
    execution = world.queue_execution(person, world.trigger())
    execution.update(actions=[Execution.overtaken.set(True)])
    damage_secret(person)

    assert world.deliver(execution) == []

    assert (world.stored(execution).state, world.stored(execution).reason) == (ExecutionState.DENIED, "SUPERSEDED")
