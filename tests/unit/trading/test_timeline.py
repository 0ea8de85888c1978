from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.trading.sides import Side
from shared.trading.timeline import Slippage, ms_until, slippage_of

RECEIVED_AT = datetime(2022, 9, 9, 1, 57, 36, 304_000, tzinfo=UTC)

PRICES = st.decimals(min_value=Decimal("1e-8"), max_value=Decimal("1e7"), places=8)
AMOUNTS = st.decimals(min_value=Decimal("0.001"), max_value=Decimal("1e6"), places=3)
SIDES = st.sampled_from(Side)


def slipped(side: Side, order_price: str, entry_price: str, amount: str | None = "0.5") -> Slippage:
    found = slippage_of(
        side=side,
        order_price=Decimal(order_price),
        entry_price=Decimal(entry_price),
        amount=None if amount is None else Decimal(amount),
    )
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("side", "entry_price", "price", "pct", "cost"),
    [
        (Side.BUY, "20010", "10", "0.05", "5"),
        (Side.BUY, "19990", "-10", "-0.05", "-5"),
        (Side.SELL, "19990", "10", "0.05", "5"),
        (Side.SELL, "20010", "-10", "-0.05", "-5"),
        (Side.BUY, "20000", "0", "0", "0"),
    ],
)
def test_slippage_is_positive_where_the_follower_is_worse_off(
    side: Side, entry_price: str, price: str, pct: str, cost: str
) -> None:
    expected = Slippage(price=Decimal(price), pct=Decimal(pct), cost=Decimal(cost))
    assert slipped(side, "20000", entry_price) == expected


def test_without_an_entry_there_is_no_slippage() -> None:
    assert slippage_of(side=Side.BUY, order_price=Decimal(1), entry_price=None, amount=Decimal(1)) is None


def test_without_an_amount_only_the_cost_is_unknown() -> None:
    assert slipped(Side.BUY, "20000", "20010", amount=None) == Slippage(
        price=Decimal(10), pct=Decimal("0.05"), cost=None
    )


@given(side=SIDES, order_price=PRICES, entry_price=PRICES, amount=AMOUNTS)
def test_entry_price_is_trigger_price_plus_slippage(
    side: Side, order_price: Decimal, entry_price: Decimal, amount: Decimal
) -> None:
    found = slippage_of(side=side, order_price=order_price, entry_price=entry_price, amount=amount)
    assert found is not None
    assert order_price + side.sign * found.price == entry_price
    # What was paid in all differs from what was meant by the cost, to the last digit.
    assert entry_price * amount - order_price * amount == side.sign * (found.cost or 0)
    assert abs(found.pct / 100 * order_price - found.price) <= abs(found.price) * Decimal("1e-24")


@given(order_price=PRICES, entry_price=PRICES, amount=AMOUNTS)
def test_same_price_is_worse_for_a_buyer_and_better_for_a_seller(
    order_price: Decimal, entry_price: Decimal, amount: Decimal
) -> None:
    bought, sold = (
        slippage_of(side=side, order_price=order_price, entry_price=entry_price, amount=amount) for side in Side
    )
    assert bought is not None
    assert sold is not None
    assert (bought.price, bought.pct, bought.cost) == (-sold.price, -sold.pct, -(sold.cost or 0))


@given(side=SIDES, order_price=PRICES, entry_price=PRICES, amount=AMOUNTS)
def test_all_three_figures_have_the_same_sign_and_none_is_rounded_to_zero(
    side: Side, order_price: Decimal, entry_price: Decimal, amount: Decimal
) -> None:
    found = slippage_of(side=side, order_price=order_price, entry_price=entry_price, amount=amount)
    assert found is not None
    assert found.cost is not None
    signs = {(value > 0) - (value < 0) for value in (found.price, found.pct, found.cost)}
    assert len(signs) == 1


@given(milliseconds=st.integers(min_value=0, max_value=10**12), rest=st.integers(min_value=0, max_value=999))
def test_durations_are_whole_milliseconds(milliseconds: int, rest: int) -> None:
    moment = RECEIVED_AT + timedelta(milliseconds=milliseconds, microseconds=rest)
    assert ms_until(moment, since=RECEIVED_AT) == milliseconds


def test_unreached_moment_has_no_duration_and_earlier_moment_has_zero() -> None:
    assert ms_until(None, since=RECEIVED_AT) is None
    assert ms_until(RECEIVED_AT - timedelta(milliseconds=3, microseconds=1), since=RECEIVED_AT) == 0
