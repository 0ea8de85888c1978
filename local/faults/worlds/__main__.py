"""`make worlds`: worlds, each from its seed, until N executions have met what can go wrong; then a table.

N is the number of executions, SEED the first world's seed, MUTATE a rule to be taken out (see mutations.py).
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


def live(seed: int, mutation: str = "") -> Verdict:
    """Let one world live, with one of the product's rules taken out if so wished."""
    with mutated(mutation):
        return Simulation(seed).run()


def main() -> int:
    """Run until N executions are judged; 0 when all of them were as they must be."""
    if MUTATE and MUTATE not in MUTATIONS:
        print(f"make worlds: MUTATE={MUTATE} is none of {', '.join(MUTATIONS)}", file=sys.stderr)
        return 1
    began_s = time.monotonic()
    verdicts = []
    for verdict in _until(N):
        verdicts.append(verdict)
        done = sum(one.executions for one in verdicts)
        bad = sum(bool(one.faults) for one in verdicts)
        if sys.stdout.isatty():
            print(f"\r  {done} executions in {len(verdicts)} worlds, {bad} of them bad", end="", flush=True)
    print(_report(verdicts, seconds=time.monotonic() - began_s))
    return 1 if any(verdict.faults for verdict in verdicts) else 0


def _until(executions: int) -> Iterator[Verdict]:
    """Yield verdicts in the order of their seeds' endings, worlds side by side, until there are enough executions."""
    seed, judged = SEED, 0
    with ProcessPoolExecutor(_PROCESSES) as pool:
        running: set[Future[Verdict]] = set()
        while judged < executions or running:
            while judged < executions and len(running) < 2 * _PROCESSES:
                running.add(pool.submit(live, seed, MUTATE))
                seed += 1
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                verdict = future.result()
                judged += verdict.executions
                yield verdict


def _report(verdicts: list[Verdict], *, seconds: float) -> str:
    happened = sum((verdict.happened for verdict in verdicts), Counter[str]())
    ends = sum((verdict.ends for verdict in verdicts), Counter[str]())
    kinds = sum((Counter(_kind(fault) for fault in verdict.faults) for verdict in verdicts), Counter[str]())
    bad = [verdict for verdict in verdicts if verdict.faults]
    lines = [
        "",
        f"{sum(ends.values())} executions in {len(verdicts)} worlds from seed {SEED} on, in {seconds:.0f} s",
        "",
        "What went wrong on purpose",
        *_rows(happened),
        "",
        "How the executions ended",
        *_rows(ends),
        "",
        "What must not be",
        *(f"  {kinds[kind]:>7}  {title}" for kind, title in _KINDS.items()),
        "",
        "Longest time without a stop",
        f"  {max(one.longest_naked_ms for one in verdicts) / 1000:>7.1f} s in worlds where no worker is harmed",
        f"  {max(one.longest_naked_killed_ms for one in verdicts) / 1000:>7.1f} s where workers are killed or frozen",
    ]
    for verdict in sorted(bad, key=lambda one: one.seed)[:_SHOWN]:
        lines += ["", f"seed {verdict.seed}:", *(f"  {fault}" for fault in verdict.faults)]
    lines += ["", f"{len(bad)} of {len(verdicts)} worlds were not as they must be" if bad else "All as it must be."]
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


def _kind(fault: str) -> str:
    for kind, words in _WORDS.items():
        if any(word in fault for word in words):
            return kind
    return "other"


_WORDS = {
    "entered twice": ("was entered",),
    "without a stop": ("without a stop",),
    "flat account": ("left on a flat account",),
    "no end": ("has no end", "without a reason", "came to no rest"),
    "books": ("in the exchange's books", "performance says", "was not booked"),
}


if __name__ == "__main__":
    sys.exit(main())
