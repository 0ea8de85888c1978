"""`make capacity`: measures each case on simulated time, prints the figures, and writes them into `docs/scale.md`.

`docs/capacity.json` keeps the figures, and OUT=file.json gets a copy. With ONLY=turn,weights these alone are measured
anew, and the others stay as they are kept.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from local.capacity import report, scale_page
from local.capacity.books import Depth
from local.capacity.cases import CASES, Case
from local.capacity.figures import Figures, worst_of
from local.capacity.steps import weigh_steps
from local.stack.places import ROOT

KEPT = ROOT / "docs" / "capacity.json"
PAGE = ROOT / "docs" / "scale.md"
WEIGHTS = "weights"
NAMES = (WEIGHTS, *dict.fromkeys(case.name for case in CASES))

_LOOKS = "lookWeightPerMinute"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and write; return 0."""
    options = _parser().parse_args(arguments)
    began_s = time.monotonic()
    kept = json.loads(KEPT.read_text(encoding="utf-8")) if options.only and KEPT.exists() else {}
    figures = measure(options.only or NAMES, kept=kept)
    print(_printed(figures))
    print(f"\nmeasured in {time.monotonic() - began_s:.0f} s")
    for file in filter(None, (KEPT, options.out)):
        file.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    PAGE.write_text(scale_page.fill_in(PAGE.read_text(encoding="utf-8"), figures), encoding="utf-8")
    return 0


def measure(names: Collection[str], *, kept: dict[str, Any]) -> dict[str, Any]:
    """Return the figures by their names in JSON: of these cases anew, of the others as they are kept."""
    cases = [case for case in CASES if case.name in names]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        steps = pool.submit(weigh_steps) if WEIGHTS in names else None
        # The longest first, so that no processor waits for the last of them.
        order = sorted(cases, key=lambda case: -sum(group.followers for group in case.groups))
        running = {(case, *run): pool.submit(case.run, *run) for case in order for run in case.runs()}
        done = {key: future.result() for key, future in running.items()}
    weights = steps.result().weights if steps is not None else kept[WEIGHTS]
    deep = _in_order(kept.get("scenarios", []), _worst(done, Depth.DEEP))
    thin = _in_order(kept.get("thinBook", []), _worst(done, Depth.THIN))
    return {
        "entryWeight": weights["entry"],
        _LOOKS: next((one[_LOOKS] for one in deep if _LOOKS in one), None),
        WEIGHTS: weights,
        "entryS": steps.result().entry_s if steps is not None else kept["entryS"],
        "scenarios": deep,
        "thinBook": thin,
    }


def _worst(done: Mapping[tuple[Case, Depth, int], Figures], wanted: Depth) -> list[dict[str, Any]]:
    """Return the worst of each case's runs with one book."""
    runs: dict[Case, list[Figures]] = {}
    for (case, depth, _), figures in done.items():
        if depth is wanted:
            runs.setdefault(case, []).append(figures)
    return [worst_of(of_case).as_json() for of_case in runs.values()]


def _in_order(kept: Sequence[dict[str, Any]], measured: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what was measured, or else is kept, in the order of the cases."""
    of_case = {_size(one): one for one in (*kept, *measured)}
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
            report.markdown(figures["scenarios"]),
            "",
            "thin book",
            report.markdown(figures["thinBook"]),
            "",
            "figures of single scenarios",
            report.own_markdown(figures["scenarios"]),
            "",
            "weight by class",
            report.weights_markdown(figures["scenarios"]),
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
    return parser


def _names(text: str) -> list[str]:
    names = [name for name in text.split(",") if name]
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        raise argparse.ArgumentTypeError(f"{', '.join(unknown)} is not among {', '.join(NAMES)}")
    return names


if __name__ == "__main__":
    sys.exit(main())
