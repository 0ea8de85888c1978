"""Holds positions for weeks and months: the clock jumps by days, funding is paid at its hours, the watcher runs on."""

from __future__ import annotations

import asyncio
from decimal import Decimal

from local.faults.worlds import owner
from local.faults.worlds.world import World
from local.paper_exchange import market_controls

_DAY_S = 86_400
_JUMP_DAYS = (0.4, 8.0)
_WATCHER_RUNS_S = 70.0
"""One or two runs of the watcher after each jump, and what they queue."""
_OWNER_CLOSES_HALF = 0.05
_FUNDING_RATES = ("0.0001", "-0.0002", "0.0005")


async def hold(world: World) -> None:
    """Let the days of the world's shape pass over what is open."""
    if not world.shape.days_held or not any(follows.held for follows in world.people):
        return
    world.chances.happened["positions held for weeks"] += 1
    for follows in world.people:
        funding = {"rate": world.dice.choice(_FUNDING_RATES), "intervalHours": 8}
        market_controls.set_funding(world.exchange.venue, follows.symbol, funding, world.exchange.now_ms())
    until_s = world.clock.monotonic() + world.shape.days_held * _DAY_S
    while world.clock.monotonic() < until_s:
        await _wait_for_messages(world)
        world.clock.advance(world.dice.uniform(*_JUMP_DAYS) * _DAY_S)
        world.exchange.follow_clock()
        if world.dice.random() < _OWNER_CLOSES_HALF:
            follows = world.dice.choice(world.people)
            owner.close(world.exchange, follows.account, follows.symbol, share=Decimal("0.5"))
        await asyncio.sleep(_WATCHER_RUNS_S)


async def _wait_for_messages(world: World) -> None:
    while True:
        await asyncio.sleep(1)
        if world.queues.at_rest:
            return
