"""Writes a world's figures into its verdict. Judges nothing."""

from __future__ import annotations

from collections import Counter

from local.faults.worlds.checks.nakedness import lasted_without_bans_ms
from local.faults.worlds.verdict import Verdict
from local.faults.worlds.world import World
from local.paper_exchange import state


def summarize(world: World, verdict: Verdict) -> None:
    """Fill in the verdict's figures, and the digest of everything that has happened."""
    executions = world.executions()
    verdict.executions = len(executions)
    verdict.ends = Counter(f"{one.state.value} {one.close_reason or one.reason or ''}".strip() for one in executions)
    verdict.happened = Counter(world.chances.happened)
    world.trace.record(state.encode(world.exchange.venue))
    verdict.fingerprint = world.trace.digest
    longest = verdict.longest_naked_killed if world.harms_workers else verdict.longest_naked
    for naked in world.exchange.naked.times:
        if not naked.by_owner:
            longest.include(
                without_bans_ms=lasted_without_bans_ms(world, naked),
                with_bans_ms=naked.lasted_ms(world.exchange.wall_ms()),
            )
