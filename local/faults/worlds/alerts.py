"""Sends the strategies' alerts: late, in any order, more than once."""

from __future__ import annotations

import asyncio
import dataclasses
import random
from decimal import Decimal

from local.faults.worlds.alert import Alert
from local.faults.worlds.market import Market
from local.faults.worlds.world import World
from shared.acceptance import Acceptance, accept_alert
from shared.clock import utc_now
from shared.models.strategy import Strategy
from shared.models.strategy_alerts import StrategyAlerts
from shared.trading.exits import Exit
from shared.trading.sides import Side, StopType, TriggerAction
from shared.trading.signal import Signal, Trailing
from shared.trading.updates import Update

_NEAREST_TARGET = (6, 6, 1)
_TRAILING_FROM = (5, 1)
"""In thousandths of the price, from the alert's price. The market may have passed a near one before the entry."""
_MOVES_WITH_ALERT = (-2, 1, 2, 3)
"""In thousandths of the price, in the direction of the alert."""
_EXIT_ALONE, _EXIT_BESIDE, _EXIT_AFTERWARDS = 0.1, 0.3, 0.4
"""How often a strategy that leaves its positions alerts an exit instead of an entry, both at once, or one later."""
_HELD_S = (2, 40)
_LEFT_BY_PARTS = 0.6
"""How often a strategy leaves an entry's position by two parts of one bar."""
_PARTS_AFTER_S = (0, 30)
_SHARES = tuple(map(Decimal, ("0.01", "0.25", "0.5", "0.8")))
_UPDATES, _UPDATED_AFTER_S = (1, 2, 3), (2, 30)
"""How many for an entry, and how long after the one before."""
_NEW_STOP = (25, 10, 5, 2, -1)
"""In thousandths of the price, behind the market: some are no nearer to it than the present stop, one is beyond it."""
_BREAKEVEN_AFTER = (None, 1, 2)
_DELIVERIES = 4
"""TradingView repeats an alert that was not answered."""


class AlertSource:
    """Draws a world's alerts, and delivers them."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._dice = world.dice
        # Dice of their own: a world without exit alerts stays what it was.
        self._exit_dice = random.Random(f"{world.seed} exit or entry")  # noqa: S311 - chance, not secrecy
        self._update_dice = random.Random(f"{world.seed} updates")  # noqa: S311 - chance, not secrecy
        self._part_dice = random.Random(f"{world.seed} parts")  # noqa: S311 - chance, not secrecy

    async def fire(self, strategy: Strategy, market: Market, *, number: int) -> None:
        """Deliver what a strategy alerts now: an entry, an exit, or both; and what it asks of the position later."""
        entry = self._draw(strategy, market, number=number)
        if not self._world.shape.updates:
            await self._fire_with_parts(entry, market)
            return
        signal = dataclasses.replace(entry.signal, breakeven_after=self._update_dice.choice(_BREAKEVEN_AFTER))
        entry = dataclasses.replace(entry, instruction=signal)
        await asyncio.gather(self._fire_with_parts(entry, market), self._update_later(entry, market))

    async def _update_later(self, entry: Alert, market: Market) -> None:
        """Deliver updates that move the stop of the position, or say when it moves to break-even."""
        dice, side = self._update_dice, entry.signal.side
        for number in range(dice.choice(_UPDATES)):
            await asyncio.sleep(dice.uniform(*_UPDATED_AFTER_S))
            self._world.chances.happened["update alert"] += 1
            price = market.round(market.price - side.sign * market.unit * dice.choice(_NEW_STOP))
            updates = (Update(stop=price), Update(stop=price), Update(breakeven=True), Update(breakeven_after=1))
            fired_at = utc_now().replace(microsecond=0) if entry.fired_at is not None else None
            alert_id = f"{entry.alert_id}-update-{number}" if entry.alert_id is not None else None
            asked = Exit(TriggerAction.UPDATE, update=dice.choice(updates))
            await self._send(Alert(entry.strategy, asked, fired_at, alert_id), market)

    async def _fire_with_parts(self, entry: Alert, market: Market) -> None:
        if self._world.shape.reductions and self._part_dice.random() < _LEFT_BY_PARTS:
            await asyncio.gather(self._fire_like(entry, market), self._leave_by_parts(entry, market))
        else:
            await self._fire_like(entry, market)

    async def _fire_like(self, entry: Alert, market: Market) -> None:
        drawn = self._exit_dice.random() if self._world.shape.exit_alerts else 1.0
        if drawn < _EXIT_ALONE:
            await self._send(self._exit_like(entry), market)
        elif drawn < _EXIT_ALONE + _EXIT_BESIDE:
            await asyncio.gather(self._send(entry, market), self._send(self._exit_like(entry), market))
        elif drawn < _EXIT_ALONE + _EXIT_BESIDE + _EXIT_AFTERWARDS:
            await asyncio.gather(self._send(entry, market), self._leave_later(entry, market))
        else:
            await self._send(entry, market)

    async def _leave_later(self, entry: Alert, market: Market) -> None:
        await asyncio.sleep(self._exit_dice.uniform(*_HELD_S))
        await self._send(self._exit_like(entry), market)

    async def _leave_by_parts(self, entry: Alert, market: Market) -> None:
        """Deliver two reductions that fire at once; either may come first, and before the entry."""
        await asyncio.sleep(self._part_dice.uniform(*_PARTS_AFTER_S))
        fired_at = utc_now().replace(microsecond=0) if entry.fired_at is not None else None
        parts = []
        for number, keep_share in enumerate(self._part_dice.sample(_SHARES, 2)):
            self._world.chances.happened["reduction"] += 1
            side = entry.instruction.side if self._part_dice.random() < 0.5 else None  # noqa: PLR2004
            alert_id = f"{entry.alert_id}-part-{number}" if entry.alert_id is not None else None
            asked = Exit(TriggerAction.REDUCE, side, keep_share)
            parts.append(self._send(Alert(entry.strategy, asked, fired_at, alert_id), market))
        await asyncio.gather(*parts)

    def _exit_like(self, entry: Alert) -> Alert:
        """Return an exit that fires now, and says of itself as much as the entry does."""
        self._world.chances.happened["exit alert"] += 1
        fired_at = utc_now().replace(microsecond=0) if entry.fired_at is not None else None
        alert_id = f"{entry.alert_id}-exit" if entry.alert_id is not None else None
        return Alert(entry.strategy, Exit(TriggerAction.CLOSE), fired_at, alert_id)

    async def _send(self, alert: Alert, market: Market) -> None:
        """Deliver an alert at once or late, until it is answered, and now and then once more."""
        self._world.alerts.append(alert)
        if self._dice.random() < 0.25:  # noqa: PLR2004
            self._world.chances.happened["market moves with the alert"] += 1
            units = self._sign_of(alert) * self._dice.choice(_MOVES_WITH_ALERT)
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

    def _sign_of(self, alert: Alert) -> int:
        """Return the direction of an entry; of an exit, either."""
        if isinstance(alert.instruction, Exit):
            return self._exit_dice.choice((1, -1))
        return alert.instruction.side.sign

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
        alert.instruction,
        alerts=StrategyAlerts.find(alert.strategy.id),
        received_at=utc_now(),
        fired_at=alert.fired_at,
        alert_id=alert.alert_id,
    )
