"""The cases that are measured: which scenario, with how many lanes and followers. Each runs several times."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from local.capacity import alerts, exits, fairness, quiet
from local.capacity.books import Depth
from local.capacity.figures import Figures
from local.capacity.ground import Ground, Group

SECONDS = (1, 20, 45)
"""Of a minute, at which each case begins: the exchange counts weight by the minute."""
TWO_HOURS_S = 7_200
SEVENTY_DAYS_S = 70 * 86_400

_ONCE = SECONDS[-1:]
_SYMBOLS = ("BTC/USDT", "ETH/USDT", "DOGE/USDT")


class Scenario(Protocol):
    """Plays a scenario on a ground, and returns what it has shown."""

    async def __call__(self, ground: Ground, *, scenario: str, second: int, held_s: int) -> Figures:
        """Play it from this second of a minute on."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A scenario with its size."""

    name: str
    play: Scenario
    lanes: int
    groups: Sequence[Group]
    held_s: int = 0
    seconds: Sequence[int] = SECONDS
    thin: bool = True
    """Whether it is run once more, with the thin book."""

    def runs(self, seconds: Collection[int] = SECONDS) -> Iterator[tuple[Depth, int]]:
        """Yield the book and the second of each run that begins at one of the seconds."""
        yield from ((Depth.DEEP, second) for second in self.seconds if second in seconds)
        if self.thin and self.seconds[-1] in seconds:
            yield Depth.THIN, self.seconds[-1]

    def run(self, depth: Depth, second: int) -> Figures:
        """Play it once."""
        ground = Ground(lanes=self.lanes, groups=self.groups, depth=depth)
        return ground.run(lambda: self.play(ground, scenario=self.name, second=second, held_s=self.held_s))


def _followers(count: int) -> tuple[Group, ...]:
    return (Group(_SYMBOLS[0], count),)


def _of_each_strategy(count: int) -> tuple[Group, ...]:
    return tuple(Group(symbol, count) for symbol in _SYMBOLS)


CASES = (
    Case(name="barClose", play=alerts.enter, lanes=1, groups=_followers(300)),
    Case(name="barClose", play=alerts.enter, lanes=5, groups=_followers(1_050)),
    Case(name="threeStrategies", play=alerts.enter, lanes=1, groups=_of_each_strategy(100)),
    Case(name="threeStrategies", play=alerts.enter, lanes=5, groups=_of_each_strategy(200)),
    *(
        Case(name="turn", play=alerts.turn, lanes=1, groups=_followers(count), held_s=held_s)
        for held_s in (TWO_HOURS_S, SEVENTY_DAYS_S)
        for count in (45, 100)
    ),
    # Its alerts come at every quarter of a minute, wherever it begins.
    Case(name="flips", play=alerts.flip, lanes=1, groups=_followers(12), seconds=_ONCE),
    Case(name="closeAll", play=exits.close_all, lanes=1, groups=_followers(100), held_s=TWO_HOURS_S),
    Case(
        name="quiet",
        play=quiet.watch_quietly,
        lanes=1,
        groups=(Group(_SYMBOLS[0], 940), *(Group(symbol, 20) for symbol in ("ETH/USDT", "SOL/USDT", "DOGE/USDT"))),
        seconds=_ONCE,
        thin=False,
    ),
    # Late in a minute it would have most of two minutes' weight, and leave nobody out.
    Case(
        name="fairness",
        play=fairness.alert_repeatedly,
        lanes=1,
        groups=_followers(400),
        seconds=SECONDS[:1],
        thin=False,
    ),
    Case(name="bannedLane", play=exits.close_while_banned, lanes=2, groups=_followers(20), held_s=TWO_HOURS_S),
)
