"""How a position is brought down to a share of its entry's amount."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from shared.trading.reduction import Reduction, plan_reduction
from tests.unit.trading.markets import BITCOIN

amounts = st.integers(1, 5_000).map(lambda steps: steps * BITCOIN.entry_step)
shares = st.decimals("0.0001", "0.9999", places=4)


def plan(entered: str, left: str, keep_share: str) -> Reduction:
    return plan_reduction(entered=Decimal(entered), left=Decimal(left), keep_share=Decimal(keep_share), filters=BITCOIN)


@pytest.mark.parametrize(
    ("left", "keep_share", "close", "keep"),
    [
        ("0.750", "0.5", "0.375", "0.375"),
        ("0.750", "0.333", "0.501", "0.249"),  # 0.24975, rounded down
        ("0.500", "0.5", "0.125", "0.375"),  # a take-profit has closed a part
        ("0.375", "0.5", "0", "0.375"),
        ("0.250", "0.5", "0", "0.250"),
        ("0.750", "0.001", "0", "0"),  # what would remain is no order
    ],
)
def test_what_is_left_is_brought_down_to_the_share_of_the_entry(
    left: str, keep_share: str, close: str, keep: str
) -> None:
    assert plan("0.750", left, keep_share) == Reduction(Decimal(close), Decimal(keep))


@given(amounts, amounts, shares)
def test_plan_leaves_no_more_than_the_share_no_dust_and_nothing_to_do_again(
    entered: Decimal, left: Decimal, keep_share: Decimal
) -> None:
    assume(left <= entered)
    found = plan_reduction(entered=entered, left=left, keep_share=keep_share, filters=BITCOIN)
    assert 0 <= found.close <= left
    if not found.keep:
        assert found.close == 0
        assert entered * keep_share < BITCOIN.entry_min < left + BITCOIN.entry_min
        return
    assert found.keep == left - found.close
    assert found.keep <= max(entered * keep_share, Decimal(0)) or not found.close
    again = plan_reduction(entered=entered, left=found.keep, keep_share=keep_share, filters=BITCOIN)
    assert again.close == 0


@given(amounts, shares, shares)
def test_a_smaller_share_never_leaves_more(entered: Decimal, one: Decimal, other: Decimal) -> None:
    less, more = sorted((one, other))
    kept = [plan_reduction(entered=entered, left=entered, keep_share=s, filters=BITCOIN).keep for s in (less, more)]
    assert kept[0] <= kept[1]


def test_difference_below_a_market_orders_minimum_stays() -> None:
    filters = replace(BITCOIN, market_min_amount=Decimal("0.100"))
    found = plan_reduction(entered=Decimal("0.750"), left=Decimal("0.420"), keep_share=Decimal("0.5"), filters=filters)
    assert found == Reduction(Decimal(0), Decimal("0.420"))


def test_market_order_is_no_larger_than_the_exchange_takes() -> None:
    filters = replace(BITCOIN, market_max_amount=Decimal("0.200"))
    found = plan_reduction(entered=Decimal("0.750"), left=Decimal("0.750"), keep_share=Decimal("0.5"), filters=filters)
    assert found == Reduction(Decimal("0.200"), Decimal("0.550"))
