"""No position is without a stop for longer than its bound, and none because of what our own lane has used up."""

from __future__ import annotations

from collections.abc import Iterator

from local.faults.worlds.world import World
from local.simulation.naked import Naked
from local.simulation.workers import WATCHER
from shared.config import settings

LIVING_BOUND_MS = 5_000
KILLED_BOUND_MS = 25_000
OWNER_MARGIN_MS = 90_000
"""The owner cancelled the stop: a look within the interval finds it, or the one after, if its worker is killed."""
_WATCH_INTERVAL_MS = 60_000


def check(world: World) -> Iterator[str]:
    """Yield the violations. A ban that is injected does not count, one that our requests have earned does."""
    for naked in world.exchange.naked.times:
        lasted_ms = lasted_without_bans_ms(world, naked)
        ended_ms = naked.began_ms + naked.lasted_ms(world.exchange.wall_ms())
        if naked.by_owner:
            bound_ms = _owner_bound_ms(world, naked.api_key, began_ms=naked.began_ms, ended_ms=ended_ms)
        else:
            bound_ms = KILLED_BOUND_MS if world.harms_workers else LIVING_BOUND_MS
        if lasted_ms > bound_ms:
            yield f"{naked.api_key[:8]} {naked.symbol}: {lasted_ms} ms without a stop, from {naked.began_ms}"
        lanes = world.lanes_of(naked.api_key)
        for over in world.exchange.over_limit:
            if over.address in lanes and naked.began_ms <= over.at_ms <= ended_ms and not naked.by_owner:
                yield f"{naked.api_key[:8]} {naked.symbol}: without a stop while a lane is over its limit: {over}"


def awaits_restored_stop(world: World) -> bool:
    """Return whether a stop that its owner has cancelled is not restored yet, and not overdue."""
    now_ms = world.exchange.wall_ms()
    return any(
        now_ms - began_ms <= _owner_bound_ms(world, api_key, began_ms=began_ms, ended_ms=now_ms)
        for (api_key, _), began_ms in world.exchange.naked.cancelled_by_owner.items()
    )


def _owner_bound_ms(world: World, api_key: str, *, began_ms: int, ended_ms: int) -> int:
    """Return the bound after the owner has cancelled the stop: the interval of looks, and a margin for a harmed worker.

    The message of a killed worker is replaced after 1, 3, 7 runs of the watcher (`overdue_step`), so each further
    worker that is killed or frozen on the way to the position doubles the runs.
    """
    keys = {one.key.id for one in world.people if one.account.api_key == api_key}
    harmed = [
        worker
        for worker in world.invocations.harmed_between(began_ms, ended_ms)
        if worker.task == WATCHER or any(key_id in worker.task for key_id in keys)
    ]
    runs = 1 << max(len(harmed), 1)
    return settings().look_interval_s * 1000 + OWNER_MARGIN_MS + (runs - 2) * _WATCH_INTERVAL_MS


def lasted_without_bans_ms(world: World, naked: Naked) -> int:
    """Return how long the position had no stop, without the injected bans of its lanes."""
    return naked.lasted_ms(world.exchange.wall_ms(), bans=world.injected_bans(naked.api_key))
