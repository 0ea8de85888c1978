"""`make capacity`: measures each case on simulated time, prints the figures, and writes them into `docs/scale.md`.

`docs/capacity.json` keeps the figures, and OUT=file.json gets a copy. With ONLY=turn,weights these alone are measured
anew, and the others stay as they are kept. With PAGE=1 nothing is measured, and the page is written anew.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from local.capacity import report, scale_page
from local.capacity.books import Depth
from local.capacity.cases import CASES, SECONDS
from local.capacity.figures import Figures, worst_of
from local.capacity.steps import weigh_steps
from local.stack.places import ROOT

KEPT = ROOT / "docs" / "capacity.json"
PAGE = ROOT / "docs" / "scale.md"
WEIGHTS = "weights"
NAMES = (WEIGHTS, *dict.fromkeys(case.name for case in CASES))

_LOOKS = "lookWeightPerMinute"
_LISTS = {"scenarios": Depth.DEEP, "thinBook": Depth.THIN}
"""Name in JSON → the book of its figures."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and write; return 0."""
    options = _parser().parse_args(arguments)
    if os.environ.get("PAGE"):
        _write_page(json.loads(KEPT.read_text(encoding="utf-8")))
        return 0
    began_s = time.monotonic()
    figures = json.loads(KEPT.read_text(encoding="utf-8")) if options.only and KEPT.exists() else {}
    for measured in measure(options.only or NAMES, seconds=options.seconds, processes=options.processes):
        _include(figures, measured)
        _write_json(figures, options.out)  # as each is done: an interrupted run has not been for nothing
    _write_page(figures)
    print(_printed(figures))
    print(f"\nmeasured in {time.monotonic() - began_s:.0f} s")
    return 0


def measure(names: Collection[str], *, seconds: Collection[int], processes: int) -> Iterator[dict[str, Any]]:
    """Yield figures by their names in JSON, whenever the weights or a case are done."""
    cases = [case for case in CASES if case.name in names]
    with ProcessPoolExecutor(processes) as pool:
        steps = pool.submit(weigh_steps) if WEIGHTS in names else None
        running = [[(*run, pool.submit(case.run, *run)) for run in case.runs(seconds)] for case in cases]
        if steps is not None:
            weighed = steps.result()
            yield {"entryWeight": weighed.weights["entry"], WEIGHTS: weighed.weights, "entryS": weighed.entry_s}
        for runs in running:
            done = [(depth, second, future.result()) for depth, second, future in runs]
            yield {
                name: [_worst(of_book)]
                for name, wanted in _LISTS.items()
                if (of_book := {second: one for depth, second, one in done if depth is wanted})
            }


def _worst(runs: Mapping[int, Figures]) -> dict[str, Any]:
    """Return the worst figures of runs, and the seconds at which these began."""
    return worst_of(list(runs.values())).as_json() | {"beginsAt": list(runs)}


def _include(figures: dict[str, Any], measured: dict[str, Any]) -> None:
    """Add what was measured to the figures, in place of older ones."""
    for name, value in measured.items():
        figures[name] = _in_order([*figures.get(name, []), *value]) if name in _LISTS else value
    looks = [one[_LOOKS] for one in figures.get("scenarios", []) if _LOOKS in one]
    figures[_LOOKS] = looks[0] if looks else None


def _write_json(figures: Mapping[str, Any], out: Path | None) -> None:
    for file in filter(None, (KEPT, out)):
        file.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def _write_page(figures: Mapping[str, Any]) -> None:
    PAGE.write_text(scale_page.fill_in(PAGE.read_text(encoding="utf-8"), figures), encoding="utf-8")


def _in_order(figures: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the last figures of each case, in the order of the cases."""
    of_case = {_size(one): one for one in figures}
    sizes = [(case.name, case.lanes, sum(group.followers for group in case.groups), case.held_s) for case in CASES]
    return [of_case[size] for size in sizes if size in of_case]


def _size(one: dict[str, Any]) -> tuple[Any, ...]:
    return one["scenario"], one["lanes"], one["followers"], one["heldS"]


def _printed(figures: dict[str, Any]) -> str:
    weights = (f"  {name:<16}{weight:>5}" for name, weight in figures[WEIGHTS].items())
    return "\n".join(
        [
            "weight of each step, per follower",
            *weights,
            "",
            "deep book, the worst of each scenario",
            report.markdown(figures.get("scenarios", [])),
            "",
            "thin book",
            report.markdown(figures.get("thinBook", [])),
            "",
            "figures of single scenarios",
            report.own_markdown(figures.get("scenarios", [])),
            "",
            "weight by class",
            report.weights_markdown(figures.get("scenarios", [])),
        ]
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make capacity", description="Measures what lanes carry, on simulated time.")
    parser.add_argument(
        "--out",
        type=lambda value: Path(value) if value else None,
        default=os.environ.get("OUT", ""),
        help="a file for a copy of the figures, as JSON (environment: OUT)",
    )
    parser.add_argument(
        "--only",
        type=_names,
        default=os.environ.get("ONLY", ""),
        help=f"what to measure anew, separated by commas (environment: ONLY): {', '.join(NAMES)}",
    )
    parser.add_argument(
        "--seconds",
        type=_seconds,
        default=os.environ.get("AT", ""),
        help="the seconds of a minute to begin at, separated by commas (environment: AT; default: all)",
    )
    parser.add_argument(
        "--processes",
        type=int,
        default=os.environ.get("PROCESSES") or os.cpu_count() or 1,
        help="how many runs are simulated at once (environment: PROCESSES; default: one for each processor)",
    )
    return parser


def _seconds(text: str) -> Collection[int]:
    return [int(second) for second in text.split(",")] if text else SECONDS


def _names(text: str) -> list[str]:
    names = [name for name in text.split(",") if name]
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        raise argparse.ArgumentTypeError(f"{', '.join(unknown)} is not among {', '.join(NAMES)}")
    return names


if __name__ == "__main__":
    sys.exit(main())
