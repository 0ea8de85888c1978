"""The surroundings of the product in one simulation: time, chance, queues, containers, the exchange."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable
from typing import Any

from pynamodb.exceptions import PynamoDBException

from local.simulation import workers
from local.simulation.chances import Chances
from local.simulation.clock import SimulatedClock
from local.simulation.conditions import DEFAULT, Conditions
from local.simulation.containers import Containers
from local.simulation.exchange import WatchedExchange
from local.simulation.queues import Queues
from local.simulation.trace import Trace
from shared.errors import LockstepError

DAY_BEGINS_S = 1_767_600_000
"""2026-01-05 08:00:00 UTC."""


class Surroundings:
    """What the product runs in, without what a scenario adds."""

    def __init__(
        self,
        seed: int,
        *,
        dice: random.Random,
        clock: SimulatedClock,
        chances: Chances,
        conditions: Conditions = DEFAULT,
        trace: Trace | None = None,
    ) -> None:
        self.seed = seed
        self.dice = dice
        self.clock = clock
        self.chances = chances
        self.conditions = conditions
        self.trace = trace or Trace()
        self.invocations = workers.Workers(chances)
        self.containers = Containers(dice, new_share=conditions.new_containers)
        self.queues = Queues(clock, chances, self.invocations, self.trace, send_s=conditions.queue_s)
        with clock.everywhere():
            self.exchange = self._create_exchange()

    def _create_exchange(self) -> WatchedExchange:
        return WatchedExchange(self.clock, self.chances, self.trace)

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
