"""`make worlds`: simulates worlds, each from its seed, until they have had N executions, and prints a table.

N is the number of executions, SEED the first world's seed, MUTATE a rule to remove (see mutations.py).
"""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait

from local.faults.worlds.mutations import MUTATIONS, mutated
from local.faults.worlds.simulation import Simulation
from local.faults.worlds.verdict import Verdict

N = int(os.environ.get("N", "") or "1000")
SEED = int(os.environ.get("SEED", "") or "1")
MUTATE = os.environ.get("MUTATE", "")
_PROCESSES = os.cpu_count() or 1
_SHOWN = 20


def simulate(seed: int, mutation: str = "") -> Verdict:
    """Simulate one world, with one of the product's rules removed if `mutation` names one."""
    with mutated(mutation):
        return Simulation(seed).run()


def main() -> int:
    """Simulate until N executions are checked; return 0 if no world broke a rule."""
    if MUTATE and MUTATE not in MUTATIONS:
        print(f"make worlds: MUTATE={MUTATE} is not one of {', '.join(MUTATIONS)}", file=sys.stderr)
        return 1
    began_s = time.monotonic()
    verdicts = []
    for verdict in _simulate_until(N):
        verdicts.append(verdict)
        done = sum(one.executions for one in verdicts)
        bad = sum(bool(one.violations) for one in verdicts)
        if sys.stdout.isatty():
            print(f"\r  {done} executions in {len(verdicts)} worlds, {bad} with violations", end="", flush=True)
    print(_report(verdicts, seconds=time.monotonic() - began_s))
    return 1 if any(verdict.violations for verdict in verdicts) else 0


def _simulate_until(executions: int) -> Iterator[Verdict]:
    """Yield verdicts as worlds end, several at a time, until there are enough executions."""
    seed, judged = SEED, 0
    with ProcessPoolExecutor(_PROCESSES) as pool:
        running: set[Future[Verdict]] = set()
        while judged < executions or running:
            while judged < executions and len(running) < 2 * _PROCESSES:
                running.add(pool.submit(simulate, seed, MUTATE))
                seed += 1
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                verdict = future.result()
                judged += verdict.executions
                yield verdict


def _report(verdicts: list[Verdict], *, seconds: float) -> str:
    happened = sum((verdict.happened for verdict in verdicts), Counter[str]())
    ends = sum((verdict.ends for verdict in verdicts), Counter[str]())
    kinds = sum((Counter(map(_kind, verdict.violations)) for verdict in verdicts), Counter[str]())
    bad = [verdict for verdict in verdicts if verdict.violations]
    lines = [
        "",
        f"{sum(ends.values())} executions in {len(verdicts)} worlds from seed {SEED} on, in {seconds:.0f} s",
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
        f"  {max(one.longest_naked_ms for one in verdicts) / 1000:>7.1f} s in worlds where no worker is harmed",
        f"  {max(one.longest_naked_killed_ms for one in verdicts) / 1000:>7.1f} s where workers are killed or frozen",
    ]
    for verdict in sorted(bad, key=lambda one: one.seed)[:_SHOWN]:
        lines += ["", f"seed {verdict.seed}:", *(f"  {violation}" for violation in verdict.violations)]
    lines += ["", f"{len(bad)} of {len(verdicts)} worlds have violations" if bad else "No violations."]
    return "\n".join(lines)


def _rows(counts: Counter[str]) -> list[str]:
    return [f"  {count:>7}  {name}" for name, count in sorted(counts.items())]


_KINDS = {
    "entered twice": "duplicate entries",
    "without a stop": "positions without a stop beyond the deadline",
    "flat account": "flat accounts with orders left on them",
    "no end": "executions without an end or a reason",
    "books": "differences between what was booked and the exchange's fills",
    "other": "anything else",
}


def _kind(violation: str) -> str:
    for kind, words in _WORDS.items():
        if any(word in violation for word in words):
            return kind
    return "other"


_WORDS = {
    "entered twice": ("was entered",),
    "without a stop": ("without a stop",),
    "flat account": ("left on a flat account",),
    "no end": ("has no end", "without a reason", "is not at rest"),
    "books": ("in the exchange's books", "performance says", "was not booked"),
}


if __name__ == "__main__":
    sys.exit(main())
