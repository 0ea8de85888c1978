"""Simulated time passes in leaps, however long a simulation has run."""

from __future__ import annotations

import asyncio
import random

import pytest

from local.simulation.clock import SimulatedClock, SimulatedLoop

DAY_S = 24 * 3600


@pytest.mark.parametrize("days", [0, 1, 90, 365, 3_650])
def test_timers_run_when_they_are_due_however_much_time_has_passed(days: int) -> None:
    clock = SimulatedClock(wall_s=1_700_000_000)
    loop = SimulatedLoop(clock, dice=random.Random(1))  # noqa: S311 - the same course in every run
    clock.advance(days * DAY_S)
    begun = clock.monotonic()
    dice = random.Random(2)  # noqa: S311 - see above
    delays = [dice.uniform(0.000_01, 3) for _ in range(300)]

    async def sleep_for_all() -> None:
        for delay in delays:
            await asyncio.sleep(delay)

    loop.run_until_complete(sleep_for_all())
    loop.close()

    assert clock.monotonic() - begun == pytest.approx(sum(delays), abs=0.001)
