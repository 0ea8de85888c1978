"""The page about scale shows the figures that are kept, in the order of the cases."""

from __future__ import annotations

import json

from local.capacity import scale_page
from local.capacity.__main__ import KEPT, PAGE
from local.capacity.cases import CASES
from local.cost.__main__ import read_kept

FIGURES = json.loads(KEPT.read_text(encoding="utf-8"))


def test_page_has_the_kept_figures() -> None:
    page = PAGE.read_text(encoding="utf-8")

    assert scale_page.fill_in(page, FIGURES) == page, "run `make capacity`, or `PAGE=1 make capacity`"


def test_writes_of_an_entry_are_those_that_the_cost_has_measured() -> None:
    units = read_kept()["calls"]["entry"]["follower"]["write_units"]

    assert f"An entry takes {units:.0f} write units" in PAGE.read_text(encoding="utf-8")


def test_page_has_every_marked_part() -> None:
    page = PAGE.read_text(encoding="utf-8")

    assert [name for name in scale_page.PARTS if f"<!-- make capacity: {name} -->" not in page] == []


def test_kept_figures_are_of_cases_that_are_still_measured() -> None:
    cases = [(case.name, case.lanes, sum(group.followers for group in case.groups), case.held_s) for case in CASES]

    for name in ("scenarios", "thinBook"):
        kept = [(one["scenario"], one["lanes"], one["followers"], one["heldS"]) for one in FIGURES.get(name, [])]
        assert kept == [case for case in cases if case in kept]
