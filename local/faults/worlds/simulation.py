"""Runs the product in one world, and checks the result.

Everything depends on the seed: the same seed is the same world, to the last request.
"""

from __future__ import annotations

import asyncio
import os
import random
import traceback
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from functions.order_executor import service as executor
from functions.position_watcher import app as watcher_app
from functions.position_watcher import service as watcher
from functions.trigger_fanout.service import fan_out
from local.faults.worlds import checks
from local.faults.worlds.people import People, draw_exchange_settings
from local.faults.worlds.scenario import Scenario
from local.faults.worlds.shape import Shape
from local.faults.worlds.summary import summarize
from local.faults.worlds.verdict import Verdict
from local.faults.worlds.world import World
from local.simulation.clock import SimulatedLoop, Stalled
from local.simulation.connections import ExchangeSession
from local.simulation.tables import fresh_tables
from local.simulation.workers import WATCHER
from shared import concurrency, messages, observability, process_state, secrets, worker
from shared.exchange import transport
from shared.messages import read_order_message, read_trigger_message
from shared.models.execution import Execution
from shared.queues import Queue
from shared.trading.execution import ExecutionState
from shared.worker import GRACE_S, RESERVE_S, Record, handle_batch

_BUG_ERRORS = (TypeError, ValueError, LookupError, AttributeError, AssertionError, NotImplementedError)

_DEADLINE_S = 30.0 - GRACE_S - RESERVE_S
"""Of a batch whose invocation has just begun."""

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "none",
    "AWS_SECRET_ACCESS_KEY": "none",
    "AWS_REGION": "us-east-1",
    "EXCHANGE_URL": "http://exchange",
    **{queue.url_variable: queue.value for queue in Queue},
    "SECRETS_KEY_ID": "none",
}


