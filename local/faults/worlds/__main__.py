"""`make worlds`: simulates worlds, each from its seed, until they have had N executions, and prints a table.

Without options it takes N, SEED and MUTATE from the environment, as the Makefile passes them.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait

from local.faults.worlds.mutations import MUTATIONS, mutated
from local.faults.worlds.report import report
from local.faults.worlds.simulation import Simulation
from local.faults.worlds.verdict import Verdict

_PROCESSES = os.cpu_count() or 1


def simulate(seed: int, mutation: str = "") -> Verdict:
    """Simulate one world, with one of the product's rules removed if `mutation` names one."""
    with mutated(mutation):
        return Simulation(seed).run()


def main(arguments: Sequence[str] | None = None) -> int:
    """Simulate until enough executions are checked; return 0 if no world broke a rule."""
    options = _parser().parse_args(arguments)
    began_s = time.monotonic()
    verdicts = []
    for verdict in _simulate_until(options.executions, seed=options.seed, mutation=options.mutate):
        verdicts.append(verdict)
        done = sum(one.executions for one in verdicts)
        bad = sum(bool(one.violations) for one in verdicts)
        if sys.stdout.isatty():
            print(f"\r  {done} executions in {len(verdicts)} worlds, {bad} with violations", end="", flush=True)
    print(report(verdicts, seed=options.seed, seconds=time.monotonic() - began_s))
    return 1 if any(verdict.violations for verdict in verdicts) else 0


def _parser() -> argparse.ArgumentParser:
    rules = ", ".join(MUTATIONS)
    parser = argparse.ArgumentParser(
        prog="make worlds",
        description="Has the product trade in simulated worlds, and compares the exchange's books with ours.",
        epilog="A world depends on its seed alone: `make worlds SEED=<seed> N=1` repeats it to the last request.",
    )
    # A default that is text goes through `type` and `choices` as an option's value does.
    parser.add_argument(
        "-n",
        "--executions",
        type=int,
        default=os.environ.get("N") or "1000",
        help="how many executions there are at least (environment: N; default: 1000)",
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=os.environ.get("SEED") or "1",
        help="the seed of the first world; the next ones follow it (environment: SEED; default: 1)",
    )
    parser.add_argument(
        "--mutate",
        metavar="RULE",
        type=_rule,
        default=os.environ.get("MUTATE", ""),
        help=f"a rule to take out of the product, which must then fail (environment: MUTATE): {rules}",
    )
    return parser


def _rule(name: str) -> str:
    if name and name not in MUTATIONS:
        raise argparse.ArgumentTypeError(f"{name} is not one of {', '.join(MUTATIONS)}")
    return name


def _simulate_until(executions: int, *, seed: int, mutation: str) -> Iterator[Verdict]:
    """Yield verdicts as worlds end, several at a time, until there are enough executions."""
    judged = 0
    with ProcessPoolExecutor(_PROCESSES) as pool:
        running: set[Future[Verdict]] = set()
        while judged < executions or running:
            while judged < executions and len(running) < 2 * _PROCESSES:
                running.add(pool.submit(simulate, seed, mutation))
                seed += 1
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                verdict = future.result()
                judged += verdict.executions
                yield verdict


if __name__ == "__main__":
    sys.exit(main())
