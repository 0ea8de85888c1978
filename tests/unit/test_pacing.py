"""A container spaces out its requests, however many messages it is given at once."""

from __future__ import annotations

import asyncio
import time
from itertools import pairwise

from shared.pacing import WeightPacer


def test_next_key_waits_until_the_weight_of_the_one_before_has_worn_off() -> None:
    began: list[float] = []

    async def read(pacer: WeightPacer) -> None:
        async with pacer.turn() as add_weight:
            began.append(time.monotonic())
            add_weight(10)

    async def read_three() -> None:
        pacer = WeightPacer(weight_per_minute=6000)
        await asyncio.gather(*(read(pacer) for _ in range(3)))

    asyncio.run(read_three())

    assert [later - earlier >= 0.09 for earlier, later in pairwise(began)] == [True, True]
