"""The table that a run of worlds prints. Judges nothing: the verdicts say what was violated."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from operator import attrgetter

from local.faults.worlds.verdict import LongestNaked, Verdict

_SHOWN = 20

_KINDS = {
    "entered twice": "duplicate entries",
    "without a stop": "positions without a stop beyond the deadline",
    "flat account": "flat accounts with orders left on them",
    "no end": "executions without an end or a reason",
    "risk": "positions that can lose more at their stop than was allowed, fees included",
    "books": "differences between what was booked and the exchange's fills",
    "other": "anything else",
}

_WORDS = {
    "entered twice": ("was entered", "has filled"),
    "without a stop": ("without a stop",),
    "flat account": ("left on a flat account",),
    "no end": ("has no end", "without a reason", "is not at rest"),
    "risk": ("can lose",),
    "books": ("in the exchange's books", "performance says", "was not booked"),
}


def report(verdicts: Sequence[Verdict], *, seed: int, seconds: float) -> str:
    """Return the table of a run that began with the world of `seed` and took so many seconds."""
    happened = sum((verdict.happened for verdict in verdicts), Counter[str]())
    ends = sum((verdict.ends for verdict in verdicts), Counter[str]())
    kinds = sum((Counter(map(_kind, verdict.violations)) for verdict in verdicts), Counter[str]())
    bad = [verdict for verdict in verdicts if verdict.violations]
    lines = [
        "",
        f"{sum(ends.values())} executions in {len(verdicts)} worlds from seed {seed} on, in {seconds:.0f} s",
        "",
        "Injected faults",
        *_rows(happened),
        "",
        "How the executions ended",
        *_rows(ends),
        "",
        "Violations",
        *(f"  {kinds[kind]:>7}  {title}" for kind, title in _KINDS.items()),
        "",
        "Longest time without a stop",
        "  bans left out    all of it",
        _naked(map(attrgetter("longest_naked"), verdicts), "in worlds where no worker is harmed"),
        _naked(map(attrgetter("longest_naked_killed"), verdicts), "where workers are killed or frozen"),
    ]
    for verdict in sorted(bad, key=lambda one: one.seed)[:_SHOWN]:
        lines += ["", f"seed {verdict.seed}:", *(f"  {violation}" for violation in verdict.violations)]
    lines += ["", f"{len(bad)} of {len(verdicts)} worlds have violations" if bad else "No violations."]
    return "\n".join(lines)


def _naked(times: Iterable[LongestNaked], where: str) -> str:
    longest = LongestNaked()
    for one in times:
        longest.include(without_bans_ms=one.without_bans_ms, with_bans_ms=one.with_bans_ms)
    return f"  {longest.without_bans_ms / 1000:>9.1f} s  {longest.with_bans_ms / 1000:>9.1f} s  {where}"


def _rows(counts: Counter[str]) -> list[str]:
    return [f"  {count:>7}  {name}" for name, count in sorted(counts.items())]


def _kind(violation: str) -> str:
    for kind, words in _WORDS.items():
        if any(word in violation for word in words):
            return kind
    return "other"
