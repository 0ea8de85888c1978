"""The events of a world: alerts, price moves, what admins and account owners do. Injects no faults."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from decimal import Decimal

from functions.admin_strategy_follower import closing
from local.faults.worlds import owner
from local.faults.worlds.exchange import SYMBOL
from local.faults.worlds.people import Person
from local.faults.worlds.world import World
from shared.acceptance import Acceptance, accept_alert
from shared.clock import utc_now
from shared.models.strategy_alerts import StrategyAlerts
from shared.models.trading_switch import EVERYTHING, TradingSwitch
from shared.trading.sides import Side, StopType
from shared.trading.signal import Signal, Trailing

ALERTS = 5
_DELIVERIES = 4
"""TradingView repeats an alert that was not answered."""
_HOUR_MS = 3_600_000
_LOWEST, _HIGHEST = Decimal(8_000), Decimal(50_000)


class Scenario:
    """The events of one world, drawn by its dice."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._dice = world.dice
        self._exchange = world.exchange
        self._price = Decimal(20_000)

    async def run(self) -> None:
        """Send an alert every minute or so, with incidents between them."""
        market = asyncio.create_task(self._move_market())
        for number in range(ALERTS):
            await self._alert(number)
            for _ in range(self._dice.randint(1, 3)):
                await asyncio.sleep(self._dice.uniform(1, 45))
                await self._incident()
        await asyncio.sleep(self._dice.uniform(1, 60))
        market.cancel()

    async def close_everything(self) -> None:
        """Close the whole strategy, as an admin does."""
        await self._world.invoke_alone(asyncio.to_thread(closing.close_all, self._world.strategy, delivery=_id()))

    def move_through_every_stop(self) -> None:
        """Move the price down and up past every stop and target."""
        accounts = self._exchange.venue.accounts.values()
        triggers = [algo.trigger_price for one in accounts for algo in one.open_algos(SYMBOL) if algo.trigger_price]
        lowest, highest = min([self._price, *triggers]), max([self._price, *triggers])
        self._set_price(_round(lowest * Decimal("0.93")))
        self._set_price(_round(highest * Decimal("1.07")))

    # -- alerts and the market -------------------------------------------------------------------------------------

    async def _alert(self, number: int) -> None:
        world, signal = self._world, self._signal()
        for _ in range(_DELIVERIES):
            accepting = asyncio.to_thread(self._accept, signal, alert_id=f"{world.seed}-{number}")
            if await world.invoke_alone(accepting) is not None:
                return
            await asyncio.sleep(3)

    def _accept(self, signal: Signal, *, alert_id: str) -> Acceptance:
        strategy = self._world.strategy
        alerts = StrategyAlerts.find(strategy.id)
        return accept_alert(strategy, signal, alerts=alerts, received_at=utc_now(), alert_id=alert_id)

    def _signal(self) -> Signal:
        side, stop_type = self._dice.choice(list(Side)), self._dice.choice(list(StopType))
        sign, unit = side.sign, self._price / 1000
        trailing = None
        if self._dice.random() < 0.3:  # noqa: PLR2004
            trailing = Trailing(trigger=_round(unit * 5), callback_rate=Decimal("0.5"))
        distances = [6 * (number + 1) for number in range(self._dice.randint(1, 4))]
        return Signal(
            side=side,
            order_price=self._price,
            stop=_round(self._price - sign * unit * self._dice.randint(6, 20)),
            stop_type=stop_type,
            take_profits=tuple(_round(self._price + sign * unit * distance) for distance in distances),
            trailing=trailing,
        )

    async def _move_market(self) -> None:
        while True:
            await asyncio.sleep(self._dice.uniform(2, 15))
            change = self._dice.gauss(0, 0.0025)
            if self._dice.random() < 0.03:  # noqa: PLR2004
                change *= 8  # a gap
            self._set_price(_round(self._price * Decimal(1 + change)))

    def _set_price(self, price: Decimal) -> None:
        self._price = min(max(price, _LOWEST), _HIGHEST)
        self._exchange.move_price(self._price)

    # -- what people do --------------------------------------------------------------------------------------------

    async def _incident(self) -> None:
        """Run one incident, drawn from the list, for one follower."""
        person = self._dice.choice(self._world.people)
        incidents: list[Callable[[Person], Awaitable[None]]] = [
            *[self._nothing] * 3,
            self._close_follower,
            self._close_strategy,
            self._owner_closes,
            self._owner_cancels_orders,
            self._halt_for_a_while,
            self._pay_funding,
        ]
        await self._dice.choice(incidents)(person)

    async def _nothing(self, _: Person) -> None:
        return

    async def _close_follower(self, person: Person) -> None:
        await self._world.invoke_alone(asyncio.to_thread(closing.close_one, person.record, delivery=_id()))

    async def _close_strategy(self, _: Person) -> None:
        await self.close_everything()

    async def _owner_closes(self, person: Person) -> None:
        """Close the position or half of it, as the owner."""
        account = self._exchange.venue.accounts[person.key.api_key]
        amount = account.position(SYMBOL).amount
        if not amount:
            return
        share = self._dice.choice((Decimal(1), Decimal("0.5")))
        quantity = abs(amount) * share // Decimal("0.001") * Decimal("0.001")
        if quantity:
            self._world.chances.happened["owner closed" if share == 1 else "owner closed half"] += 1
            side = Side.SELL if amount > 0 else Side.BUY
            owner.close(self._exchange, account, side=side, quantity=quantity)

    async def _owner_cancels_orders(self, person: Person) -> None:
        """Cancel every order, the stop included, as the owner."""
        account = self._exchange.venue.accounts[person.key.api_key]
        if account.position(SYMBOL).amount:
            self._world.chances.happened["owner cancelled all orders"] += 1
            self._exchange.without_stop_by_owner.add(account.api_key)
            owner.cancel_everything(self._exchange, account)

    async def _halt_for_a_while(self, _: Person) -> None:
        self._halt(on=True)
        await asyncio.sleep(self._dice.uniform(5, 60))
        self._halt(on=False)

    def _halt(self, *, on: bool) -> None:
        with self._world.chances.paused():
            TradingSwitch(scope=EVERYTHING, halted=on, updated_at=utc_now()).save()

    async def _pay_funding(self, _: Person) -> None:
        """Book a funding payment, if the exchange's next full hour is near."""
        passed_ms = self._exchange.now_ms() % _HOUR_MS
        if passed_ms > _HOUR_MS - 300_000:
            await asyncio.sleep((_HOUR_MS - passed_ms) / 1000)
        if self._exchange.now_ms() % _HOUR_MS < 1_000:  # noqa: PLR2004 - a second
            self._world.chances.happened["funding paid"] += 1
            self._exchange.controls.book_funding({"symbol": SYMBOL, "rate": "0.0001"}, self._exchange.now_ms())


def _round(price: Decimal) -> Decimal:
    return price.quantize(Decimal("0.1"))


def _id() -> str:
    return str(uuid.uuid4())
