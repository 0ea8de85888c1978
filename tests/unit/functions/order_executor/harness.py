"""The order executor on a fake account: one follower, tables in this process, simulated time."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, TypeVar
from unittest import mock

import pytest
from pynamodb.exceptions import TransactWriteError
from pynamodb.transactions import TransactWrite

import shared.models.execution
from functions.order_executor import account_cache, reconciling, service
from functions.order_executor.lease import take_lease
from functions.order_executor.ledger import Ledger
from functions.order_executor.session import ExecutionSession
from local.simulation.clock import SimulatedClock, SimulatedLoop
from shared import messages
from shared.exchange import lanes
from shared.messages import Command
from shared.models import base
from shared.models.exchange_key import ExchangeKey
from shared.models.execution import Execution
from shared.models.follower import Follower
from shared.models.order import Order
from shared.models.plan import Plan
from shared.models.position_slot import PositionSlot
from shared.models.strategy import Strategy
from shared.models.strategy_alerts import RecentExit, StrategyAlerts
from shared.models.trigger import Trigger
from shared.models.trigger_count import TriggerCount, shard_of
from shared.models.user import User
from shared.trading.execution import Desired, ExecutionState
from shared.trading.ids import Leg
from shared.trading.sides import Side, TriggerAction
from tests import builders
from tests.builders import saved
from tests.unit.functions.order_executor.fake_account import FakeAccount
from tests.unit.functions.order_executor.fake_book import FakeBook

_T = TypeVar("_T")


class Crash(Exception):
    """The worker ends here, as if its container were killed; nothing of the product handles it."""


@dataclass
class SentMessages:
    """Takes messages in place of SQS: their bodies, and their delays in seconds."""

    bodies: list[tuple[dict[str, Any], int]] = field(default_factory=list)

    def send_message(self, *, MessageBody: str, DelaySeconds: int = 0, **_: Any) -> dict[str, Any]:  # noqa: N803
        self.bodies.append((json.loads(MessageBody), DelaySeconds))
        return {}

    def send_message_batch(self, *, Entries: list[dict[str, Any]], **_: Any) -> dict[str, Any]:  # noqa: N803
        self.bodies += [(json.loads(entry["MessageBody"]), entry.get("DelaySeconds", 0)) for entry in Entries]
        return {}

    def take_delays_of(self, execution: Execution) -> list[int]:
        """Return the delays of the messages for an execution so far, and forget all messages."""
        delays = [delay_s for body, delay_s in self.bodies if body.get("execution_id") == execution.id]
        self.bodies.clear()
        return delays


@dataclass
class Harness:
    """One strategy and one follower with a funded account at the exchange."""

    clock: SimulatedClock
    loop: SimulatedLoop
    account: FakeAccount = field(default_factory=FakeAccount)
    sent: SentMessages = field(default_factory=SentMessages)
    strategy: Strategy = field(init=False)
    plan: Plan = field(init=False)
    user: User = field(init=False)
    key: ExchangeKey = field(init=False)
    follower: Follower = field(init=False)
    failing_writes: int = 0
    """How many of the next changes of an execution fail in our own tables."""
    _seq: int = 0

    def __post_init__(self) -> None:
        self.strategy = saved(builders.strategy())
        self.plan = saved(builders.plan())
        self.user = saved(builders.user(plan_id=self.plan.id))
        self.key = saved(builders.exchange_key(user_id=self.user.id))
        self.follower = saved(self.another_follower())

    def another_follower(self, **values: Any) -> Follower:
        """Return a follower, not stored, of the same strategy with the same key."""
        usual = {"strategy_id": self.strategy.id, "api_key_id": self.key.id, "user_id": self.user.id}
        return builders.follower(**(usual | values))

    @property
    def book(self) -> FakeBook:
        """The account's orders, fills and position at the exchange."""
        return self.account.book

    # -- work ------------------------------------------------------------------------------------------------------

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Run a coroutine on simulated time."""
        return self.loop.run_until_complete(work)

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.advance(seconds)

    def queue(self, side: Side = Side.BUY, *, follower: Follower | None = None, **trigger: Any) -> Execution:
        """Store a trigger that opens, and the execution that the fan-out creates for it."""
        return self._queue(follower, side=side, **trigger)

    def _queue(self, follower: Follower | None, **trigger: Any) -> Execution:
        self._seq += 1
        usual: dict[str, Any] = {"strategy_id": self.strategy.id, "seq": self._seq}
        alert = saved(builders.trigger(**(usual | trigger)))
        self._record_alert(alert)
        references = (self.user, self.key, self.plan)
        execution = saved(builders.execution(alert, follower or self.follower, references=references))
        TriggerCount(alert.id, shard_of(execution.id)).update(actions=[TriggerCount.active.add(1)])
        return execution

    def queue_close(self, *, follower: Follower | None = None, **trigger: Any) -> Execution:
        """Store an exit alert that closes, and the execution that the fan-out creates for it."""
        return self._queue(follower, action=TriggerAction.CLOSE, **trigger)

    def queue_reduction(self, keep_share: str | None = None, *, size: str | None = None, **trigger: Any) -> Execution:
        """Store an exit alert that reduces, and the execution that the fan-out creates for it."""
        share, position_size = (None if text is None else Decimal(text) for text in (keep_share, size))
        asked = {"keep_share": share, "position_size": position_size}
        return self._queue(None, action=TriggerAction.REDUCE, **asked, **trigger)

    def queue_update(self, *, follower: Follower | None = None, **trigger: Any) -> Execution:
        """Store an update of the stop, and the execution that the fan-out creates for it."""
        return self._queue(follower, action=TriggerAction.UPDATE, **trigger)

    def _record_alert(self, alert: Trigger) -> None:
        """Record the trigger as the strategy's latest alert if it is; a reduction or an update beside it."""
        alerts = StrategyAlerts.find(self.strategy.id) or StrategyAlerts(strategy_id=self.strategy.id)
        alerts.last_seq = self._seq
        if alert.action in {TriggerAction.REDUCE, TriggerAction.UPDATE}:
            place, received_at = alert.place, alert.created_at
            recent = RecentExit(
                place=place, exit=alert.exit, trigger_id=alert.id, fingerprint="", received_at=received_at
            )
            alerts.recent_exits = [*(alerts.recent_exits or []), recent.to_json()]
        elif alerts.latest_alert_place is None or alert.place > alerts.latest_alert_place:
            alerts.latest_alert_seq, alerts.latest_alert_place = alert.seq, alert.place
        alerts.save()

    def handle(self, execution: Execution, command: Command = Command.OPEN) -> Execution:
        """Let a worker handle one message; return the execution as it is stored then."""
        self.run(service.handle(execution.message(command), lane=lanes.DEFAULT_LANE, ends_at_s=time.monotonic() + 25))
        return self.now(execution)

    def open(self, side: Side = Side.BUY, **trigger: Any) -> Execution:
        """Open a position, protected by its stop."""
        execution = self.handle(self.queue(side, **trigger))
        assert execution.state is ExecutionState.PROTECTED, (execution.state, execution.reason, execution.detail)
        return execution

    def crash(self, request: str, leg: Leg, *, done: bool, **trigger: Any) -> Execution:
        """Let the worker crash at a request of a new execution's, which is `done` at the exchange or never arrives."""
        self.account.fail(request, Crash(), leg=leg, done_after_s=0.0 if done else None)
        execution = self.queue(**trigger)
        with pytest.raises(Crash):
            self.handle(execution)
        return self.now(execution)

    def request_close(self, execution: Execution) -> None:
        """Record that a close is requested, as an admin does, before a worker hears of it."""
        self.now(execution).change(desired=Desired.CLOSED)

    def reconcile(self, execution: Execution) -> Execution:
        """Let another worker reconcile an execution; raise its errors. Return the execution as it is stored then."""

        async def work() -> None:
            ledger = await self._ledger(execution)
            try:
                await reconciling.reconcile_begun(ledger, self.account)
            finally:
                await ledger.lease.release()
                await lanes.flush()

        self.run(work())
        return self.now(execution)

    def ledger(self, execution: Execution) -> Ledger:
        """Return the ledger of a worker that has just taken the lease."""
        return self.run(self._ledger(execution))

    def session(self, execution: Execution) -> ExecutionSession:
        """Return the session of a worker that has just taken the lease."""

        async def start() -> ExecutionSession:
            return await ExecutionSession.resume(await self._ledger(execution), self.account)

        return self.run(start())

    async def _ledger(self, execution: Execution) -> Ledger:
        lease = await take_lease(execution.api_key_id, execution.symbol)
        assert lease is not None
        ledger = Ledger(execution=self.now(execution), lease=lease)
        await ledger.load_orders()
        return ledger

    def _transact(self, build: Callable[[TransactWrite], None]) -> None:
        if self.failing_writes:
            self.failing_writes -= 1
            raise TransactWriteError("the table cannot be reached")
        base.transact(build)

    # -- results ---------------------------------------------------------------------------------------------------

    def now(self, execution: Execution) -> Execution:
        """Return the execution as it is stored now."""
        found = Execution.find(execution.id)
        assert found is not None
        return found

    def slot(self) -> PositionSlot:
        """Return the account's slot as it is stored now."""
        found = PositionSlot.find(self.key.id, "BTC/USDT")
        assert found is not None
        return found

    def orders(self, execution: Execution, *legs: Leg) -> list[Order]:
        """Return the stored orders of some legs, the latest attempt last."""
        found = [order for order in Order.query(execution.id) if not legs or order.leg in legs]
        return sorted(found, key=lambda order: order.attempt)


@contextmanager
def harness() -> Iterator[Harness]:
    """Run the executor of this process on simulated time and on a fake account, with a stand-in of SQS."""
    clock = SimulatedClock(wall_s=1_700_000_000)
    loop = SimulatedLoop(clock, dice=random.Random(1))  # noqa: S311 - the same course in every run
    lanes.forget()
    with clock.everywhere():
        made = Harness(clock, loop)

        async def account_of(*_: Any, **__: Any) -> FakeAccount:
            return made.account

        with (
            mock.patch.object(messages, "_sqs", return_value=made.sent),
            mock.patch.object(account_cache, "account_of", account_of),
            mock.patch.object(shared.models.execution, "transact", made._transact),
        ):
            yield made
            made.run(lanes.flush())
    loop.close()
    lanes.forget()
