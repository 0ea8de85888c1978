"""Invocations of Lambda functions that may die, or stand still, between any two of their steps.

A step is whatever the world outside can notice: a request to the exchange, its answer, a call of AWS. A killed worker's
next step, and every one after it, does not happen: no `finally` of it reaches anybody.
"""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from dataclasses import dataclass

from local.faults.worlds.chances import Chances

_current: ContextVar[Worker | None] = ContextVar("worker", default=None)

MAX_STEPS_BEFORE = 70
FROZEN_S = (5.0, 90.0)


class WorkerKilled(BaseException):
    """The worker is dead. No `except Exception` may catch it."""


@dataclass(slots=True)
class Worker:
    """One invocation."""

    dies_after: int | None = None
    stands_after: int | None = None
    stands_for_s: float = 0.0
    dead: bool = False
    steps: int = 0
    stands_until_s: float = 0.0

    def count_step(self) -> None:
        """Count a step; raise WorkerKilled when this is one too many."""
        self.steps += 1
        if self.dies_after is not None and self.steps > self.dies_after:
            self.dead = True
        if self.dead:
            raise WorkerKilled
        if self.stands_after is not None and self.steps > self.stands_after and not self.stands_until_s:
            self.stands_until_s = asyncio.get_running_loop().time() + self.stands_for_s


class Workers:
    """Starts invocations, and decides which of them end badly."""

    def __init__(self, chances: Chances) -> None:
        self._chances = chances

    def start(self) -> Worker:
        """Make the worker of the invocation that begins in this task."""
        dice, worker = self._chances.dice, Worker()
        if self._chances.strike(self._chances.worker_killed, "worker killed"):
            worker.dies_after = dice.randint(0, MAX_STEPS_BEFORE)
        elif self._chances.strike(self._chances.worker_frozen, "worker frozen"):
            worker.stands_after = dice.randint(0, MAX_STEPS_BEFORE)
            worker.stands_for_s = dice.uniform(*FROZEN_S)
        _current.set(worker)
        return worker


def step() -> None:
    """Take one step of the present worker, in code that cannot wait; raise WorkerKilled if it is dead."""
    worker = _current.get()
    if worker is not None:
        worker.count_step()


async def take_step() -> None:
    """Take one step of the present worker, after it has stood still for as long as it must."""
    worker = _current.get()
    if worker is None:
        return
    worker.count_step()
    while (left_s := worker.stands_until_s - asyncio.get_running_loop().time()) > 0:
        await asyncio.sleep(left_s)
        if worker.dead:
            raise WorkerKilled
