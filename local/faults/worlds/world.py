"""One world: a strategy, its followers and their alerts, and what the market, the admins and the owners do meanwhile.

Everything hangs on the seed: the same seed is the same world, to the last request.
"""

from __future__ import annotations

import asyncio
import os
import random
import traceback
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

from pynamodb.exceptions import PynamoDBException

from functions.order_executor import accounts
from functions.order_executor import service as executor
from functions.position_watcher import app as watcher_app
from functions.position_watcher import service as watcher
from functions.trigger_fanout.service import fan_out
from local.faults.worlds import checks, workers
from local.faults.worlds.chances import Chances
from local.faults.worlds.clock import SimulatedClock, SimulatedLoop, Stalled
from local.faults.worlds.course import Course
from local.faults.worlds.exchange import ExchangeSession, WatchedExchange
from local.faults.worlds.people import Person, settle_in
from local.faults.worlds.queues import Queues
from local.faults.worlds.tables import fresh_tables
from shared import config, messages, observability, secrets, side_by_side, worker
from shared.errors import LockstepError
from shared.exchange import lanes, markets, transport
from shared.exchange.server_clock import server_clock
from shared.messages import read_order_message, read_trigger_message
from shared.models.execution import Execution
from shared.models.strategy import Strategy
from shared.models.trigger import Trigger
from shared.trading.execution import ExecutionState
from shared.worker import GRACE_S, RESERVE_S, Record, handle_batch

_OUR_MISTAKES = (TypeError, ValueError, LookupError, AttributeError, AssertionError, NotImplementedError)
_DAY_BEGINS_S = 1_767_600_000
"""2026-01-05 08:00:00 UTC."""

_DEADLINE_S = 30.0 - GRACE_S - RESERVE_S
"""Of a batch whose invocation has just begun."""

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
        self.mistakes: list[str] = []

    # -- the whole of it -------------------------------------------------------------------------------------------

    def run(self) -> Verdict:
        """Live it from beginning to end, and judge it."""
        loop = SimulatedLoop(self.clock, dice=self.dice)
        loop.set_exception_handler(lambda *_: None)  # the dead tell of their death
        with self.clock.everywhere(), self._product(loop):
            try:
                return loop.run_until_complete(self._live())
            except Stalled:
                return Verdict(self.seed, faults=["stalled: somebody waits for what never comes"])
            finally:
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
            mock.patch.object(observability, "single_metric", mock.MagicMock()),
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
            with fresh_tables(self.clock, self.chances):
                yield
        config.settings.cache_clear()
        transport._template.cache_clear()

    async def _live(self) -> Verdict:
        with self.chances.none():
            self.strategy, self.people = settle_in(self.exchange, self.dice)
        course = Course(self)
        self.queues.serve("triggers", self._functions(self._fan_out), fifo=True)
        self.queues.serve("orders", self._functions(self._execute, queue_url="orders"), fifo=True)
        self.queues.serve("reconcile", self._functions(self._handle_dead_man), fifo=False)
        running = [asyncio.create_task(self.queues.run()), asyncio.create_task(self._watch())]
        try:
            await course.run()
            self.chances.on = False
            await self._come_to_rest(within_s=600)
            faults = checks.while_open(self)
            await self._end_everything(course)
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
            return await handle_batch(event, handle, deadline_s=_DEADLINE_S, queue_url=queue_url)

        return invoke

    async def _fan_out(self, record: Record) -> None:
        await fan_out(read_trigger_message(record.body), delivery=f"{record.message_id}-{record.receive_count}")

    async def _execute(self, record: Record) -> None:
        await executor.handle(read_order_message(record.body), ends_at_s=self.clock.monotonic() + _DEADLINE_S)

    async def _handle_dead_man(self, record: Record) -> None:
        await watcher_app.handle(record)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(60)
            await self.invoke_alone(watcher.watch())

    async def invoke_alone(self, work: Awaitable[Any]) -> Any:
        """Run something that no queue brings; it may die, and fail, and is not repeated by itself."""

        async def invocation() -> Any:
            self.invocations.start()
            return await work

        try:
            return await asyncio.create_task(invocation())
        except workers.WorkerKilled:
            return None
        except (LockstepError, PynamoDBException) as error:
            self.chances.happened[f"failed by itself: {type(error).__name__}"] += 1
        return None

    def _note_failure(self, record: Record, error: Exception, *, left_waiting: int) -> None:
        """Count a record that failed; an error that no fault of the world explains is one of ours."""
        del left_waiting
        self.chances.happened[f"record failed: {type(error).__name__}"] += 1
        if isinstance(error, _OUR_MISTAKES):
            where = traceback.extract_tb(error.__traceback__)[-1]
            self.mistakes.append(
                f"{type(error).__name__}: {error}, in {where.filename}:{where.lineno} of {record.body}"
            )

    # -- its end ---------------------------------------------------------------------------------------------------

    async def _come_to_rest(self, *, within_s: float) -> None:
        """Wait until no execution is on its way anywhere, and the watcher has looked at each again."""
        await asyncio.sleep(150)
        deadline_s = self.clock.monotonic() + within_s
        while self.clock.monotonic() < deadline_s:
            await asyncio.sleep(5)
            if all(_rests(execution) for execution in self.executions()) and not self.pending_triggers():
                return

    async def _end_everything(self, course: Course) -> None:
        """Close what is open, and let a day pass for what is only watched."""
        if self.dice.random() < 0.5:  # noqa: PLR2004
            await course.close_everything()
        else:
            course.move_through_every_stop()
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


def _end(loop: asyncio.AbstractEventLoop) -> None:
    """Leave nothing of this world running."""

    async def cancel_all() -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    loop.run_until_complete(cancel_all())
    loop.close()