class Simulation:
    """Runs the product in one world, from beginning to end."""

    def __init__(self, seed: int) -> None:
        with _as_new_process():
            self._world = World(seed)
        self._bugs: list[str] = []

    @property
    def shape(self) -> Shape:
        """The kind of the world."""
        return self._world.shape

    # -- from beginning to end --------------------------------------------------------------------------------------

    def run(self) -> Verdict:
        """Run the world from beginning to end, and return its verdict."""
        loop = SimulatedLoop(self._world.clock, dice=self._world.dice, before_step=self._world.containers.load)
        loop.set_exception_handler(lambda *_: None)  # killed workers leave unhandled errors
        with self._world.clock.everywhere(), self._patched_product(loop), self._world.containers.restored():
            try:
                return loop.run_until_complete(self._run_scenario())
            except Stalled:
                return Verdict(self._world.seed, violations=["stalled: a task waits for an event that never comes"])
            finally:
                _cancel_and_close(loop)

    @contextmanager
    def _patched_product(self, loop: SimulatedLoop) -> Iterator[None]:
        """Connect the product to this world: its clients, its ids, and no state of an earlier world."""
        chance = random.Random(self._world.seed + 1)  # noqa: S311 - see above
        random.seed(self._world.seed + 2)
        with (
            mock.patch.dict(os.environ, ENVIRONMENT),
            _as_new_process(),
            mock.patch.object(os, "urandom", chance.randbytes),
            mock.patch.object(messages, "_sqs", return_value=self._world.queues),
            mock.patch.object(secrets, "unseal", lambda ciphertext, **_: ciphertext.decode()),
            mock.patch.object(concurrency, "MAX_THREADS", 1),
            mock.patch.object(worker, "_log_failure", self._count_failure),
            mock.patch.object(observability, "single_metric", mock.MagicMock()),
            _without_logs(),
            mock.patch.object(transport, "_session", ExchangeSession(self._world.exchange, self._world.chances)),
            mock.patch.object(transport, "_session_loop", loop),
            fresh_tables(self._world.clock, self._world.chances, self._world.trace),
        ):
            yield

    async def _run_scenario(self) -> Verdict:
        world = self._world
        with world.chances.paused():
            people = People(world.exchange, world.dice)
            world.strategies = people.create_strategies(world.shape)
            world.people = people.create_followers(world.shape, world.strategies)
            draw_exchange_settings(world.exchange, world.dice, world.shape)
        scenario = Scenario(world)
        world.queues.serve(Queue.TRIGGERS, self._function(self._fan_out))
        world.queues.serve(Queue.ORDERS, self._execute_batch, lane_of=self._lane_of)
        world.queues.serve(Queue.RECONCILE, self._function(self._handle_dead_man))
        running = [asyncio.create_task(world.queues.run()), asyncio.create_task(self._watch())]
        try:
            await scenario.run()
            world.chances.on = False
            await self._wait_until_at_rest(within_s=600)
            violations = checks.while_open(world)
            await self._end_everything(scenario)
        finally:
            for task in running:
                task.cancel()
        verdict = Verdict(world.seed, violations=[*self._bugs, *violations, *checks.at_the_end(world)])
        summarize(world, verdict)
        return verdict

    # -- the functions ---------------------------------------------------------------------------------------------

    def _function(
        self, handle: Callable[[Record], Awaitable[None]], *, queue: Queue | None = None
    ) -> Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]:
        async def invoke(event: dict[str, Any]) -> dict[str, Any]:
            return await handle_batch(event, handle, deadline_s=_DEADLINE_S, queue=queue)

        return invoke

    async def _fan_out(self, record: Record) -> None:
        await fan_out(read_trigger_message(record.body), delivery=f"{record.message_id}-{record.receive_count}")

    async def _execute_batch(self, event: dict[str, Any]) -> dict[str, Any]:
        with self._world.containers.in_use(self._lane_of(event["Records"][0]["body"])):
            return await handle_batch(event, self._execute, deadline_s=_DEADLINE_S, queue=Queue.ORDERS)

    def _lane_of(self, body: str) -> str:
        key_id = read_order_message(body).api_key_id
        return next(follows.key.egress_lane for follows in self._world.people if follows.key.id == key_id)

    async def _execute(self, record: Record) -> None:
        await executor.handle(read_order_message(record.body), ends_at_s=self._world.clock.monotonic() + _DEADLINE_S)

    async def _handle_dead_man(self, record: Record) -> None:
        await watcher_app.handle(record)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(60)
            await self._world.invoke_alone(watcher.watch(), task=WATCHER)

    def _count_failure(self, record: Record, error: Exception, *, left_waiting: int) -> None:
        """Count a failed record; an error that no injected fault explains is a bug of ours."""
        del left_waiting
        self._world.chances.happened[f"record failed: {type(error).__name__}"] += 1
        if isinstance(error, _BUG_ERRORS):
            where = traceback.extract_tb(error.__traceback__)[-1]
            self._bugs.append(f"{type(error).__name__}: {error}, in {where.filename}:{where.lineno} of {record.body}")

    # -- the end ---------------------------------------------------------------------------------------------------

    async def _wait_until_at_rest(self, *, within_s: float) -> None:
        """Wait until every execution is at rest and the watcher has reconciled it once more."""
        await asyncio.sleep(150)
        deadline_s = self._world.clock.monotonic() + within_s
        while self._world.clock.monotonic() < deadline_s:
            await asyncio.sleep(5)
            if all(map(_is_at_rest, self._world.executions())) and not self._world.pending_triggers():
                return

    async def _end_everything(self, scenario: Scenario) -> None:
        """Close what is open, and advance the clock by a day for entries of unknown outcome."""
        if self._world.dice.random() < 0.5:  # noqa: PLR2004
            await scenario.close_everything()
            await self._wait_until_ended(within_s=900)
        # Its stop closes what is too small for a market order, since steps have changed.
        scenario.move_through_every_stop()
        await self._wait_until_ended(within_s=900)
        if self._world.active():
            self._world.clock.advance(24 * 3600)
            await self._wait_until_ended(within_s=300)

    async def _wait_until_ended(self, *, within_s: float) -> None:
        """Wait until no execution is active, no message is left, and no invocation runs."""
        deadline_s = self._world.clock.monotonic() + within_s
        while self._world.clock.monotonic() < deadline_s:
            await asyncio.sleep(5)
            over = all(one.state is ExecutionState.ENTRY_UNKNOWN or one.dust_left for one in self._world.active())
            if over and self._world.queues.at_rest:
                return


@contextmanager
def _as_new_process() -> Iterator[None]:
    process_state.reset()
    try:
        yield
    finally:
        process_state.reset()


@contextmanager
def _without_logs() -> Iterator[None]:
    """Silence the product's log: the checks read its records."""
    level = observability.logger.log_level
    observability.logger.setLevel(os.environ.get("FAULTS_LOG", "CRITICAL"))
    try:
        yield
    finally:
        observability.logger.setLevel(level)


def _is_at_rest(execution: Execution) -> bool:
    at_rest = execution.state in {ExecutionState.PROTECTED, ExecutionState.ENTRY_UNKNOWN}
    return not execution.active or at_rest or bool(execution.dust_left)


def _cancel_and_close(loop: asyncio.AbstractEventLoop) -> None:
    """Cancel what is still running in this world."""

    async def cancel_all() -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    loop.run_until_complete(cancel_all())
    loop.close()
