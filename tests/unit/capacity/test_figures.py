"""The worst of several runs counts, figure by figure, and JSON has the names that others read."""

from __future__ import annotations

from typing import Any

from local.capacity.figures import Figures, worst_of


def figures(**changes: Any) -> Figures:
    values: dict[str, Any] = {
        "scenario": "turn",
        "lanes": 1,
        "followers": 45,
        "held_s": 7200,
        "protected_in_60s": 45,
        "closed_in_60s": 45,
        "last_flat_s": 3.0,
        "naked_over_5s": 0,
        "longest_naked_s": 0.1,
        "banned": False,
        "weight_by_class": {"entry": 315},
    }
    return Figures(**values | changes)


def test_worst_of_each_figure_counts_whichever_run_it_is_from() -> None:
    worst = worst_of(
        [
            figures(protected_in_60s=40, weight_by_class={"entry": 300, "close": 900}, more={"leftOut": 0}),
            figures(closed_in_60s=41, last_flat_s=70.5, longest_naked_s=6.0, more={"leftOut": 7}),
            figures(naked_over_5s=2, banned=True, unfilled_pct=12.5, more={"leftOut": 3}),
        ]
    )

    assert (worst.protected_in_60s, worst.closed_in_60s, worst.last_flat_s) == (40, 41, 70.5)
    assert (worst.naked_over_5s, worst.longest_naked_s, worst.banned) == (2, 6.0, True)
    assert (worst.weight_by_class, worst.more, worst.unfilled_pct) == (
        {"entry": 300, "close": 900},
        {"leftOut": 7},
        12.5,
    )


def test_position_that_stayed_open_is_the_worst_end() -> None:
    assert worst_of([figures(last_flat_s=3.0), figures(last_flat_s=None)]).last_flat_s is None


def test_json_has_the_names_of_the_figures() -> None:
    assert figures(more={"leftOut": 1}).as_json() == {
        "scenario": "turn",
        "lanes": 1,
        "followers": 45,
        "heldS": 7200,
        "protectedIn60s": 45,
        "closedIn60s": 45,
        "lastFlatS": 3.0,
        "nakedOver5s": 0,
        "longestNakedS": 0.1,
        "banned": False,
        "weightByClass": {"entry": 315},
        "leftOut": 1,
        "unfilledPct": 0.0,
    }
