"""Writes the marked parts of `docs/scale.md` from the figures. The text around them is written by hand."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from local.capacity import reckoning, report
from local.capacity.books import THIN_USDT
from local.capacity.ground import BALANCE_USDT, EXCHANGE_S, TABLE_S

Figures = Mapping[str, Any]

_STEPS = {
    "entry": "entry with its stop and three take-profits",
    "look": "look at an open position",
    "close": "close on request",
    "closeAfter2h": "close on request, held two hours across a funding payment",
    "booking": "booking a position that its stop has closed, with the look that finds it",
    "oppositeAlert": "opposite alert: a close and an entry",
}


def fill_in(page: str, figures: Figures) -> str:
    """Return the page with its marked parts written from the figures; raise LookupError for an unknown mark."""

    def written(mark: re.Match[str]) -> str:
        name = mark["name"]
        return f"<!-- make capacity: {name} -->\n\n{PARTS[name](figures).strip()}\n\n<!-- end -->"

    return _MARK.sub(written, page)


_MARK = re.compile(r"<!-- make capacity: (?P<name>\w+) -->\n.*?<!-- end -->", flags=re.DOTALL)


def _conditions(_: Figures) -> str:
    return (
        f"One container for each lane. The exchange answers in {EXCHANGE_S * 1000:.0f} ms, tables and queues in\n"
        f"{TABLE_S * 1000:.0f} ms. Each follower has {BALANCE_USDT} USDT. A scenario begins at the given seconds of a\n"
        f"minute, and the worst of each figure counts. The thin book has {THIN_USDT:,} USDT on each of three levels\n"
        "near the price, which are there again after a second."
    )


def _steps(figures: Figures) -> str:
    rows = [f"| {_STEPS[name]} | {weight} |" for name, weight in figures["weights"].items()]
    return "\n".join(["| step | weight |", "|---|---|", *rows])


def _deep(figures: Figures) -> str:
    return report.markdown(figures.get("scenarios", []))


def _thin(figures: Figures) -> str:
    return report.markdown(figures.get("thinBook", []))


def _classes(figures: Figures) -> str:
    return report.weights_markdown(figures.get("scenarios", []))


def _own(figures: Figures) -> str:
    """Return the figures that one scenario alone has."""
    return report.own_markdown(figures.get("scenarios", []))


def _writes(_: Figures) -> str:
    return reckoning.writes_markdown()


PARTS: Mapping[str, Callable[[Figures], str]] = {
    "conditions": _conditions,
    "steps": _steps,
    "deep": _deep,
    "thin": _thin,
    "own": _own,
    "classes": _classes,
    "writes": _writes,
    "reckoning": reckoning.markdown,
}
"""The parts, by the names of their marks."""
