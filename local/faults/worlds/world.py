"""One world: a strategy, its followers and their alerts, and what the market, the admins and the owners do meanwhile.

Everything hangs on the seed: the same seed is the same world, to the last request.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import traceback
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any
from unittest import mock

from pynamodb.exceptions import PynamoDBException

from functions.admin_strategy_follower import closing
from functions.order_executor import accounts
from functions.order_executor import app as executor_app
from functions.order_executor import service as executor
from functions.position_watcher import app as watcher_app
from functions.position_watcher import service as watcher
from functions.trigger_fanout.service import fan_out
from local.faults.worlds import checks, owner, workers
from local.faults.worlds.chances import Chances
from local.faults.worlds.clock import SimulatedClock, SimulatedLoop, Stalled
from local.faults.worlds.exchange import SYMBOL, ExchangeSession, WatchedExchange
from local.faults.worlds.queues import Queues
from local.faults.worlds.tables import fresh_tables
from shared import config, messages, observability, secrets, worker
from shared.api import side_by_side
from shared.clock import to_iso, utc_now
from shared.errors import LockstepError
from shared.exchange import lanes, markets, transport
from shared.exchange.server_clock import server_clock
from shared.messages import read_order_message, read_trigger_message
from shared.models.acceptance import accept_alert
from shared.models.base import created_key
from shared.models.exchange_key import ExchangeKey, StrategyType, TradeType
from shared.models.execution import Execution
from shared.models.follower import Follower
from shared.models.risk_profile import RiskProfile
from shared.models.strategy import Strategy
from shared.models.subscription import Subscription
from shared.models.trading_switch import EVERYTHING, TradingSwitch
from shared.models.trigger import Trigger
from shared.models.user import User
from shared.trading.execution import ExecutionState
from shared.trading.sides import Side, StopType
from shared.trading.signal import Signal, Trailing
from shared.worker import Record, handle_batch

FOLLOWERS = 5
ALERTS = 5
_OUR_MISTAKES = (TypeError, ValueError, LookupError, AttributeError, AssertionError, NotImplementedError)
_DAY_BEGINS_S = 1_767_600_000
"""2026-01-05 08:00:00 UTC."""

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "none",
    "AWS_SECRET_ACCESS_KEY": "none",
    "AWS_REGION": "us-east-1",
    "EXCHANGE_URL": "http://exchange",
    "TRIGGERS_QUEUE_URL": "triggers",
    "ORDERS_QUEUE_URL": "orders",
    "RECONCILE_QUEUE_URL": "reconcile",
    "SECRETS_KEY_ID": "none",
}


@dataclass(frozen=True, slots=True)
class Person:
    """A follower and its account."""

    user: User
    key: ExchangeKey
    record: Follower


@dataclass(slots=True)
class Verdict:
    """What became of a world."""

    seed: int
    faults: list[str] = field(default_factory=list)
    """What must not be; nothing is a good world."""
    executions: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    happened: Counter[str] = field(default_factory=Counter)
    longest_naked_ms: int = 0
    """With every worker alive."""
    longest_naked_killed_ms: int = 0
    seconds: float = 0.0
    """Simulated."""
    fingerprint: str = ""
    """Of everything that the exchange has in its books: equal for equal worlds."""


class World:
    """Its parts, and its course."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.dice = random.Random(seed)  # noqa: S311 - chance, not secrecy
        self.clock = SimulatedClock(wall_s=_DAY_BEGINS_S + self.dice.randrange(0, 3600))
        self.chances = Chances.draw(self.dice)
        self.invocations = workers.Workers(self.chances)
        self.queues = Queues(self.clock, self.chances, self.invocations)
        self.exchange = WatchedExchange(self.clock, self.chances)
        self.people: list[Person] = []
        self.strategy = Strategy()
        self.price = Decimal(20000)
        self.mistakes: list[str] = []
        self.metrics: Counter[str] = Counter()

    # -- the whole of it -------------------------------------------------------------------------------------------

    def run(self) -> Verdict:
        """Live it from beginning to end, and judge it."""
        loop = SimulatedLoop(self.clock, dice=self.dice)
        loop.set_exception_handler(lambda *_: None)  # the dead tell of their death
        began_s = self.clock.monotonic()
        with self.clock.everywhere(), self._product(loop):
            try:
                return loop.run_until_complete(self._live())
            except Stalled:
                return Verdict(self.seed, faults=["stalled: somebody waits for what never comes"])
            finally:
                self.seconds = self.clock.monotonic() - began_s
                _end(loop)

    @contextmanager
    def _product(self, loop: SimulatedLoop) -> Iterator[None]:
        """Put the product into this world: its clients, its ids, and nothing remembered of another world."""
        chance = random.Random(self.seed + 1)  # noqa: S311 - see above
        random.seed(self.seed + 2)
        with (
            mock.patch.dict(os.environ, ENVIRONMENT),
            mock.patch.object(os, "urandom", chance.randbytes),
            mock.patch.object(messages, "_sqs", return_value=self.queues),
            mock.patch.object(secrets, "unseal", lambda ciphertext, **_: ciphertext.decode()),
            mock.patch.object(side_by_side, "WORKERS", 1),
            mock.patch.object(worker, "_log_failure", self._note_failure),
            mock.patch.object(observability, "single_metric", self._note_metric),
            _quiet(),
            mock.patch.object(transport, "_session", ExchangeSession(self.exchange, self.chances)),
            mock.patch.object(transport, "_session_loop", loop),
        ):
            config.settings.cache_clear()
            transport._template.cache_clear()
            server_clock.offset_ms = server_clock.measurements = 0
            server_clock.in_step = True
            lanes.forget()
            markets._filters_until = 0.0
            markets._brackets.clear()
            accounts._kept.clear()
            fresh_tables(self.clock, self.chances)
            yield
        config.settings.cache_clear()
        transport._template.cache_clear()

    async def _live(self) -> Verdict:
        self._settle_in()
        self.queues.serve("triggers", self._functions(self._fan_out), fifo=True)
        self.queues.serve("orders", self._functions(self._execute, queue_url="orders"), fifo=True)
        self.queues.serve("reconcile", self._functions(self._take_over), fifo=False)
        running = [asyncio.create_task(self.queues.run()), asyncio.create_task(self._watch())]
        try:
            await self._course()
            self.chances.on = False
            await self._come_to_rest(within_s=600)
            faults = checks.while_open(self)
            await self._end_everything()
        finally:
            for task in running:
                task.cancel()
        verdict = Verdict(self.seed, faults=[*self.mistakes, *faults, *checks.at_the_end(self)])
        checks.sum_up(self, verdict)
        return verdict

    # -- the functions ---------------------------------------------------------------------------------------------

    def _functions(
        self, handle: Callable[[Record], Awaitable[None]], *, queue_url: str | None = None
    ) -> Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]:
        async def invoke(event: dict[str, Any]) -> dict[str, Any]:
            return await handle_batch(event, handle, deadline_s=executor_app.DEADLINE_S, queue_url=queue_url)

        return invoke

    async def _fan_out(self, record: Record) -> None:
        await fan_out(read_trigger_message(record.body), delivery=f"{record.message_id}-{record.receive_count}")

    async def _execute(self, record: Record) -> None:
        await executor.handle(
            read_order_message(record.body), ends_at_s=self.clock.monotonic() + executor_app.DEADLINE_S
        )

    async def _take_over(self, record: Record) -> None:
        await watcher_app.handle(record)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(60)
            await self._invoke_alone(watcher.watch())

    async def _invoke_alone(self, work: Awaitable[Any]) -> Any:
        """Run something that no queue brings; it may die, and fail, and is not repeated by itself."""

        async def invocation() -> Any:
            self.invocations.start()
            return await work

        try:
            return await asyncio.create_task(invocation())
        except workers.WorkerKilled:
            self.invocations.killed += 1
        except (LockstepError, PynamoDBException) as error:
            self.chances.happened[f"failed by itself: {type(error).__name__}"] += 1
        return None

    @contextmanager
    def _note_metric(self, *, name: str, **_: Any) -> Iterator[Any]:
        """Count a metric in place of printing it."""
        self.metrics[name] += 1
        yield mock.Mock()

    def _note_failure(self, record: Record, error: Exception, *, left_waiting: int) -> None:
        """Count a record that failed; an error that no fault of the world explains is one of ours."""
        del left_waiting
        self.chances.happened[f"record failed: {type(error).__name__}"] += 1
        if isinstance(error, _OUR_MISTAKES):
            where = traceback.extract_tb(error.__traceback__)[-1]
            self.mistakes.append(
                f"{type(error).__name__}: {error}, in {where.filename}:{where.lineno} of {record.body}"
            )

    # -- what there is ---------------------------------------------------------------------------------------------

    def _settle_in(self) -> None:
        calm, self.chances.on = self.chances.on, False
        now = utc_now() - timedelta(minutes=1)
        times: dict[str, Any] = {"created_at": now, "updated_at": now}
        plan = Subscription(_id(), created_key=_id(), name="STANDARD", max_balance_usd=50_000, max_api_key=5, **times)
        plan.save()
        profile = RiskProfile(_id(), created_key=_id(), name="CONSERVATIVE", percentage=Decimal("1.5"), **times)
        profile.save()
        self.strategy = Strategy(
            _id(),
            created_key=_id(),
            name="S",
            exchange_id="BINANCE",
            symbol="BTC/USDT",
            report_api_key="report",
            report_secret_ciphertext=b"-",
            webhook_secret_hash=hashlib.sha256(b"secret").hexdigest(),
            **times,
        )
        self.strategy.save()
        for _ in range(FOLLOWERS):
            self.people.append(self._follower(plan, profile, times))
        self._set_up_exchange()
        self.chances.on = calm

    def _follower(self, plan: Subscription, profile: RiskProfile, times: dict[str, Any]) -> Person:
        user = User(_id(), created_key=_id(), subscription_id=plan.id, **times)
        user.save()
        key_id, follower_id, api_key = _id(), _id(), f"{self.dice.getrandbits(256):064x}"
        key = ExchangeKey(
            key_id,
            user_id=user.id,
            created_key=_id(),
            trade_type=TradeType.FUTURES,
            strategy_type=StrategyType.AUTOMATED,
            api_key=api_key,
            secret_ciphertext=api_key.encode(),
            **times,
        )
        key.save()
        balance = self.dice.choices(("10000", "3217.55", "24000", "700", "60"), weights=(4, 3, 3, 1, 1))[0]
        account = {"apiKey": api_key, "secret": api_key, "balances": {"USDT": balance}}
        self.exchange.controls.create_account(account, self.exchange.now_ms())
        record = Follower(
            self.strategy.id,
            created_key(to_iso(times["created_at"]), follower_id),
            id=follower_id,
            api_key_id=key_id,
            symbol="BTC/USDT",
            user_id=user.id,
            risk_profile_id=profile.id,
            **times,
        )
        record.save()
        return Person(user, key, record)

    def _set_up_exchange(self) -> None:
        yes_or_no = (True, False)
        self.exchange.controls.change_settings(
            {
                "refuse_close_position_when_flat": self.dice.choice(yes_or_no),
                "refuse_overlapping_close": self.dice.choice(yes_or_no),
                "expire_close_position_when_flat": self.dice.choice(yes_or_no),
                "expire_reduce_only_when_flat": self.dice.choice(yes_or_no),
                "refuse_late_past_recv_window": True,
                "limits_enabled": False,
                "clock_offset_ms": self.dice.choice((0, 0, -700, 3_000, -12_000)),
            }
        )

    # -- its course ------------------------------------------------------------------------------------------------

    async def _course(self) -> None:
        """Let alerts come every minute or so, and other things between them."""
        market = asyncio.create_task(self._move_market())
        for number in range(ALERTS):
            await self._alert(number)
            for _ in range(self.dice.randint(1, 3)):
                await asyncio.sleep(self.dice.uniform(1, 45))
                await self._incident()
        await asyncio.sleep(self.dice.uniform(1, 60))
        market.cancel()

    async def _alert(self, number: int) -> None:
        side, stop_type = self.dice.choice(list(Side)), self.dice.choice(list(StopType))
        sign, unit = side.sign, self.price / 1000
        trailing = None
        if self.dice.random() < 0.3:  # noqa: PLR2004
            trailing = Trailing(trigger=_round(unit * 5), callback_rate=Decimal("0.5"))
        signal = Signal(
            side=side,
            order_price=self.price,
            stop=_round(self.price - sign * unit * self.dice.randint(6, 20)),
            stop_type=stop_type,
            take_profits=tuple(_round(self.price + sign * unit * 6 * (n + 1)) for n in range(self.dice.randint(1, 4))),
            trailing=trailing,
        )
        # TradingView repeats an alert that was not answered.
        for _ in range(4):
            accepted = await self._invoke_alone(
                asyncio.to_thread(
                    accept_alert, self.strategy, signal, received_at=utc_now(), alert_id=f"{self.seed}-{number}"
                )
            )
            if accepted is not None:
                return
            await asyncio.sleep(3)

    async def _move_market(self) -> None:
        while True:
            await asyncio.sleep(self.dice.uniform(2, 15))
            change = self.dice.gauss(0, 0.0025)
            if self.dice.random() < 0.03:  # noqa: PLR2004
                change *= 8  # a gap
            self._set_price(_round(self.price * Decimal(1 + change)))

    def _set_price(self, price: Decimal) -> None:
        self.price = min(max(price, Decimal(8000)), Decimal(50000))
        self.exchange.move_price(self.price)

    async def _incident(self) -> None:
        """Let something happen that is nobody's fault, or nothing."""
        person = self.dice.choice(self.people)
        incidents: list[Callable[[Person], Awaitable[None]]] = [
            self._nothing,
            self._nothing,
            self._nothing,
            self._close_follower,
            self._close_strategy,
            self._owner_closes,
            self._owner_cancels_orders,
            self._halt_for_a_while,
            self._pay_funding,
        ]
        await self.dice.choice(incidents)(person)

    async def _nothing(self, _: Person) -> None:
        return

    async def _close_follower(self, person: Person) -> None:
        await self._invoke_alone(asyncio.to_thread(closing.close_one, person.record, delivery=_id()))

    async def _close_strategy(self, _: Person) -> None:
        await self._invoke_alone(asyncio.to_thread(closing.close_all, self.strategy, delivery=_id()))

    async def _owner_closes(self, person: Person) -> None:
        """The owner closes the position, or half of it, on the exchange's page."""
        account = self.exchange.venue.accounts[person.key.api_key]
        amount = account.position(SYMBOL).amount
        if not amount:
            return
        share = self.dice.choice((Decimal(1), Decimal("0.5")))
        quantity = abs(amount) * share // Decimal("0.001") * Decimal("0.001")
        if quantity:
            self.chances.happened["owner closed" if share == 1 else "owner closed half"] += 1
            side = Side.SELL if amount > 0 else Side.BUY
            owner.close(self.exchange, account, side=side, quantity=quantity)

    async def _owner_cancels_orders(self, person: Person) -> None:
        """The owner cancels every order, the stop included."""
        account = self.exchange.venue.accounts[person.key.api_key]
        if account.position(SYMBOL).amount:
            self.chances.happened["owner cancelled all orders"] += 1
            self.exchange.without_stop_by_owner.add(account.api_key)
            owner.cancel_everything(self.exchange, account)

    async def _halt_for_a_while(self, _: Person) -> None:
        await self._halt(on=True)
        await asyncio.sleep(self.dice.uniform(5, 60))
        await self._halt(on=False)

    async def _halt(self, *, on: bool) -> None:
        calm, self.chances.on = self.chances.on, False
        TradingSwitch(scope=EVERYTHING, halted=on, updated_at=utc_now()).save()
        self.chances.on = calm

    async def _pay_funding(self, _: Person) -> None:
        """Let the exchange's hour turn, when funding is paid."""
        now_ms = self.exchange.now_ms()
        await asyncio.sleep((3_600_000 - now_ms % 3_600_000) / 1000 if now_ms % 3_600_000 > 3_300_000 else 0)  # noqa: PLR2004
        if self.exchange.now_ms() % 3_600_000 < 1_000:  # noqa: PLR2004
            self.chances.happened["funding paid"] += 1
            self.exchange.controls.book_funding({"symbol": SYMBOL, "rate": "0.0001"}, self.exchange.now_ms())

    # -- its end ---------------------------------------------------------------------------------------------------

    async def _come_to_rest(self, *, within_s: float) -> None:
        """Wait until no execution is on its way anywhere, and the watcher has looked at each again."""
        await asyncio.sleep(150)
        deadline_s = self.clock.monotonic() + within_s
        while self.clock.monotonic() < deadline_s:
            await asyncio.sleep(5)
            if all(_rests(execution) for execution in self.executions()) and not self.pending_triggers():
                return

    async def _end_everything(self) -> None:
        """Close what is open, and let a day pass for what is only watched."""
        if self.dice.random() < 0.5:  # noqa: PLR2004
            await self._close_strategy(self.people[0])
        else:
            for factor in ("0.93", "1.15"):
                self._set_price(_round(self.price * Decimal(factor)))
        await self._until_ended(within_s=900)
        if self.active():
            self.clock.advance(24 * 3600)
            await self._until_ended(within_s=300)

    async def _until_ended(self, *, within_s: float) -> None:
        """Wait until nothing is active, no message is left, and nothing is done any more."""
        deadline_s = self.clock.monotonic() + within_s
        while self.clock.monotonic() < deadline_s:
            await asyncio.sleep(5)
            over = all(execution.state is ExecutionState.ENTRY_UNKNOWN for execution in self.active())
            if over and self.queues.at_rest:
                return

    def executions(self) -> list[Execution]:
        """Return every execution."""
        return list(Execution.scan(consistent_read=True))

    def active(self) -> list[Execution]:
        """Return the executions that have not ended."""
        return [execution for execution in self.executions() if execution.active]

    def triggers(self) -> list[Trigger]:
        """Return every trigger."""
        return list(Trigger.scan(consistent_read=True))

    def pending_triggers(self) -> list[Trigger]:
        """Return the triggers that have not been spread."""
        return [trigger for trigger in self.triggers() if trigger.pending is not None]


@contextmanager
def _quiet() -> Iterator[None]:
    """Let the product log to nobody: what becomes of it is judged by its records."""
    level = observability.logger.log_level
    observability.logger.setLevel(os.environ.get("FAULTS_LOG", "CRITICAL"))
    try:
        yield
    finally:
        observability.logger.setLevel(level)


def _rests(execution: Execution) -> bool:
    return not execution.active or execution.state in {ExecutionState.PROTECTED, ExecutionState.ENTRY_UNKNOWN}


def _round(price: Decimal) -> Decimal:
    return price.quantize(Decimal("0.1"))


def _id() -> str:
    return str(uuid.uuid4())


def _end(loop: asyncio.AbstractEventLoop) -> None:
    """Leave nothing of this world running."""

    async def cancel_all() -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    loop.run_until_complete(cancel_all())
    loop.close()
