"""More followers than one alert can reach: whether the same ones are left out again."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from itertools import pairwise

from local.capacity.figures import Figures
from local.capacity.ground import Ground
from local.capacity.measuring import Measurement
from shared.trading.sides import Side

_ALERTS = 3
_FRESH_S = 60
_THROUGH_STOP_PCT = Decimal(-2)
_LONGEST_S, _SELDOM_S = 1_800, 20


async def alert_repeatedly(ground: Ground, *, scenario: str, second: int, held_s: int) -> Figures:
    """Alert three times, everybody flat before each, and count who never entered, or was left out twice running."""
    began_ms = await ground.begin_at(second)
    alerts: list[str] = []
    for _ in range(_ALERTS):
        last_ms = await ground.begin_at(second)
        alerts.append(await ground.alert(ground.strategies[0], Side.BUY))
        await asyncio.sleep(_FRESH_S + 1)
        last = Measurement(ground, last_ms).figures(scenario, held_s=held_s)
        ground.move_price(ground.strategies[0].symbol, _THROUGH_STOP_PCT)
        await ground.wait_until(ground.nothing_open, within_s=_LONGEST_S, every_s=_SELDOM_S)
    entered = {one.follower_id for one in ground.executions() if one.filled_amount}
    left_out = [
        {one.follower_id for one in ground.executions() if one.trigger_id == alert and not one.filled_amount}
        for alert in alerts
    ]
    twice = set[str]().union(*(first & second for first, second in pairwise(left_out)))
    whole = Measurement(ground, began_ms).figures(scenario, held_s=held_s)
    more = {
        "neverEntered": sum(one.record.id not in entered for one in ground.people),
        "leftOutTwice": len(twice),
        "leftOutAtMost": max(map(len, left_out)),
    }
    return whole.including(more, protected_in_60s=last.protected_in_60s)
