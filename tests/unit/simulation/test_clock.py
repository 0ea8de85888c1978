"""Simulated threads: what one of them waits for delays the others only where they do not overlap."""

from __future__ import annotations

import asyncio
import random
import time

import pytest

from local.simulation.clock import SimulatedClock, SimulatedLoop

CALLS, CALL_S = 5, 1.0


@pytest.mark.parametrize(("overlap", "expected_s"), [(True, CALL_S), (False, CALLS * CALL_S)])
def test_blocking_calls_of_threads_overlap_only_where_they_are_to(overlap: bool, expected_s: float) -> None:
    clock = SimulatedClock(wall_s=1_767_600_000)
    dice = random.Random(1)  # noqa: S311 - chance, not secrecy
    loop = SimulatedLoop(clock, dice=dice, threads_overlap=overlap)

    def blocking() -> float:
        began_s = time.monotonic()
        time.sleep(CALL_S)
        return time.monotonic() - began_s

    async def all_at_once() -> tuple[list[float], float]:
        began_s = time.monotonic()
        took_s = await asyncio.gather(*(asyncio.to_thread(blocking) for _ in range(CALLS)))
        return took_s, time.monotonic() - began_s

    with clock.everywhere():
        took_s, together_s = loop.run_until_complete(all_at_once())
    loop.close()

    assert took_s == pytest.approx([CALL_S] * CALLS)
    assert together_s == pytest.approx(expected_s, abs=0.05)


def test_error_of_a_blocking_call_is_raised_when_its_time_has_passed() -> None:
    clock = SimulatedClock(wall_s=1_767_600_000)
    dice = random.Random(1)  # noqa: S311 - chance, not secrecy
    loop = SimulatedLoop(clock, dice=dice, threads_overlap=True)

    def failing() -> None:
        time.sleep(CALL_S)
        raise KeyError("missing")

    async def one() -> float:
        began_s = time.monotonic()
        with pytest.raises(KeyError):
            await asyncio.to_thread(failing)
        return time.monotonic() - began_s

    with clock.everywhere():
        took_s = loop.run_until_complete(one())
    loop.close()

    assert took_s == pytest.approx(CALL_S, abs=0.05)
