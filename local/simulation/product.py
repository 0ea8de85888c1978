"""The product in a simulation: its functions behind their queues, its clients connected to the surroundings."""

from __future__ import annotations

import asyncio
import os
import random
import traceback
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar
from unittest import mock

from functions.order_executor import service as executor
from functions.position_watcher import app as watcher_app
from functions.position_watcher import service as watcher
from functions.trigger_fanout.service import fan_out
from local.simulation.clock import SimulatedLoop
from local.simulation.connections import ExchangeSession
from local.simulation.people import orders_queue_of
from local.simulation.surroundings import Surroundings
from local.simulation.tables import fresh_tables
from local.simulation.workers import WATCHER
from shared import concurrency, messages, observability, process_state, secrets, worker
from shared.exchange import transport
from shared.messages import read_order_message, read_trigger_message
from shared.queues import Queue
from shared.worker import GRACE_S, RESERVE_S, Handle, Record, handle_batch

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

_T = TypeVar("_T")


class Product:
    """The functions on the road of an alert, in the given surroundings."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._surroundings = surroundings
        self.bugs: list[str] = []
        """Errors that no injected fault explains, in words."""

    def run(self, scenario: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
        """Run a scenario with empty tables, from beginning to end; raise Stalled if it waits for ever."""
        around = self._surroundings
        loop = SimulatedLoop(
            around.clock,
            dice=around.dice,
            before_step=around.containers.load,
            threads_overlap=around.conditions.threads_overlap,
        )
        loop.set_exception_handler(lambda *_: None)  # killed workers leave unhandled errors
        with around.clock.everywhere(), self._connected(loop), around.containers.restored():
            try:
                return loop.run_until_complete(scenario())
            finally:
                _cancel_and_close(loop)

    @contextmanager
    def _connected(self, loop: SimulatedLoop) -> Iterator[None]:
        """Connect the product's clients and ids to the surroundings, with no state of an earlier simulation."""
        around = self._surroundings
        chance = random.Random(around.seed + 1)  # noqa: S311 - chance, not secrecy
        random.seed(around.seed + 2)
        with (
            mock.patch.dict(os.environ, ENVIRONMENT),
            as_new_process(),
            mock.patch.object(os, "urandom", chance.randbytes),
            mock.patch.object(messages, "_sqs", return_value=around.queues),
            mock.patch.object(secrets, "unseal", lambda ciphertext, **_: ciphertext.decode()),
            mock.patch.object(concurrency, "MAX_THREADS", 1),
            mock.patch.object(worker, "_log_failure", self._count_failure),
            mock.patch.object(observability, "single_metric", mock.MagicMock()),
            _without_logs(),
            mock.patch.object(transport, "_session", self._session()),
            mock.patch.object(transport, "_session_loop", loop),
            fresh_tables(around.clock, around.chances, around.trace, call_s=around.conditions.table_s),
        ):
            yield

    def _session(self) -> ExchangeSession:
        around = self._surroundings
        return ExchangeSession(around.exchange, around.chances, around.conditions.one_way_s)

    def start(self, lanes: Iterable[str]) -> list[asyncio.Task[None]]:
        """Serve the queues, and run the watcher every minute; return the tasks, to be cancelled at the end."""
        queues, most_at_once = self._surroundings.queues, self._surroundings.conditions.containers_per_lane
        queues.serve(Queue.TRIGGERS, self._function(_fan_out, Queue.TRIGGERS))
        for lane in lanes:
            queues.serve(orders_queue_of(lane), partial(self._execute_batch, lane), most_at_once=most_at_once)
        queues.serve(Queue.RECONCILE, self._function(watcher_app.handle, Queue.RECONCILE))
        queues.serve(Queue.NOTICES, _leave_unsent)
        return [asyncio.create_task(queues.run()), asyncio.create_task(self._watch())]

    async def _execute_batch(self, lane: str, event: dict[str, Any]) -> dict[str, Any]:
        handle = self._noting_faults(partial(self._execute, lane))
        with self._surroundings.containers.in_use(lane):
            return await handle_batch(event, handle, deadline_s=_DEADLINE_S, queue=Queue.ORDERS)

    async def _execute(self, lane: str, record: Record) -> None:
        ends_at_s = self._surroundings.clock.monotonic() + _DEADLINE_S
        await executor.handle(read_order_message(record.body), lane=lane, ends_at_s=ends_at_s)

    def _function(self, handle: Handle, queue: Queue) -> Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]:
        async def invoke(event: dict[str, Any]) -> dict[str, Any]:
            return await handle_batch(event, self._noting_faults(handle), deadline_s=_DEADLINE_S, queue=queue)

        return invoke

    def _noting_faults(self, handle: Handle) -> Handle:
        async def noting(record: Record) -> None:
            with self._surroundings.chances.collected() as met:
                try:
                    await handle(record)
                finally:
                    if met:
                        self._surroundings.queues.hinder(record.receipt_handle)

        return noting

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(60)
            await self._surroundings.invoke_alone(watcher.watch(), task=WATCHER)

    def _count_failure(self, record: Record, error: Exception, *, left_waiting: int) -> None:
        """Count a failed record; an error that no injected fault explains is a bug of ours."""
        del left_waiting
        self._surroundings.chances.happened[f"record failed: {type(error).__name__}"] += 1
        if isinstance(error, _BUG_ERRORS):
            where = traceback.extract_tb(error.__traceback__)[-1]
            self.bugs.append(f"{type(error).__name__}: {error}, in {where.filename}:{where.lineno} of {record.body}")


async def _leave_unsent(_: dict[str, Any]) -> dict[str, Any]:
    return {"batchItemFailures": []}  # notices are recorded; nobody reads them here


async def _fan_out(record: Record) -> None:
    await fan_out(read_trigger_message(record.body), delivery=f"{record.message_id}-{record.receive_count}")


@contextmanager
def as_new_process() -> Iterator[None]:
    """Forget what the product's modules keep, before and after."""
    process_state.reset()
    try:
        yield
    finally:
        process_state.reset()


@contextmanager
def _without_logs() -> Iterator[None]:
    """Silence the product's log: a simulation reads its records."""
    level = observability.logger.log_level
    observability.logger.setLevel(os.environ.get("FAULTS_LOG", "CRITICAL"))
    try:
        yield
    finally:
        observability.logger.setLevel(level)


def _cancel_and_close(loop: asyncio.AbstractEventLoop) -> None:
    """Cancel what is still running."""

    async def cancel_all() -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    loop.run_until_complete(cancel_all())
    loop.close()
