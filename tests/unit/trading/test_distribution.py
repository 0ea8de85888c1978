"""Quartiles by hand, and their rules for any values."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from shared.trading.distribution import compounded_pct, distribution_of

STEP = Decimal("0.0001")
VALUES = st.lists(st.decimals(-1000, 1000, places=4), min_size=1, max_size=40)


def quartiles(*values: str) -> list[Decimal]:
    found = distribution_of(map(Decimal, values), step=STEP)
    assert found is not None
    return [found.least, found.lower_quartile, found.median, found.upper_quartile, found.greatest]


def test_quartiles_are_interpolated_between_their_neighbours() -> None:
    assert quartiles("7") == [7] * 5
    assert quartiles("4", "1") == [1, Decimal("1.75"), Decimal("2.5"), Decimal("3.25"), 4]
    assert quartiles("5", "1", "3", "2", "4") == [1, 2, 3, 4, 5]
    assert quartiles("1", "2", "3", "10") == [1, Decimal("1.75"), Decimal("2.5"), Decimal("4.75"), 10]


def test_nothing_has_no_distribution() -> None:
    assert distribution_of([], step=STEP) is None


@given(VALUES)
def test_quartiles_are_in_order_and_half_of_the_values_lie_on_each_side_of_the_median(values: list[Decimal]) -> None:
    found = distribution_of(values, step=STEP)
    assert found is not None
    assert found.least <= found.lower_quartile <= found.median <= found.upper_quartile <= found.greatest
    assert (found.count, found.least, found.greatest) == (len(values), min(values), max(values))
    assert 2 * sum(value < found.median for value in values) <= len(values)
    # The median of an even number of values may be rounded towards zero by less than a step.
    assert 2 * sum(value > found.median + STEP for value in values) <= len(values)


def test_returns_that_follow_each_other_are_compounded() -> None:
    assert compounded_pct(map(Decimal, ("10", "-10"))) == -1
    assert compounded_pct([]) == 0
    assert compounded_pct([Decimal(-100), Decimal(50)]) == -100
