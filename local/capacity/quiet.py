"""A thousand open positions whose market stands still, and what a touched stop among them takes to be booked."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from decimal import Decimal
from itertools import pairwise

from local.capacity.figures import Figures
from local.capacity.ground import Ground
from local.capacity.measuring import Measurement
from local.capacity.purposes import Purpose
from local.simulation.people import Follows
from shared.clock import from_iso
from shared.models.execution import Execution
from shared.trading.execution import ExecutionState

_SETTLE_S = 120
_MINUTES = 10
_THROUGH_STOP_PCT = Decimal(-2)
_LONGEST_S, _SELDOM_S = 900, 10
_SECONDS = (1, 20, 45)


async def watch_quietly(ground: Ground, *, scenario: str, second: int, held_s: int) -> Figures:
    """Look at open positions for ten minutes, then touch the stops of one small strategy after another.

    The first strategy's market never moves. The others' stops are touched at different seconds of a minute.
    """
    await ground.open_positions()
    await asyncio.sleep(_SETTLE_S)
    began_ms = await ground.begin_at(second)
    await asyncio.sleep(_MINUTES * 60)
    ended_ms = ground.measured.wall_ms()
    looks = ground.measured.weight_by_purpose(from_ms=began_ms, until_ms=ended_ms).get(Purpose.LOOK, 0)
    unseen_s = _longest_unseen_s(ground, began_ms, ended_ms)
    booked_s = [
        took_s
        for strategy, at in zip(ground.strategies[1:], _SECONDS, strict=True)
        for took_s in await _touch(ground, strategy.symbol, at)
    ]
    figures = Measurement(ground, began_ms).figures(scenario, held_s=held_s)
    more = {
        "lookWeightPerMinute": round(looks / _MINUTES),
        "longestUnseenS": unseen_s,
        "touchedToBookedS": None if None in booked_s else max(took for took in booked_s if took is not None),
    }
    return figures.including(more)


def _longest_unseen_s(ground: Ground, began_ms: int, ended_ms: int) -> float:
    """Return the longest time in which nobody looked at one of the positions."""
    looked: dict[str, list[int]] = defaultdict(list)
    for one in ground.measured.sent:
        if one.purpose is Purpose.LOOK and began_ms <= one.at_ms < ended_ms:
            looked[one.api_key].append(one.at_ms)
    gaps = []
    for follows in ground.people:
        at_ms = [began_ms, *looked[follows.key.api_key], ended_ms]
        gaps += [later - earlier for earlier, later in pairwise(at_ms)]
    return round(max(gaps) / 1000, 1)


async def _touch(ground: Ground, symbol: str, second: int) -> list[float | None]:
    """Fill the stops of a strategy; return in how many seconds each position was booked, None if it was not."""
    await ground.begin_at(second)
    touched_ms = ground.measured.wall_ms()
    ground.move_price(symbol, _THROUGH_STOP_PCT)
    people = [one for one in ground.people if one.record.symbol == symbol]

    def all_booked() -> bool:
        return None not in _booked_s(ground, people, touched_ms)

    await ground.wait_until(all_booked, within_s=_LONGEST_S, every_s=_SELDOM_S)
    return _booked_s(ground, people, touched_ms)


def _booked_s(ground: Ground, people: list[Follows], touched_ms: int) -> list[float | None]:
    of_follower = {one.follower_id: one for one in ground.executions()}
    return [_took_s(of_follower[one.record.id], touched_ms) for one in people]


def _took_s(execution: Execution, since_ms: int) -> float | None:
    booked = execution.state_times.get(ExecutionState.CLOSED.value)
    return round(from_iso(booked).timestamp() - since_ms / 1000, 1) if booked else None
