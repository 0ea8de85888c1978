"""The table that `make capacity` prints. Measures nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

NOT_MEASURED = "Not measured yet."

_COLUMNS = (
    "scenario",
    "lanes",
    "followers",
    "held",
    "begins at s",
    "protected in 60 s",
    "closed in 60 s",
    "last flat",
    "naked > 5 s",
    "longest naked",
    "banned",
    "unfilled",
)
_OWN = {
    "fannedOutS": "seconds until every follower had an execution",
    "lastProtectedS": "seconds until the last entry within 60 s was protected",
    "entries": "entries due",
    "leftOut": "entries left out",
    "lookWeightPerMinute": "weight of looks a minute",
    "longestUnseenS": "longest time without a look, seconds",
    "touchedToBookedS": "stop filled to booked, the longest, seconds",
    "neverEntered": "followers that none of three alerts reached",
    "leftOutTwice": "followers that two alerts running left out",
    "leftOutAtMost": "followers that one alert left out, the most",
}
_HOUR_S, _DAY_S = 3_600, 86_400


def markdown(scenarios: Sequence[Mapping[str, Any]]) -> str:
    """Return the scenarios as a table in Markdown."""
    if not scenarios:
        return NOT_MEASURED
    rows = [_COLUMNS, tuple("---" for _ in _COLUMNS), *map(_cells, scenarios)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def own_markdown(scenarios: Sequence[Mapping[str, Any]]) -> str:
    """Return the figures that a scenario has beyond those of all, as a table in Markdown."""
    rows: list[tuple[str, ...]] = [("scenario", "lanes", "followers", "held", "figure", ""), ("---",) * 6]
    for one in scenarios:
        for name in one:
            if name in _OWN:
                value = "–" if one[name] is None else f"{one[name]:,}"
                rows.append((*_size(one), _OWN[name], value))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def weights_markdown(scenarios: Sequence[Mapping[str, Any]]) -> str:
    """Return what each class of work has weighed in each scenario, as a table in Markdown."""
    classes = sorted({name for one in scenarios for name in one["weightByClass"]})
    rows = [("scenario", "lanes", "followers", "held", *classes), tuple("---" for _ in range(4 + len(classes)))]
    for one in scenarios:
        weights = (str(one["weightByClass"].get(name, "–")) for name in classes)
        rows.append((*_size(one), *weights))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def held(seconds: int) -> str:
    """Return for how long a position was held, in words."""
    if not seconds:
        return "–"
    return f"{seconds // _DAY_S} d" if seconds % _DAY_S == 0 else f"{seconds // _HOUR_S} h"


def _cells(one: Mapping[str, Any]) -> tuple[str, ...]:
    last = one["lastFlatS"]
    return (
        *_size(one),
        ", ".join(map(str, one["beginsAt"])),
        str(one["protectedIn60s"]),
        str(one["closedIn60s"]) if one["heldS"] else "–",
        "–" if last is None else f"{last:.1f} s",
        str(one["nakedOver5s"]),
        f"{one['longestNakedS']:.1f} s",
        "yes" if one["banned"] else "no",
        f"{one['unfilledPct']:.1f} %",
    )


def _size(one: Mapping[str, Any]) -> tuple[str, ...]:
    return one["scenario"], str(one["lanes"]), f"{one['followers']:,}", held(one["heldS"])
