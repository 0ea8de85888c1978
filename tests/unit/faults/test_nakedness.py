"""The bound on a position without a stop is the one of its kind: a living worker, a killed one, the owner's doing."""

from __future__ import annotations

from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from local.faults.worlds.checks import nakedness
from local.faults.worlds.world import World
from local.simulation.naked import Naked
from local.simulation.workers import WATCHER, Worker

BEGAN_MS = 1_767_600_100_000
OWNER_MS = 690_000
"""The interval of looks and 90 s."""


def make_world(*, harms_workers: bool, lasted_ms: int, by_owner: bool) -> World:
    world = World(1)
    world.chances.worker_killed = 0.1 if harms_workers else 0.0
    world.chances.worker_frozen = 0.0
    follows: Any = SimpleNamespace(
        key=SimpleNamespace(id="key-1", api_key="a", named_lanes=("lane-1",)), account=SimpleNamespace(api_key="a")
    )
    world.people = [follows]
    world.exchange.naked.times.append(Naked("a", "BTCUSDT", BEGAN_MS, by_owner, BEGAN_MS + lasted_ms))
    return world


def harm(world: World, task: str, *, after_ms: int) -> None:
    world.invocations._to_be_harmed.append(Worker(task, harmed_at_ms=BEGAN_MS + after_ms))


def is_violated(world: World) -> bool:
    return bool(list(nakedness.check(world)))


def test_living_worker_has_five_seconds() -> None:
    assert not is_violated(make_world(harms_workers=False, lasted_ms=5_000, by_owner=False))
    assert is_violated(make_world(harms_workers=False, lasted_ms=5_001, by_owner=False))


def test_killed_worker_has_twenty_five_seconds() -> None:
    assert not is_violated(make_world(harms_workers=True, lasted_ms=25_000, by_owner=False))
    assert is_violated(make_world(harms_workers=True, lasted_ms=25_001, by_owner=False))


def test_owner_who_cancels_the_stop_is_bound_to_one_worker_killed() -> None:
    assert not is_violated(make_world(harms_workers=True, lasted_ms=OWNER_MS, by_owner=True))
    world = make_world(harms_workers=True, lasted_ms=OWNER_MS + 1, by_owner=True)
    harm(world, '{"api_key_id": "key-1"}', after_ms=30_000)
    assert is_violated(world)


def test_each_further_worker_killed_on_the_way_doubles_the_watchers_runs() -> None:
    world = make_world(harms_workers=True, lasted_ms=OWNER_MS + 120_000, by_owner=True)
    harm(world, '{"api_key_id": "key-1"}', after_ms=30_000)
    harm(world, WATCHER, after_ms=90_000)
    assert not is_violated(world)

    world = make_world(harms_workers=True, lasted_ms=OWNER_MS + 120_001, by_owner=True)
    harm(world, '{"api_key_id": "key-1"}', after_ms=30_000)
    harm(world, WATCHER, after_ms=90_000)
    assert is_violated(world)


def test_worker_of_another_key_or_another_time_extends_no_bound() -> None:
    world = make_world(harms_workers=True, lasted_ms=OWNER_MS + 10_000, by_owner=True)
    harm(world, '{"api_key_id": "key-1"}', after_ms=-1)
    harm(world, '{"api_key_id": "key-1"}', after_ms=30_000)
    harm(world, '{"api_key_id": "key-2"}', after_ms=90_000)
    assert is_violated(world)


def hold_without_a_stop(world: World, amount: str) -> None:
    """Have an account hold an amount of BTCUSDT whose stop its owner has cancelled at BEGAN_MS."""
    exchange = world.exchange
    exchange.controls.create_account({"apiKey": "a", "secret": "a", "balances": {"USDT": "10000"}}, BEGAN_MS)
    account = exchange.venue.accounts["a"]
    account.position("BTCUSDT").amount = Decimal(amount)
    exchange.naked.expect_by_owner("a", "BTCUSDT", now_ms=BEGAN_MS)
    set_clock(world, BEGAN_MS)
    exchange.check_stops("a")


def set_clock(world: World, now_ms: int) -> None:
    world.clock.advance(now_ms / 1000 - world.clock.time_ns() / 1e9)


# The second is less than one step of BTCUSDT, which no time without a stop is recorded of.
@pytest.mark.parametrize("amount", ["0.5", "-0.0006"])
def test_world_waits_for_a_stop_that_its_owner_has_cancelled_until_it_is_overdue(amount: str) -> None:
    world = make_world(harms_workers=False, lasted_ms=0, by_owner=True)
    hold_without_a_stop(world, amount)

    assert nakedness.awaits_restored_stop(world)
    set_clock(world, BEGAN_MS + OWNER_MS)
    assert nakedness.awaits_restored_stop(world)
    set_clock(world, BEGAN_MS + OWNER_MS + 10)
    assert not nakedness.awaits_restored_stop(world)


def test_world_waits_no_longer_once_the_position_is_flat() -> None:
    world = make_world(harms_workers=False, lasted_ms=0, by_owner=True)
    hold_without_a_stop(world, "0.5")

    world.exchange.venue.accounts["a"].position("BTCUSDT").amount = Decimal(0)
    world.exchange.check_stops("a")

    assert not nakedness.awaits_restored_stop(world)


def test_bans_of_several_lanes_are_left_out_once() -> None:
    naked = Naked("a", "BTCUSDT", 1_000, False, 11_000)

    assert naked.lasted_ms(0) == 10_000
    assert naked.lasted_ms(0, bans=[(2_000, 4_000), (3_000, 5_000)]) == 7_000
    assert naked.lasted_ms(0, bans=[(8_000, 20_000), (0, 2_000)]) == 6_000
    assert naked.lasted_ms(0, bans=[(0, 500), (12_000, 13_000)]) == 10_000
    assert naked.lasted_ms(0, bans=[(0, 20_000)]) == 0
