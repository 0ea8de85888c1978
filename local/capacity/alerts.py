"""Scenarios that begin with alerts: followers enter, turn around, or turn again and again."""

from __future__ import annotations

import asyncio

from local.capacity.figures import Figures
from local.capacity.ground import Ground
from local.capacity.measuring import Measurement
from shared.trading.execution import NOTHING_OPENED
from shared.trading.sides import Side

_FRESH_S = 60
_LONGEST_S = 600
_FLIPS = 60
_FLIP_EVERY_S = 15


async def enter(ground: Ground, *, scenario: str, second: int, held_s: int) -> Figures:
    """Every strategy alerts at once, and nobody holds a position."""
    began_ms = await ground.begin_at(second)
    for strategy in ground.strategies:
        await ground.alert(strategy, Side.BUY)
    await asyncio.sleep(_FRESH_S + 1)
    measurement = Measurement(ground, began_ms)
    created = max(one.created_at.timestamp() for one in ground.executions())
    more = {"fannedOutS": round(created - began_ms / 1000, 1), "lastProtectedS": measurement.last_protected_s()}
    return measurement.figures(scenario, held_s=held_s, more=more)


async def turn(ground: Ground, *, scenario: str, second: int, held_s: int) -> Figures:
    """Everybody holds a position for so long, then an alert for the other side comes."""
    await ground.open_positions(Side.BUY)
    await ground.hold(held_s)
    began_ms = await ground.begin_at(second)
    await ground.alert(ground.strategies[0], Side.SELL)
    measurement = Measurement(ground, began_ms)
    await asyncio.sleep(_FRESH_S + 1)
    await ground.wait_until(measurement.all_closed, within_s=_LONGEST_S)
    return measurement.figures(scenario, held_s=held_s)


async def flip(ground: Ground, *, scenario: str, second: int, held_s: int) -> Figures:
    """Alerts for one side and the other follow each other for 15 minutes."""
    began_ms = await ground.begin_at(second)
    before = {one.id for one in ground.executions()}
    for number in range(_FLIPS):
        last_ms = began_ms + number * _FLIP_EVERY_S * 1000
        await asyncio.sleep(max(last_ms - ground.measured.wall_ms(), 0) / 1000)
        await ground.alert(ground.strategies[0], Side.SELL if number % 2 else Side.BUY)
    await asyncio.sleep(_FRESH_S + 1)
    entries = [one for one in ground.executions() if one.id not in before]
    left_out = sum(one.state in NOTHING_OPENED for one in entries)
    whole = Measurement(ground, began_ms).figures(scenario, held_s=held_s)
    last = Measurement(ground, last_ms).figures(scenario, held_s=held_s)
    return whole.including(
        {"leftOut": left_out, "entries": len(entries)},
        protected_in_60s=last.protected_in_60s,
        closed_in_60s=last.closed_in_60s,
        last_flat_s=last.last_flat_s,
    )
