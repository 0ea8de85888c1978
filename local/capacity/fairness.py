"""More followers than one alert can reach: whether the same ones are left out again."""

from __future__ import annotations

import asyncio
from decimal import Decimal

from local.capacity.figures import Figures
from local.capacity.ground import Ground
from local.capacity.measuring import Measurement
from shared.trading.sides import Side

_ALERTS = 3
_FRESH_S = 60
_THROUGH_STOP_PCT = Decimal(-2)
_LONGEST_S, _SELDOM_S = 1_800, 20


async def alert_repeatedly(ground: Ground, *, scenario: str, second: int, held_s: int) -> Figures:
    """Alert three times, everybody flat before each, and count who never entered."""
    began_ms = await ground.begin_at(second)
    for _ in range(_ALERTS):
        last_ms = await ground.begin_at(second)
        await ground.alert(ground.strategies[0], Side.BUY)
        await asyncio.sleep(_FRESH_S + 1)
        last = Measurement(ground, last_ms).figures(scenario, held_s=held_s)
        ground.move_price(ground.strategies[0].symbol, _THROUGH_STOP_PCT)
        await ground.wait_until(ground.nothing_open, within_s=_LONGEST_S, every_s=_SELDOM_S)
    entered = {one.follower_id for one in ground.executions() if one.filled_amount}
    whole = Measurement(ground, began_ms).figures(scenario, held_s=held_s)
    more = {"neverEntered": sum(one.record.id not in entered for one in ground.people)}
    return whole.including(more, protected_in_60s=last.protected_in_60s)
