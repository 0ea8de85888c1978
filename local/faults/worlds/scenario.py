"""The events of a world: bars that close, price moves, what admins and account owners do. Injects no faults."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from decimal import Decimal

from functions.admin_strategy_follower import closing
from local.faults.worlds import forced_closes, owner
from local.faults.worlds.alerts import AlertSource
from local.faults.worlds.market import Market
from local.faults.worlds.world import RequestedClose, World
from local.simulation.people import Follows
from shared.api.paging import Listing
from shared.clock import utc_now
from shared.models.strategy import Strategy
from shared.models.trading_switch import EVERYTHING, TradingSwitch
from shared.views.closings import ClosingItem

_ALERTS_AT_A_BAR = 0.8
_OVERLOADED_AT_A_BAR = 0.1
_FOLLOWERS_PER_INCIDENT = 10
_HOUR_MS = 3_600_000


class Scenario:
    """The events of one world, drawn by its dice."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._dice = world.dice
        self._exchange = world.exchange
        self._markets = {s.id: Market(world.exchange, world.chances, world.shape, s.symbol) for s in world.strategies}
        self._source = AlertSource(world)

    async def run(self) -> None:
        """Close a bar every minute or so, at which several strategies may alert, with incidents in between."""
        loop = asyncio.get_running_loop()
        moving = [loop.create_task(market.run()) for market in self._markets.values()]
        alerts = []
        for bar in range(self._world.shape.bars):
            if self._dice.random() < _OVERLOADED_AT_A_BAR:
                self._overload_exchange()
            firing = [strategy for strategy in self._world.strategies if self._dice.random() < _ALERTS_AT_A_BAR]
            for strategy in firing:
                alert = self._source.fire(strategy, self._markets[strategy.id], number=bar)
                alerts.append(loop.create_task(alert))
            await asyncio.sleep(self._dice.uniform(0, 2))
            for _ in range(self._dice.randint(1, 3) + len(self._world.people) // _FOLLOWERS_PER_INCIDENT):
                await asyncio.sleep(self._dice.uniform(1, 45))
                await self._incident()
        await asyncio.gather(*alerts)
        await asyncio.sleep(self._dice.uniform(1, 60))
        for task in moving:
            task.cancel()

    async def close_everything(self) -> None:
        """Close every strategy, as an admin does."""
        for strategy in self._world.strategies:
            await self._close_strategy(strategy)

    def move_through_every_stop(self) -> None:
        """Move every price down and up past every stop and target."""
        for market in self._markets.values():
            accounts = self._exchange.venue.accounts.values()
            algos = [algo for account in accounts for algo in account.open_algos(market.symbol)]
            triggers = [algo.trigger_price for algo in algos if algo.trigger_price]
            lowest, highest = min([market.price, *triggers]), max([market.price, *triggers])
            market.move_to(lowest * Decimal("0.93"))
            market.move_to(highest * Decimal("1.07"))

    def restore_steps(self) -> None:
        """Let the exchange take each symbol's amounts by the step that it was listed with."""
        for market in self._markets.values():
            market.restore_step()

    def _overload_exchange(self) -> None:
        """Have the exchange take no entries for a while; what closes or reduces a position is exempt."""
        until_ms = self._exchange.wall_ms() + self._dice.randint(3_000, 30_000)
        self._exchange.random_faults.overloaded_until_ms = until_ms

    # -- what people do --------------------------------------------------------------------------------------------

    async def _incident(self) -> None:
        """Run one incident, drawn from the list, for one follower."""
        follows = self._dice.choice(self._world.people)
        incidents: list[Callable[[Follows], Awaitable[None]]] = [
            *[self._nothing] * 3,
            self._close_follower,
            self._close_strategy_of,
            self._owner_closes,
            self._owner_cancels_orders,
            self._halt_for_a_while,
            self._pay_funding,
            self._fail_exchange_information,
            *[self._change_filters] * (3 if self._world.shape.filters_change else 0),
            *[self._liquidate] * (3 if self._world.shape.forced_closes else 0),
            *[self._delist] * self._world.shape.forced_closes,
        ]
        await self._dice.choice(incidents)(follows)

    async def _nothing(self, _: Follows) -> None:
        return

    async def _close_follower(self, follows: Follows) -> None:
        await self._request_close(asyncio.to_thread(closing.close_one, follows.record, delivery=_id()))

    async def _close_strategy_of(self, follows: Follows) -> None:
        strategy = next(one for one in self._world.strategies if one.id == follows.record.strategy_id)
        await self._close_strategy(strategy)

    async def _close_strategy(self, strategy: Strategy) -> None:
        await self._request_close(asyncio.to_thread(closing.close_all, strategy, delivery=_id()))

    async def _request_close(self, request: Awaitable[Listing[ClosingItem]]) -> None:
        answer = await self._world.invoke_alone(request)
        if answer is not None:
            at_ms = self._exchange.wall_ms()
            self._world.requested_closes += [RequestedClose(item["id"], at_ms) for item in answer["items"]]

    async def _owner_closes(self, follows: Follows) -> None:
        """Close the position or half of it, as the owner."""
        share = self._dice.choice((Decimal(1), Decimal("0.5")))
        if owner.close(self._exchange, follows.account, follows.symbol, share=share):
            self._world.chances.happened["owner closed" if share == 1 else "owner closed half"] += 1

    async def _owner_cancels_orders(self, follows: Follows) -> None:
        """Cancel every order, the stop included, as the owner."""
        if follows.held:
            self._world.chances.happened["owner cancelled all orders"] += 1
            owner.cancel_everything(self._exchange, follows.account, follows.symbol)

    async def _halt_for_a_while(self, _: Follows) -> None:
        self._halt(on=True)
        await asyncio.sleep(self._dice.uniform(5, 60))
        self._halt(on=False)

    def _halt(self, *, on: bool) -> None:
        with self._world.chances.paused():
            TradingSwitch(scope=EVERYTHING, halted=on, updated_at=utc_now()).save()

    async def _pay_funding(self, follows: Follows) -> None:
        """Book a funding payment, if the exchange's next full hour is near."""
        passed_ms = self._exchange.now_ms() % _HOUR_MS
        if passed_ms > _HOUR_MS - 300_000:
            await asyncio.sleep((_HOUR_MS - passed_ms) / 1000)
        if self._exchange.now_ms() % _HOUR_MS < 1_000:  # noqa: PLR2004 - a second
            self._world.chances.happened["funding paid"] += 1
            self._exchange.controls.book_funding({"symbol": follows.symbol, "rate": "0.0001"}, self._exchange.now_ms())

    async def _fail_exchange_information(self, follows: Follows) -> None:
        """Have Exchange Information fail for a while, and new containers, which have read none, take over.

        Half of the time, positions are to be closed meanwhile.
        """
        self._world.chances.happened["Exchange Information fails"] += 1
        until_ms = self._exchange.wall_ms() + self._dice.randint(30_000, 300_000)
        self._exchange.random_faults.listing_fails_until_ms = until_ms
        self._world.containers.replace_idle()
        if self._dice.random() < 0.5:  # noqa: PLR2004
            await asyncio.sleep(self._dice.uniform(1, 20))
            await self._close_strategy_of(follows)

    async def _change_filters(self, follows: Follows) -> None:
        self._markets[follows.record.strategy_id].change_filters()

    async def _liquidate(self, follows: Follows) -> None:
        if forced_closes.liquidate(self._exchange, follows.account, self._markets[follows.record.strategy_id]):
            self._world.chances.happened["account liquidated"] += 1

    async def _delist(self, follows: Follows) -> None:
        if follows.held:
            self._world.chances.happened["symbol delisted"] += 1
            forced_closes.delist(self._exchange, follows.symbol)


def _id() -> str:
    return str(uuid.uuid4())
