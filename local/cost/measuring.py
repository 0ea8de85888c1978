"""Measures the calls of an alert, of an open position and of a close on simulated time, for few and for more followers.

The difference between the two is what a follower takes, the rest is the alert's own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import asdict

from local.capacity.books import Depth
from local.capacity.ground import Ground, Group
from local.cost.metering import Meter, metered
from shared.trading.sides import Side

SYMBOL = "BTC/USDT"
FEW, MORE = 2, 6
_QUARTERS = 4
_QUARTER_S = 900
_REST_S = 300

Figures = dict[str, dict[str, dict[str, float]]]
"""Step → `alert` or `follower` → what is counted → how often."""


def measure() -> Figures:
    """Return the calls of each step."""
    few, more = _run(FEW), _run(MORE)
    return {step: _split(few[step], more[step]) for step in few}


def _split(few: Meter, more: Meter) -> dict[str, dict[str, float]]:
    each = {name: (value - asdict(few)[name]) / (MORE - FEW) for name, value in asdict(more).items()}
    alert = {name: max(value - FEW * each[name], 0) for name, value in asdict(few).items()}
    return {"alert": _rounded(alert), "follower": _rounded(each)}


def _rounded(values: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 2) for name, value in values.items()}


def _run(followers: int) -> dict[str, Meter]:
    ground = Ground(lanes=1, groups=[Group(SYMBOL, followers)], depth=Depth.DEEP)
    with metered() as meter:
        return ground.run(lambda: _steps(ground, meter))


async def _steps(ground: Ground, meter: Meter) -> dict[str, Meter]:
    (strategy,) = ground.strategies
    found: dict[str, Meter] = {}
    # A first round warms containers and makes the records that stay.
    await ground.alert(strategy, Side.BUY)
    await _rest(ground)
    await ground.close_all(strategy)
    await _rest(ground)
    before = meter.copy()
    await ground.alert(strategy, Side.BUY)
    await _rest(ground)
    found["entry"] = meter.since(before)
    before = meter.copy()
    await asyncio.sleep(_QUARTER_S)
    found["hour"] = meter.since(before).times(_QUARTERS)
    before = meter.copy()
    await ground.close_all(strategy)
    await _rest(ground)
    found["close"] = meter.since(before)
    return found


async def _rest(ground: Ground) -> None:
    await asyncio.sleep(1)
    if not await ground.wait_until(ground.is_at_rest, within_s=_REST_S):
        raise AssertionError("the step did not end")
