"""Describes how values are spread: their quartiles, the least and the greatest. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from shared.trading.arithmetic import exact


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """The spread of some values."""

    count: int
    least: Decimal
    lower_quartile: Decimal
    median: Decimal
    upper_quartile: Decimal
    greatest: Decimal


def distribution_of(values: Iterable[Decimal], *, step: Decimal) -> Distribution | None:
    """Return the spread of the values, rounded to `step`; None without a value.

    A quartile that lies between two values is interpolated between them, in proportion to its distance (the inclusive
    method: the least and the greatest value are the quartiles 0 and 4).
    """
    ordered = sorted(values)
    if not ordered:
        return None
    with exact():
        least, lower, median, upper, greatest = (_quartile(ordered, number).quantize(step) for number in range(5))
    return Distribution(
        count=len(ordered),
        least=least,
        lower_quartile=lower,
        median=median,
        upper_quartile=upper,
        greatest=greatest,
    )


def compounded_pct(percentages: Iterable[Decimal]) -> Decimal:
    """Return the return in percent of returns in percent that follow each other."""
    with exact():
        value = Decimal(1)
        for one in percentages:
            value *= 1 + one / 100
        return (value - 1) * 100


def _quartile(ordered: Sequence[Decimal], number: int) -> Decimal:
    place = number * (len(ordered) - 1)
    index, quarters = divmod(place, 4)
    if not quarters:
        return ordered[index]
    return ordered[index] + (ordered[index + 1] - ordered[index]) * quarters / 4
