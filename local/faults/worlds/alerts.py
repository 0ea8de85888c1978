"""Sends the strategies' alerts: late, in any order, more than once."""

from __future__ import annotations

import asyncio
from decimal import Decimal

from local.faults.worlds.alert import Alert
from local.faults.worlds.market import Market
from local.faults.worlds.world import World
from shared.acceptance import Acceptance, accept_alert
from shared.clock import utc_now
from shared.models.strategy import Strategy
from shared.models.strategy_alerts import StrategyAlerts
from shared.trading.sides import Side, StopType
from shared.trading.signal import Signal, Trailing

_NEAREST_TARGET = (6, 6, 1)
_TRAILING_FROM = (5, 1)
"""In thousandths of the price, from the alert's price. The market may have passed a near one before the entry."""
_MOVES_WITH_ALERT = (-2, 1, 2, 3)
"""In thousandths of the price, in the direction of the alert."""
_DELIVERIES = 4
"""TradingView repeats an alert that was not answered."""


class AlertSource:
    """Draws a world's alerts, and delivers them."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._dice = world.dice

    async def fire(self, strategy: Strategy, market: Market, *, number: int) -> None:
        """Deliver an alert that fires now: at once or late, until it is answered, and now and then once more."""
        alert = self._draw(strategy, market, number=number)
        self._world.alerts.append(alert)
        if self._dice.random() < 0.25:  # noqa: PLR2004
            self._world.chances.happened["market moves with the alert"] += 1
            units = alert.signal.side.sign * self._dice.choice(_MOVES_WITH_ALERT)
            market.move_to(market.price + market.unit * units)
        is_late = alert.fired_at is not None and self._dice.random() < 0.1  # noqa: PLR2004
        if is_late:
            self._world.chances.happened["alert late"] += 1
        await asyncio.sleep(self._dice.uniform(10, 70) if is_late else self._dice.uniform(0, 2))
        await self._deliver(alert)
        if alert.is_recognisable and self._dice.random() < 0.15:  # noqa: PLR2004
            self._world.chances.happened["alert sent again"] += 1
            await asyncio.sleep(self._dice.uniform(1, 120))
            await self._deliver(alert)

    def _draw(self, strategy: Strategy, market: Market, *, number: int) -> Alert:
        dice = self._dice
        fired_at = utc_now().replace(microsecond=0) if dice.random() < 0.7 else None  # noqa: PLR2004
        alert_id = f"{self._world.seed}-{number}" if dice.random() < 0.5 else None  # noqa: PLR2004
        return Alert(strategy, self._signal(market), fired_at, alert_id)

    def _signal(self, market: Market) -> Signal:
        dice = self._dice
        side, stop_type = dice.choice(list(Side)), dice.choice(list(StopType))
        sign, unit, price = side.sign, market.unit, market.price
        trailing = None
        if dice.random() < 0.4:  # noqa: PLR2004
            trailing = Trailing(trigger=market.round(unit * dice.choice(_TRAILING_FROM)), callback_rate=Decimal("0.5"))
        nearest = dice.choice(_NEAREST_TARGET)
        distances = [nearest * (number + 1) for number in range(dice.randint(1, 4))]
        return Signal(
            side=side,
            order_price=price,
            stop=market.round(price - sign * unit * dice.randint(6, 20)),
            stop_type=stop_type,
            take_profits=tuple(market.round(price + sign * unit * distance) for distance in distances),
            trailing=trailing,
        )

    async def _deliver(self, alert: Alert) -> None:
        for _ in range(_DELIVERIES):
            accepted = await self._world.invoke_alone(asyncio.to_thread(_accept, alert))
            if accepted is not None:
                alert.trigger_ids.append(accepted.trigger_id)
                return
            await asyncio.sleep(5)


def _accept(alert: Alert) -> Acceptance:
    return accept_alert(
        alert.strategy,
        alert.signal,
        alerts=StrategyAlerts.find(alert.strategy.id),
        received_at=utc_now(),
        fired_at=alert.fired_at,
        alert_id=alert.alert_id,
    )
