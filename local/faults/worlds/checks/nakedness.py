"""No position is without a stop for longer than its bound, and none because of what our own lane has used up."""

from __future__ import annotations

from collections.abc import Iterator

from local.faults.worlds.world import World
from local.simulation.naked import Naked

LIVING_BOUND_MS = 5_000
KILLED_BOUND_MS = 25_000
OWNER_BOUND_MS = 150_000
"""The owner cancelled the stop: the watcher's next run finds it, or the one after, if that one's worker is killed."""


def check(world: World) -> Iterator[str]:
    """Yield the violations. A ban that is injected does not count, one that our requests have earned does."""
    bound_ms = KILLED_BOUND_MS if world.harms_workers else LIVING_BOUND_MS
    for naked in world.exchange.naked.times:
        lasted_ms = lasted_without_bans_ms(world, naked)
        if lasted_ms > (OWNER_BOUND_MS if naked.by_owner else bound_ms):
            yield f"{naked.api_key[:8]} {naked.symbol}: {lasted_ms} ms without a stop, from {naked.began_ms}"
        lane = world.lane_of(naked.api_key)
        ended_ms = naked.began_ms + naked.lasted_ms(world.exchange.wall_ms())
        for over in world.exchange.over_limit:
            if over.address == lane and naked.began_ms <= over.at_ms <= ended_ms and not naked.by_owner:
                yield f"{naked.api_key[:8]} {naked.symbol}: without a stop while {lane} is over its limit: {over}"


def lasted_without_bans_ms(world: World, naked: Naked) -> int:
    """Return how long the position had no stop, without the injected bans of its lane."""
    bans = world.exchange.random_faults.bans[world.lane_of(naked.api_key)]
    return naked.lasted_ms(world.exchange.wall_ms(), bans=bans)
