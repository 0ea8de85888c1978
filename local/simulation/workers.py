"""Invocations of Lambda functions that may be killed or frozen between any two of their steps.

A step is anything that others can observe: a request to the exchange, its answer, a call of AWS. After a kill no
further step happens, so a `finally` of the killed worker has no effect.
"""

from __future__ import annotations

import asyncio
import time
from contextvars import ContextVar
from dataclasses import dataclass

from local.simulation.chances import Chances

_current: ContextVar[Worker | None] = ContextVar("worker", default=None)

WATCHER = "watcher"
"""The task of the watcher's run, which no message starts."""

MAX_STEPS_BEFORE = 70
FROZEN_S = (5.0, 90.0)


class WorkerKilled(BaseException):
    """The worker was killed. No `except Exception` may catch it."""


@dataclass(slots=True)
class Worker:
    """One invocation."""

    task: str = ""
    """What it was started with: the bodies of its messages, or a name."""
    killed_after: int | None = None
    frozen_after: int | None = None
    frozen_for_s: float = 0.0
    killed: bool = False
    steps: int = 0
    frozen_until_s: float = 0.0
    harmed_at_ms: int | None = None
    """When it was killed or frozen, in Unix milliseconds."""

    def count_step(self) -> None:
        """Count a step; raise WorkerKilled if the worker was killed before it."""
        self.steps += 1
        if self.killed_after is not None and self.steps > self.killed_after:
            self._harm()
            self.killed = True
        if self.killed:
            raise WorkerKilled
        if self.frozen_after is not None and self.steps > self.frozen_after and not self.frozen_until_s:
            self._harm()
            self.frozen_until_s = asyncio.get_running_loop().time() + self.frozen_for_s

    def _harm(self) -> None:
        if self.harmed_at_ms is None:
            self.harmed_at_ms = time.time_ns() // 1_000_000


class Workers:
    """Starts invocations, and draws which of them are killed or frozen."""

    def __init__(self, chances: Chances) -> None:
        self._chances = chances
        self._to_be_harmed: list[Worker] = []

    def harmed_between(self, began_ms: int, ended_ms: int) -> list[Worker]:
        """Return the invocations that were killed or frozen in that time."""
        return [
            worker
            for worker in self._to_be_harmed
            if worker.harmed_at_ms is not None and began_ms <= worker.harmed_at_ms <= ended_ms
        ]

    def start(self, task: str) -> Worker:
        """Create the worker of the invocation that begins in this task."""
        dice, worker = self._chances.dice, Worker(task)
        if self._chances.happens(self._chances.worker_killed, "worker killed"):
            worker.killed_after = dice.randint(0, MAX_STEPS_BEFORE)
        elif self._chances.happens(self._chances.worker_frozen, "worker frozen"):
            worker.frozen_after = dice.randint(0, MAX_STEPS_BEFORE)
            worker.frozen_for_s = dice.uniform(*FROZEN_S)
        if worker.killed_after is not None or worker.frozen_after is not None:
            self._to_be_harmed.append(worker)
        _current.set(worker)
        return worker


def step() -> None:
    """Count one step of the current worker in synchronous code; raise WorkerKilled if it was killed."""
    worker = _current.get()
    if worker is not None:
        worker.count_step()


async def take_step() -> None:
    """Count one step of the current worker, then wait for as long as it is frozen."""
    worker = _current.get()
    if worker is None:
        return
    worker.count_step()
    while (left_s := worker.frozen_until_s - asyncio.get_running_loop().time()) > 0:
        await asyncio.sleep(left_s)
        if worker.killed:
            raise WorkerKilled
