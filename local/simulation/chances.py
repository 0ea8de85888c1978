"""The probability of each fault, drawn once for each world: some worlds are calm, others are not. Injects nothing."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

_met: ContextVar[list[str] | None] = ContextVar("faults met", default=None)


@dataclass(slots=True)
class Chances:
    """Probabilities for each request, message, invocation or write; `on` switches all of them."""

    dice: random.Random
    exchange_fault: float = 0.0
    key_refused: float = 0.0
    throttled: float = 0.0
    table_fault: float = 0.0
    message_late: float = 0.0
    message_twice: float = 0.0
    message_early: float = 0.0
    """Before the messages ahead of it in its group."""
    worker_killed: float = 0.0
    worker_frozen: float = 0.0
    on: bool = True
    happened: Counter[str] = field(default_factory=Counter)

    @classmethod
    def draw(cls, dice: random.Random) -> Chances:
        """Draw the chances of one world."""
        if dice.random() < 0.1:  # noqa: PLR2004 - a world without faults, for comparison
            return cls(dice)
        return cls(
            dice,
            exchange_fault=dice.choice((0.0, 0.02, 0.05, 0.12)),
            key_refused=dice.choice((0.0, 0.0, 0.0, 0.003)),
            throttled=dice.choice((0.0, 0.0, 0.004)),
            table_fault=dice.choice((0.0, 0.0, 0.01, 0.03)),
            message_late=dice.choice((0.0, 0.03, 0.1)),
            message_twice=dice.choice((0.0, 0.05, 0.2)),
            message_early=dice.choice((0.0, 0.05)),
            worker_killed=dice.choice((0.0, 0.05, 0.15)),
            worker_frozen=dice.choice((0.0, 0.0, 0.05)),
        )

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Inject no fault meanwhile."""
        before, self.on = self.on, False
        try:
            yield
        finally:
            self.on = before

    def happens(self, chance: float, name: str) -> bool:
        """Return whether a fault happens now, and count it if so."""
        if not self.on or not chance or self.dice.random() >= chance:
            return False
        self.note(name)
        return True

    def note(self, name: str) -> None:
        """Count a fault that has been injected, also among those that the current task meets."""
        self.happened[name] += 1
        met = _met.get()
        if met is not None:
            met.append(name)

    @contextmanager
    def collected(self) -> Iterator[list[str]]:
        """Collect the faults that the current task meets, and those that it starts."""
        met: list[str] = []
        token = _met.set(met)
        try:
            yield met
        finally:
            _met.reset(token)
