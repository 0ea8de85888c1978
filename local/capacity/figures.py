"""The figures of one scenario, and the worst of several runs of it. Measures nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What one run of a scenario has shown, or the worst of its runs."""

    scenario: str
    lanes: int
    followers: int
    held_s: int
    """How long the positions had been open when it began."""
    protected_in_60s: int
    """Followers that 60 s later had their position with its stop, or after an exit were flat."""
    closed_in_60s: int
    """Positions from before that were closed 60 s later."""
    last_flat_s: float | None
    """When the last of these was closed; None if there was none, or one stayed open."""
    naked_over_5s: int
    """How many positions had no stop for more than 5 s."""
    longest_naked_s: float
    banned: bool
    weight_by_class: dict[str, int]
    more: dict[str, Any] = field(default_factory=dict)
    """Figures of this scenario alone, by their name in JSON."""
    unfilled_pct: float = 0.0
    """What the book left unfilled of the planned amounts."""

    def including(self, more: dict[str, Any], **changed: Any) -> Figures:
        """Return the figures with those of the scenario alone, and with others in place of some."""
        return replace(self, more=self.more | more, **changed)

    def as_json(self) -> dict[str, Any]:
        """Return the figures by their names in JSON."""
        values = asdict(self)
        more: dict[str, Any] = values.pop("more")
        unfilled = values.pop("unfilled_pct")
        named: dict[str, Any] = {_camel(name): value for name, value in values.items()}
        return named | more | {"unfilledPct": unfilled}


def worst_of(runs: Sequence[Figures]) -> Figures:
    """Return the worst of each figure; the weights are those of the run that used most."""
    first, last_flat = runs[0], [run.last_flat_s for run in runs]
    return Figures(
        scenario=first.scenario,
        lanes=first.lanes,
        followers=first.followers,
        held_s=first.held_s,
        protected_in_60s=min(run.protected_in_60s for run in runs),
        closed_in_60s=min(run.closed_in_60s for run in runs),
        last_flat_s=None if None in last_flat else max(value for value in last_flat if value is not None),
        naked_over_5s=max(run.naked_over_5s for run in runs),
        longest_naked_s=max(run.longest_naked_s for run in runs),
        banned=any(run.banned for run in runs),
        weight_by_class=max((run.weight_by_class for run in runs), key=lambda weights: sum(weights.values())),
        more={name: _worst([run.more[name] for run in runs]) for name in first.more},
        unfilled_pct=max(run.unfilled_pct for run in runs),
    )


def _worst(values: Sequence[Any]) -> Any:
    """Return the largest: every figure of a single scenario is one of which less is better; None is the worst."""
    return None if None in values else max(values)


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(part.capitalize() for part in others)
