"""One world: its parts, from a seed, and what its tables hold. `simulation` runs it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable
from typing import Any

from pynamodb.exceptions import PynamoDBException

from local.faults.worlds.alert import Alert
from local.faults.worlds.people import Follows
from local.faults.worlds.shape import Shape
from local.simulation import workers
from local.simulation.chances import Chances
from local.simulation.clock import SimulatedClock
from local.simulation.containers import Containers
from local.simulation.exchange import WatchedExchange
from local.simulation.queues import Queues
from local.simulation.trace import Trace
from shared.errors import LockstepError
from shared.models.execution import Execution
from shared.models.strategy import Strategy
from shared.models.trigger import Trigger

_DAY_BEGINS_S = 1_767_600_000
"""2026-01-05 08:00:00 UTC."""


class World:
    """The parts of one world: its shape, chance, time, queues, the exchange and the people."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.dice = random.Random(seed)  # noqa: S311 - chance, not secrecy
        self.clock = SimulatedClock(wall_s=_DAY_BEGINS_S + self.dice.randrange(0, 3600))
        self.shape = Shape.draw(self.dice, seed=seed)
        self.chances = Chances.draw(self.dice)
        self.trace = Trace()
        self.invocations = workers.Workers(self.chances)
        self.containers = Containers(self.dice)
        self.queues = Queues(self.clock, self.chances, self.invocations, self.trace)
        with self.clock.everywhere():
            self.exchange = WatchedExchange(self.clock, self.chances, self.trace)
        self.strategies: list[Strategy] = []
        self.people: list[Follows] = []
        self.alerts: list[Alert] = []

    async def invoke_alone(self, work: Awaitable[Any], *, task: str = "") -> Any:
        """Run an invocation that no queue starts: it may be killed or fail, and is not retried."""

        async def invocation() -> Any:
            self.invocations.start(task)
            return await work

        try:
            return await asyncio.create_task(invocation())
        except workers.WorkerKilled:
            return None
        except (LockstepError, PynamoDBException) as error:
            self.chances.happened[f"failed by itself: {type(error).__name__}"] += 1
        return None

    @property
    def harms_workers(self) -> bool:
        """Whether workers are killed or frozen."""
        return bool(self.chances.worker_killed or self.chances.worker_frozen)

    def lane_of(self, api_key: str) -> str:
        """Return the lane of an account, by one of its API keys."""
        return next(one.key.egress_lane for one in self.people if api_key in {one.key.api_key, one.account.api_key})

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
        """Return the triggers that have not been fanned out."""
        return [trigger for trigger in self.triggers() if trigger.pending is not None]
