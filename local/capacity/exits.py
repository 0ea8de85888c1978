"""Scenarios that begin with an admin's order to close."""

from __future__ import annotations

import asyncio

from local.capacity.figures import Figures
from local.capacity.ground import Ground
from local.capacity.measuring import Measurement

_LONGEST_S = 900
_BAN_S = 120


async def close_all(ground: Ground, *, scenario: str, second: int, held_s: int) -> Figures:
    """Everybody holds a position for so long, then an admin closes the strategy's positions."""
    await ground.open_positions()
    await ground.hold(held_s)
    began_ms = await ground.begin_at(second)
    return await _close_and_measure(ground, scenario=scenario, began_ms=began_ms, held_s=held_s)


async def close_while_banned(ground: Ground, *, scenario: str, second: int, held_s: int) -> Figures:
    """The exchange bans the address of the first lane for two minutes, and an admin closes every position then."""
    await ground.open_positions()
    await ground.hold(held_s)
    began_ms = await ground.begin_at(second)
    ground.ban(ground.lanes[0], seconds=_BAN_S)
    return await _close_and_measure(ground, scenario=scenario, began_ms=began_ms, held_s=held_s)


async def _close_and_measure(ground: Ground, *, scenario: str, began_ms: int, held_s: int) -> Figures:
    await ground.close_all(ground.strategies[0])
    measurement = Measurement(ground, began_ms)
    await asyncio.sleep(61)
    await ground.wait_until(measurement.all_closed, within_s=_LONGEST_S)
    return measurement.figures(scenario, held_s=held_s)
