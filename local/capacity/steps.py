"""Weighs each step on the road of a follower: all requests of its key, from the step's beginning to its end.

What is read once for everybody, prices above all, is left out: it is the shared weight of a lane.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from decimal import Decimal

from local.capacity.books import Depth
from local.capacity.ground import Ground, Group
from local.capacity.measuring import Measurement
from local.capacity.purposes import Purpose
from local.simulation.people import Follows
from shared.trading.sides import Side

_SYMBOL = "BTC/USDT"
_HELD_S = 7_200
_THROUGH_STOP_PCT = Decimal(-2)
_WITHIN_S = 300
_LOOK_MINUTES = 11


@dataclass(frozen=True, slots=True)
class Steps:
    """The weight of each step by its name in JSON, and how long an entry takes from the alert to its stop."""

    weights: dict[str, int]
    entry_s: float


def weigh_steps() -> Steps:
    """Weigh each step of one follower."""
    ground = Ground(lanes=1, groups=[Group(_SYMBOL, 2)], depth=Depth.DEEP)
    return ground.run(lambda: _Scales(ground).weigh())


class _Scales:
    """Weighs the steps of the second follower, for whom the first has warmed the container."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._begun_ms = 0

    @property
    def _follower(self) -> Follows:
        return self._ground.people[-1]

    async def weigh(self) -> Steps:
        """Run each step and weigh it."""
        await self._alert(Side.BUY)
        await self._close()
        entry = await self._alert(Side.BUY)
        entry_s = Measurement(self._ground, self._begun_ms).last_protected_s()
        look = await self._look()
        close = await self._close()
        await self._alert(Side.BUY)
        await self._ground.hold(_HELD_S)
        close_after = await self._close()
        await self._alert(Side.BUY)
        booking = await self._stop_out()
        await self._alert(Side.BUY)
        opposite = await self._alert(Side.SELL)
        weights = {
            "entry": entry,
            "look": look,
            "close": close,
            "closeAfter2h": close_after,
            "booking": booking,
            "oppositeAlert": opposite,
        }
        return Steps(weights, entry_s=entry_s or 0.0)

    async def _alert(self, side: Side) -> int:
        self._begin()
        await self._ground.alert(self._ground.strategies[0], side)
        return await self._end()

    async def _close(self) -> int:
        self._begin()
        await self._ground.close_all(self._ground.strategies[0])
        return await self._end()

    async def _stop_out(self) -> int:
        self._begin()
        self._ground.move_price(_SYMBOL, _THROUGH_STOP_PCT)
        await self._ground.wait_until(lambda: self._follower.held == 0, within_s=_WITHIN_S)
        await self._ground.wait_until(self._ground.nothing_open, within_s=_WITHIN_S)
        return self._weight(*Purpose)  # with the look that finds it

    async def _look(self) -> int:
        """Return the weight of the first look at a position."""
        for _ in range(_LOOK_MINUTES):
            self._begin()
            await asyncio.sleep(60)
            if weight := self._weight(Purpose.LOOK):
                return weight
        raise AssertionError("nobody looked at the position")

    def _begin(self) -> None:
        self._begun_ms = self._ground.measured.wall_ms()

    async def _end(self) -> int:
        """Wait until the step has ended, and return its weight; the watcher's looks meanwhile are none of it."""
        await asyncio.sleep(1)
        await self._ground.wait_until(self._ground.is_at_rest, within_s=_WITHIN_S)
        return self._weight(*(purpose for purpose in Purpose if purpose is not Purpose.LOOK))

    def _weight(self, *purposes: Purpose) -> int:
        return sum(
            one.weight
            for one in self._ground.measured.sent
            if one.at_ms >= self._begun_ms and one.api_key == self._follower.key.api_key and one.purpose in purposes
        )
