"""The result of a simulation. Checks nothing."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class LongestNaked:
    """The longest times without a stop, in milliseconds: bans left out, and all of it."""

    without_bans_ms: int = 0
    with_bans_ms: int = 0

    def include(self, *, without_bans_ms: int, with_bans_ms: int) -> None:
        """Take other times into account."""
        self.without_bans_ms = max(self.without_bans_ms, without_bans_ms)
        self.with_bans_ms = max(self.with_bans_ms, with_bans_ms)


@dataclass(slots=True)
class Verdict:
    """The result of one world."""

    seed: int
    violations: list[str] = field(default_factory=list)
    """Broken promises of the product; a good world has none."""
    executions: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    happened: Counter[str] = field(default_factory=Counter)
    longest_naked: LongestNaked = field(default_factory=LongestNaked)
    """With every worker alive."""
    longest_naked_killed: LongestNaked = field(default_factory=LongestNaked)
    fingerprint: str = ""
    """The digest of everything that happened: equal for equal worlds, in any process."""
