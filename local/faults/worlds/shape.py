"""The kind of one world, drawn from its seed: how large it is, and which of the exchange's difficulties it has."""

from __future__ import annotations

import random
from dataclasses import dataclass

FOLLOWERS_OF_A_LANE = 15
"""What a lane's weight is planned for here."""
SYMBOLS = ("BTC/USDT", "ETH/USDT", "DOGE/USDT")

_SMALL, _LARGE = (5, 15), (20, 60)
_SMALL_WORLDS = 2 / 3
_WITH_EXIT_ALERTS = 0.3
_WITH_REDUCTIONS = 0.3
_WITH_UPDATES = 0.3
_WITH_OWN_SETTINGS = 0.4
_DAYS_HELD = (20, 120)
_MOST_HOLDING = 12
"""Followers whose positions are held for weeks: more would take minutes to simulate."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The size of a world, and what is switched on in it."""

    followers: int
    symbols: tuple[str, ...]
    """One strategy trades each of them."""
    bars: int
    """How many times bars close, and strategies may alert."""
    limits: bool
    """Whether the exchange counts and limits requests."""
    depth: bool
    """Whether its books have levels that orders eat."""
    filters_change: bool
    forced_closes: bool
    """Whether the exchange delists symbols, and liquidates accounts."""
    days_held: int
    """How long what is open at the last bar is held on; 0: not at all."""
    exit_alerts: bool = False
    """Whether strategies leave their positions by exit alerts."""
    reductions: bool = False
    """Whether they leave parts of them."""
    updates: bool = False
    """Whether they move the stops of their positions."""
    own_settings: bool = False
    """Whether some followers size and cap their entries themselves."""

    @classmethod
    def draw(cls, dice: random.Random, *, seed: int) -> Shape:
        """Draw the kind of the world with this seed."""
        followers = dice.randint(*(_SMALL if dice.random() < _SMALL_WORLDS else _LARGE))
        return cls(
            followers=followers,
            symbols=SYMBOLS[: dice.randint(1, len(SYMBOLS))],
            bars=dice.randint(4, 6),
            limits=seed % 2 == 0,
            depth=dice.random() < 0.5,  # noqa: PLR2004
            filters_change=dice.random() < 0.5,  # noqa: PLR2004
            forced_closes=dice.random() < 0.3,  # noqa: PLR2004
            days_held=dice.randint(*_DAYS_HELD) if followers <= _MOST_HOLDING and dice.random() < 0.3 else 0,  # noqa: PLR2004
            exit_alerts=random.Random(f"{seed} flat alerts").random() < _WITH_EXIT_ALERTS,  # noqa: S311 - chance
            reductions=random.Random(f"{seed} reductions").random() < _WITH_REDUCTIONS,  # noqa: S311 - chance
            updates=random.Random(f"{seed} updates").random() < _WITH_UPDATES,  # noqa: S311 - chance
            own_settings=random.Random(f"{seed} own settings").random() < _WITH_OWN_SETTINGS,  # noqa: S311 - chance
        )
