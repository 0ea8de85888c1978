"""The result of a simulation. Checks nothing."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Verdict:
    """The result of one world."""

    seed: int
    violations: list[str] = field(default_factory=list)
    """Broken promises of the product; a good world has none."""
    executions: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    happened: Counter[str] = field(default_factory=Counter)
    longest_naked_ms: int = 0
    """With every worker alive."""
    longest_naked_killed_ms: int = 0
    fingerprint: str = ""
    """The digest of everything that happened: equal for equal worlds, in any process."""
