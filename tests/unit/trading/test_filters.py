from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.trading.arithmetic import least_common_step
from shared.trading.filters import Rounding, round_down, round_price, round_up

from .markets import BITCOIN, D, decimals, is_multiple

steps = st.sampled_from([D("0.001"), D("0.005"), D("0.10"), D("0.25"), D(1), D(10), D("0.00000001")])


@given(decimals("0", "1000000000000", places=10), steps)
def test_rounding_lands_on_the_two_multiples_around_a_value(value: Decimal, step: Decimal) -> None:
    below, above = round_down(value, step), round_up(value, step)
    assert is_multiple(below, step)
    assert is_multiple(above, step)
    assert below <= value <= above
    assert Fraction(above) - Fraction(below) == (0 if is_multiple(value, step) else Fraction(step))


def test_step_of_zero_changes_nothing() -> None:
    assert round_down(D("1.23"), D(0)) == round_up(D("1.23"), D(0)) == D("1.23")


@pytest.mark.parametrize(("rounding", "price"), [(Rounding.UP, "19000.1"), (Rounding.DOWN, "19000.0")])
def test_price_is_rounded_in_the_direction_given(rounding: Rounding, price: str) -> None:
    assert round_price(D("19000.01"), D("0.10"), rounding) == D(price)


@pytest.mark.parametrize(
    ("one", "other", "common"),
    [
        ("0.001", "0.001", "0.001"),
        ("0.001", "0.01", "0.01"),
        ("0.004", "0.006", "0.012"),
        ("0.10", "0.25", "0.5"),
        ("1", "10", "10"),
        ("0.001", "0", "0.001"),
        ("0E-8", "0.5", "0.5"),
    ],
)
def test_common_step_is_the_least_multiple_of_both(one: str, other: str, common: str) -> None:
    assert least_common_step(D(one), D(other)) == least_common_step(D(other), D(one)) == D(common)


def test_entry_is_bound_by_the_stricter_of_both_lot_filters() -> None:
    filters = replace(BITCOIN, min_amount=D("0.002"), market_min_amount=D("0.005"), market_step_size=D("0.005"))
    assert (filters.entry_step, filters.entry_min, filters.entry_max) == (D("0.005"), D("0.005"), D("120"))
    assert replace(filters, max_amount=D(0), market_max_amount=D(0)).entry_max is None
