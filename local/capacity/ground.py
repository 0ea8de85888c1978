"""The ground of one measurement: a simulation with limits, lanes, followers, and what is done on it.

Injects no fault. Whatever takes time takes simulated time, apart from what only observes.
"""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any, TypeVar

from functions.admin_strategy_follower import closing
from local.capacity import purposes
from local.capacity.books import Depth, set_book
from local.capacity.exchange import MeasuredExchange, MeasuredSession
from local.paper_exchange import market_controls
from local.paper_exchange.symbols import SYMBOLS
from local.simulation.chances import Chances
from local.simulation.clock import SimulatedClock
from local.simulation.conditions import Conditions
from local.simulation.people import Follows, People, orders_queue_of
from local.simulation.product import Product, as_new_process
from local.simulation.surroundings import DAY_BEGINS_S, Surroundings
from local.simulation.trace import NoTrace
from shared.acceptance import Acceptance, accept_alert
from shared.clock import utc_now
from shared.models.egress_lane import EgressLane
from shared.models.execution import Execution
from shared.models.strategy import Strategy
from shared.models.strategy_alerts import StrategyAlerts
from shared.models.trigger import Trigger
from shared.trading.sides import Side, StopType
from shared.trading.signal import Signal

EXCHANGE_S = 0.050
"""From a request to its answer."""
TABLE_S = 0.010
QUEUE_S = 0.010
BALANCE_USDT = "10000"

CONDITIONS = Conditions(
    one_way_s=(EXCHANGE_S / 2, EXCHANGE_S / 2),
    table_s=TABLE_S,
    queue_s=QUEUE_S,
    threads_overlap=True,
    containers_per_lane=1,
    new_containers=0.0,
)

_SEED = 12
_MINUTE_S = 60
_SELDOM_S = 10
"""Between two reads of every execution, which take real time."""
_UNLIMITED = 1_000_000
_CONTAINERS_OF_SET_UP = 40
_STOP_PCT = Decimal("1.5")
_TARGETS_PCT = (Decimal(2), Decimal(4), Decimal(6))
_FUNDING_RATE = "0.0001"

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Group:
    """The followers of one strategy."""

    symbol: str
    """`BTC/USDT`."""
    followers: int


