"""Containers of a world have caches of their own, all of them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator

import pytest

from local.simulation.clock import SimulatedClock, SimulatedLoop
from local.simulation.containers import KEPT, Containers, current_lane
from shared.exchange import lanes, markets
from shared.exchange.server_clock import server_clock
from tests.unit.test_process_state import modules, read

NOT_OF_THE_EXECUTOR = {
    "shared.exchange.account_queries",  # the admin API's
    "shared.exchange.account_value",  # the balance recorder's
}
SHARED = {
    "shared.exchange.transport": {"_session", "_session_loop"},  # the connection to the exchange in this process
    "shared.exchange.server_clock": {"server_clock"},  # its fields are exchanged
}


@pytest.fixture
def loop() -> Iterator[SimulatedLoop]:
    clock = SimulatedClock(wall_s=1_767_600_000)
    dice = random.Random(1)  # noqa: S311 - chance, not secrecy
    containers = Containers(dice)
    loop = SimulatedLoop(clock, dice=dice, before_step=containers.load)
    loop.containers = containers  # type: ignore[attr-defined]
    with clock.everywhere(), containers.restored():
        yield loop
    loop.close()


def test_two_containers_have_different_caches_at_the_same_time(loop: SimulatedLoop) -> None:
    containers: Containers = loop.containers  # type: ignore[attr-defined]
    seen: dict[str, list[object]] = {}

    async def invocation(lane: str, offset_ms: int) -> None:
        with containers.in_use(lane):
            await asyncio.sleep(0.1)
            markets._brackets[lane] = (0.0, ())
            server_clock.offset_ms = offset_ms
            limiter = lanes.limiter_of(current_lane())
            await asyncio.sleep(0.1)
            seen[lane] = [list(markets._brackets), server_clock.offset_ms, limiter is lanes.limiter_of(lane)]

    async def both() -> None:
        await asyncio.gather(invocation("one", 5), invocation("two", -7))

    loop.run_until_complete(both())

    assert seen == {"one": [["one"], 5, True], "two": [["two"], -7, True]}


def test_an_idle_container_is_used_again_on_its_lane_only(loop: SimulatedLoop) -> None:
    containers: Containers = loop.containers  # type: ignore[attr-defined]

    async def invocation(lane: str) -> list[str]:
        with containers.in_use(lane):
            markets._brackets[lane] = (0.0, ())
            return list(markets._brackets)

    async def one_after_another() -> list[list[str]]:
        return [await asyncio.create_task(invocation(lane)) for lane in ("one", "two", "one")]

    assert loop.run_until_complete(one_after_another()) == [["one"], ["two"], ["one"]]
    assert containers.started == 2


def test_everything_that_the_executor_keeps_for_its_process_is_a_containers_own() -> None:
    exchanged = {(module.__name__, name) for module, name in KEPT}

    forgotten = {
        (module.__name__, name)
        for module in modules()
        if module.__name__.startswith(("shared.exchange.", "functions.order_executor."))
        and module.__name__ not in NOT_OF_THE_EXECUTOR
        for name in _kept(module.__file__ or "") - SHARED.get(module.__name__, set())
    } - exchanged

    assert forgotten == set()


def _kept(path: str) -> set[str]:
    with open(path) as source:
        found = read(source.read())
    return found.reset & found.assigned
