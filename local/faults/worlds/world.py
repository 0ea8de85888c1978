"""One world: its parts, from a seed, and what its tables hold. `simulation` runs it."""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal

from local.faults.worlds.alert import Alert
from local.faults.worlds.shape import Shape
from local.simulation.chances import Chances
from local.simulation.clock import SimulatedClock
from local.simulation.people import Follows
from local.simulation.surroundings import DAY_BEGINS_S, Surroundings
from shared.models.execution import Execution
from shared.models.strategy import Strategy
from shared.models.trigger import Trigger
from shared.trading.lane_choice import FIRST_LANE, bound_lanes


@dataclass(frozen=True, slots=True)
class RequestedClose:
    """An execution whose close an admin has requested, and when the request was answered, in Unix milliseconds."""

    execution_id: str
    at_ms: int


class World(Surroundings):
    """The parts of one world: its surroundings, its shape and the people."""

    def __init__(self, seed: int, shape: Shape | None = None) -> None:
        dice = random.Random(seed)  # noqa: S311 - chance, not secrecy
        clock = SimulatedClock(wall_s=DAY_BEGINS_S + dice.randrange(0, 3600))
        self.shape = shape or Shape.draw(dice, seed=seed)
        super().__init__(seed, dice=dice, clock=clock, chances=Chances.draw(dice))
        self.strategies: list[Strategy] = []
        self.people: list[Follows] = []
        self.alerts: list[Alert] = []
        self.requested_closes: list[RequestedClose] = []

    @property
    def harms_workers(self) -> bool:
        """Whether workers are killed or frozen."""
        return bool(self.chances.worker_killed or self.chances.worker_frozen)

    @property
    def lanes(self) -> list[str]:
        """The lanes that the keys name, the first one at least."""
        return list(dict.fromkeys([FIRST_LANE, *(lane for one in self.people for lane in one.key.named_lanes)]))

    def lanes_of(self, api_key: str) -> tuple[str, ...]:
        """Return the lanes that an account's requests may leave by, by one of its API keys."""
        return bound_lanes(
            next(one.key.named_lanes for one in self.people if api_key in {one.key.api_key, one.account.api_key})
        )

    def injected_bans(self, api_key: str) -> list[tuple[int, int]]:
        """Return the bans of an account's lanes that no request of ours has earned, in Unix milliseconds."""
        return [ban for lane in self.lanes_of(api_key) for ban in self.exchange.random_faults.bans[lane]]

    def step_of(self, symbol: str) -> Decimal:
        """Return the smallest amount that the exchange takes of a symbol now; 0 for one that it does not list."""
        listed = self.exchange.venue.symbol(symbol)
        return listed.step if listed is not None else Decimal(0)

    def holds_dust(self, follows: Follows) -> bool:
        """Return whether a position is less than a step: no market order closes it, only a stop ahead of the market."""
        return 0 < abs(follows.held) < self.step_of(follows.symbol)

    def has_left_dust(self, execution: Execution) -> bool:
        """Return whether an execution waits with dust, which no order can close now."""
        (follows,) = (one for one in self.people if one.record.id == execution.follower_id)
        return bool(execution.dust_left) and self.holds_dust(follows)

    def sharing(self) -> list[list[Follows]]:
        """Return the followers, those together whose keys lead to the same account's position on a symbol."""
        groups: dict[tuple[str, str], list[Follows]] = defaultdict(list)
        for follows in self.people:
            groups[follows.account.api_key, follows.symbol].append(follows)
        return list(groups.values())

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