class Ground(Surroundings):
    """Followers on lanes, and what alerts, admins and the market do to them."""

    def __init__(self, *, lanes: int, groups: Sequence[Group], depth: Depth) -> None:
        dice = random.Random(_SEED)  # noqa: S311 - chance, not secrecy
        clock = SimulatedClock(wall_s=DAY_BEGINS_S)
        with as_new_process():
            super().__init__(
                _SEED, dice=dice, clock=clock, chances=Chances(dice), conditions=CONDITIONS, trace=NoTrace()
            )
        self.lanes = [f"lane-{number + 1}" for number in range(lanes)]
        self.groups = groups
        self.depth = depth
        self.strategies: list[Strategy] = []
        self.people: list[Follows] = []

    def _create_exchange(self) -> MeasuredExchange:
        self.measured = MeasuredExchange(self.clock, self.chances, self.trace)
        return self.measured

    # -- set-up ----------------------------------------------------------------------------------------------------

    def run(self, scenario: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
        """Run a scenario on this ground, from its set-up to the end."""
        product = _MeasuredProduct(self)

        async def whole() -> _T:
            asyncio.get_running_loop().set_task_factory(purposes.start_task)
            self._create_people()
            running = product.start(self.lanes)
            try:
                result = await scenario()
            finally:
                for task in running:
                    task.cancel()
            if product.bugs:
                raise AssertionError("\n".join(product.bugs))
            return result

        return product.run(whole)

    def _create_people(self) -> None:
        self.exchange.controls.change_settings({"limits_enabled": True, "refuse_late_past_recv_window": True})
        people = People(self.exchange)
        people.create_lanes(self.lanes)
        for group in self.groups:
            name = group.symbol.replace("/", "")
            set_book(self.exchange.venue, name, self.depth)
            funding = {"rate": _FUNDING_RATE, "intervalHours": 8}
            market_controls.set_funding(self.exchange.venue, name, funding, self.exchange.now_ms())
            strategy = people.create_strategy(group.symbol)
            self.strategies.append(strategy)
            for _ in range(group.followers):
                api_key = f"{self.dice.getrandbits(256):064x}"
                self.people.append(
                    people.create_follower(strategy, lanes=self.lanes, api_key=api_key, balance_usdt=BALANCE_USDT)
                )

    async def open_positions(self, side: Side = Side.BUY) -> None:
        """Have every follower enter, without the exchange's limits and with as many containers as it takes."""
        self._lift_limits()
        for strategy in self.strategies:
            await self.alert(strategy, side)
        await self.wait_until(self.is_at_rest, within_s=300)
        self._restore_limits()

    def _lift_limits(self) -> None:
        self.exchange.controls.change_settings({"limits_enabled": False})
        self._limit_containers(_CONTAINERS_OF_SET_UP)
        self.limit_lanes(_UNLIMITED)

    def _limit_containers(self, most_at_once: int | None) -> None:
        for lane in self.lanes:
            self.queues.limit(orders_queue_of(lane), most_at_once)

    def limit_lanes(self, weight: int) -> None:
        """Set the weight a minute that the lanes' records allow."""
        with self.clock.apart():
            for lane in self.lanes:
                EgressLane(lane).update(actions=[EgressLane.weight_limit.set(weight)])

    def _restore_limits(self) -> None:
        self.containers.replace_idle()
        self._limit_containers(CONDITIONS.containers_per_lane)
        with self.clock.apart():
            for lane in self.lanes:
                EgressLane(lane).update(actions=[EgressLane.weight_limit.remove(), EgressLane.used_weight.set(0)])
        self.exchange.controls.change_settings({"limits_enabled": True})
        self.measured.forget_counts()

    async def hold(self, seconds: float) -> None:
        """Hold the open positions so long: after their first look the clock jumps, then the watcher catches up."""
        await self.wait_until(self.was_looked_at, within_s=300)
        await self.wait_until(lambda: self.queues.at_rest, within_s=300)
        self.clock.advance(seconds)
        await asyncio.sleep(2 * _MINUTE_S)
        await self.wait_until(self.is_caught_up, within_s=900, every_s=_SELDOM_S)

    async def begin_at(self, second: int) -> int:
        """Wait until the next minute has come to this second; return the time in Unix milliseconds."""
        passed_s = self.clock.time() % _MINUTE_S
        await asyncio.sleep((second - passed_s) % _MINUTE_S + _MINUTE_S)
        return self.exchange.wall_ms()

    # -- what happens ----------------------------------------------------------------------------------------------

    async def alert(self, strategy: Strategy, side: Side) -> str:
        """Deliver an alert that fires now; return its trigger's id."""
        accepted: Acceptance = await self.invoke_alone(
            asyncio.to_thread(_accept, strategy, self._signal(strategy, side))
        )
        return accepted.trigger_id

    def _signal(self, strategy: Strategy, side: Side) -> Signal:
        name = strategy.symbol.replace("/", "")
        price, tick = self.exchange.venue.quotes[name].last, SYMBOLS[name].tick

        def away(pct: Decimal) -> Decimal:
            return (price * (1 + side.sign * pct / 100)).quantize(tick)

        return Signal(
            side=side,
            order_price=price,
            stop=away(-_STOP_PCT),
            stop_type=StopType.MARKET,
            take_profits=tuple(map(away, _TARGETS_PCT)),
            trailing=None,
        )

    async def close_all(self, strategy: Strategy) -> None:
        """Close every position of the strategy, as an admin does."""
        await self.invoke_alone(asyncio.to_thread(closing.close_all, strategy, delivery=str(uuid.uuid4())))

    def ban(self, lane: str, *, seconds: int) -> None:
        """Have the exchange ban a lane's address from now on."""
        now_ms = self.exchange.wall_ms()
        self.exchange.random_faults.bans[lane].append((now_ms, now_ms + seconds * 1000))

    def move_price(self, symbol: str, pct: Decimal) -> None:
        """Move a symbol's market by so many percent, and fill what it crosses."""
        name = symbol.replace("/", "")
        last, tick = self.exchange.venue.quotes[name].last, SYMBOLS[name].tick
        self.exchange.move_price(name, (last * (1 + pct / 100)).quantize(tick))

    # -- observation, which takes no time --------------------------------------------------------------------------

    async def wait_until(self, condition: Callable[[], bool], *, within_s: float, every_s: float = 1.0) -> bool:
        """Wait until the condition holds, asking every so many seconds; return whether it does."""
        deadline_s = self.clock.monotonic() + within_s
        while not condition():
            if self.clock.monotonic() >= deadline_s:
                return False
            await asyncio.sleep(every_s)
        return True

    def nothing_open(self) -> bool:
        """Return whether every execution has ended."""
        return not any(one.active for one in self.executions())

    def executions(self) -> list[Execution]:
        """Return every execution."""
        with self.clock.apart():
            return list(Execution.scan(consistent_read=True))

    def triggers(self) -> list[Trigger]:
        """Return every trigger."""
        with self.clock.apart():
            return list(Trigger.scan(consistent_read=True))

    def is_at_rest(self) -> bool:
        """Return whether every execution has its stops or has ended, and no message waits."""
        return self.queues.at_rest and all(not one.active or one.protected_at is not None for one in self.executions())

    def was_looked_at(self) -> bool:
        """Return whether every open position has been looked at since its entry."""
        return all(one.looked_at is not None for one in self.executions() if one.active)

    def is_caught_up(self) -> bool:
        """Return whether every open position has been looked at, and is due again later."""
        late = utc_now() - timedelta(seconds=_MINUTE_S)
        return all(not one.active or (one.due_at is not None and one.due_at > late) for one in self.executions())


class _MeasuredProduct(Product):
    """The product, whose requests are measured."""

    def _session(self) -> MeasuredSession:
        around = self._surroundings
        return MeasuredSession(around.exchange, around.chances, around.conditions.one_way_s)


def _accept(strategy: Strategy, signal: Signal) -> Acceptance:
    received_at = utc_now()
    return accept_alert(
        strategy,
        signal,
        alerts=StrategyAlerts.find(strategy.id),
        received_at=received_at,
        fired_at=received_at.replace(microsecond=0),
    )
