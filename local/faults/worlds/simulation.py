"""Runs the product in one world, and checks the result.

Everything depends on the seed: the same seed is the same world, to the last request.
"""

from __future__ import annotations

import asyncio
import random

from local.faults.worlds import checks
from local.faults.worlds.checks import nakedness
from local.faults.worlds.holding import hold
from local.faults.worlds.people import draw_exchange_settings, draw_followers, draw_settings
from local.faults.worlds.scenario import Scenario
from local.faults.worlds.shape import Shape
from local.faults.worlds.summary import summarize
from local.faults.worlds.verdict import Verdict
from local.faults.worlds.world import World
from local.simulation.clock import Stalled
from local.simulation.people import People
from local.simulation.product import Product, as_new_process
from shared.models.execution import Execution
from shared.trading.execution import ExecutionState


class Simulation:
    """Runs the product in one world, from beginning to end: of the given shape, or of the one that its seed draws."""

    def __init__(self, seed: int, *, shape: Shape | None = None) -> None:
        with as_new_process():
            self._world = World(seed, shape)
        self._product = Product(self._world)

    @property
    def shape(self) -> Shape:
        """The kind of the world."""
        return self._world.shape

    def run(self) -> Verdict:
        """Run the world from beginning to end, and return its verdict."""
        try:
            return self._product.run(self._run_scenario)
        except Stalled:
            return Verdict(self._world.seed, violations=["stalled: a task waits for an event that never comes"])

    async def _run_scenario(self) -> Verdict:
        world = self._world
        with world.chances.paused():
            people = People(world.exchange)
            world.strategies = [people.create_strategy(symbol) for symbol in world.shape.symbols]
            world.people = draw_followers(people, world.dice, world.shape, world.strategies)
            if world.shape.own_settings:
                # Chance of its own, so that the rest of a world is as it was without them.
                draw_settings(world.people, random.Random(f"{world.seed} settings"))  # noqa: S311 - chance
            draw_exchange_settings(world.exchange, world.dice, world.shape)
            people.create_lanes(world.lanes)
        scenario = Scenario(world)
        running = self._product.start(world.lanes)
        try:
            await scenario.run()
            world.chances.on = False
            await self._wait_until_at_rest(within_s=600)
            violations = checks.while_open(world)
            await hold(world)
            await self._wait_until_at_rest(within_s=600)
            violations += checks.while_open(world)
            await self._end_everything(scenario)
        finally:
            for task in running:
                task.cancel()
        verdict = Verdict(world.seed, violations=[*self._product.bugs, *violations, *checks.at_the_end(world)])
        summarize(world, verdict)
        return verdict

    async def _wait_until_at_rest(self, *, within_s: float) -> None:
        """Wait until every execution is at rest and the watcher has reconciled it once more.

        A stop that its owner has cancelled may take longer to be restored: as long as it is not overdue.
        """
        world = self._world
        await asyncio.sleep(150)
        deadline_s = world.clock.monotonic() + within_s
        while (restoring := nakedness.awaits_restored_stop(world)) or world.clock.monotonic() < deadline_s:
            await asyncio.sleep(5)
            if not restoring and all(map(self._is_at_rest, world.executions())) and not world.pending_triggers():
                return

    def _is_at_rest(self, execution: Execution) -> bool:
        at_rest = execution.state in {ExecutionState.PROTECTED, ExecutionState.ENTRY_UNKNOWN}
        return not execution.active or at_rest or self._world.has_left_dust(execution)

    async def _end_everything(self, scenario: Scenario) -> None:
        """Close what is open, and advance the clock by a day for entries of unknown outcome."""
        if self._world.dice.random() < 0.5:  # noqa: PLR2004
            await scenario.close_everything()
            await self._wait_until_ended(within_s=900)
        # Its stop closes what is too small for a market order, since steps have changed.
        scenario.move_through_every_stop()
        await self._wait_until_ended(within_s=900)
        # Where the market had passed the stop before, a close is possible once the step has shrunk again.
        scenario.restore_steps()
        await self._wait_until_ended(within_s=900)
        if self._world.active():
            self._world.clock.advance(24 * 3600)
            await self._wait_until_ended(within_s=300)

    async def _wait_until_ended(self, *, within_s: float) -> None:
        """Wait until no execution is active, no message is left, and no invocation runs."""
        deadline_s = self._world.clock.monotonic() + within_s
        while self._world.clock.monotonic() < deadline_s:
            await asyncio.sleep(5)
            over = all(
                one.state is ExecutionState.ENTRY_UNKNOWN or self._world.has_left_dust(one)
                for one in self._world.active()
            )
            if over and self._world.queues.at_rest:
                return
