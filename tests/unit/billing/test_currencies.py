"""Amounts of Stripe's, in their currencies."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.billing.currencies import amount_of, with_every_digit


@pytest.mark.parametrize(
    ("smallest_units", "currency", "amount"),
    [
        (4900, "USD", "49.00"),
        (4900, "EUR", "49.00"),
        (4900, "JPY", "4900"),
        (4900, "KRW", "4900"),
        (4900, "KWD", "4.900"),
        (500, "ISK", "5.00"),
        (500, "UGX", "5.00"),
        (0, "EUR", "0.00"),
    ],
)
def test_amount_has_every_digit_of_its_currency(smallest_units: int, currency: str, amount: str) -> None:
    assert str(amount_of(smallest_units, currency)) == amount


@given(smallest_units=st.integers(0, 10**12), currency=st.sampled_from(["EUR", "JPY", "KWD"]))
def test_digits_that_a_table_drops_come_back(smallest_units: int, currency: str) -> None:
    amount = amount_of(smallest_units, currency)
    stored = Decimal(format(amount.normalize(), "f"))
    assert str(with_every_digit(stored, currency)) == str(amount)
