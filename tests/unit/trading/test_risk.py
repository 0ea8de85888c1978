"""What a position loses at its stop, and the fee rate that entries are sized with."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.trading.risk import (
    BASE_TAKER_RATE,
    is_plausible_rate,
    loss_at_stop,
    risk_budget,
    taker_rate_for_sizing,
)
from shared.trading.sides import Side

from .markets import D, decimals

NOW = datetime(2026, 11, 29, tzinfo=UTC)


def test_loss_at_the_stop_has_the_fees_of_both_ways() -> None:
    # 150 from 20,000 to 19,700, and 0.04 % of 10,000 and of 9,850.
    at = {"amount": D("0.5"), "taker_rate": D("0.0004")}
    assert loss_at_stop(side=Side.BUY, entry_price=D(20000), stop_price=D(19700), **at) == D("157.94")
    assert loss_at_stop(side=Side.SELL, entry_price=D(19700), stop_price=D(20000), **at) == D("157.94")


@given(
    side=st.sampled_from(Side),
    entry=decimals("1", "60000", places=3),
    stop=decimals("1", "60000", places=3),
    better=decimals("0", "1000", places=3),
    rate=decimals("0.00001", "0.005", places=5),
)
def test_better_entry_price_never_loses_more(
    side: Side, entry: Decimal, stop: Decimal, better: Decimal, rate: Decimal
) -> None:
    at = {"side": side, "amount": D(3), "stop_price": stop, "taker_rate": rate}
    improved = entry - side.sign * better
    assert loss_at_stop(entry_price=improved, **at) <= loss_at_stop(entry_price=entry, **at)  # type: ignore[arg-type]


def test_budget_is_the_percentage_of_equity() -> None:
    assert risk_budget(equity=D("10731.37"), risk_pct=D("1.5")) == D("160.97055")


@pytest.mark.parametrize(
    ("known", "age_h", "used"),
    [
        ("0.0002", 1, "0.0002"),
        ("0.0002", 26, "0.0002"),
        ("0.0002", 27, "0.0005"),  # too old
        ("0.0006", 1, "0.0006"),
        ("0.0006", 27, "0.0006"),  # too old, and higher than the base rate
        (None, None, "0.0005"),
        ("0.0002", None, "0.0005"),
        ("0", 1, "0.0005"),
        ("-0.0001", 1, "0.0005"),  # a rebate is for makers
        ("0.02", 1, "0.0005"),
        ("NaN", 1, "0.0005"),
        ("Infinity", 1, "0.0005"),
    ],
)
def test_rate_that_is_unknown_old_or_absurd_is_replaced_by_the_base_rate(
    known: str | None, age_h: int | None, used: str
) -> None:
    read_at = None if age_h is None else NOW - timedelta(hours=age_h)
    rate = taker_rate_for_sizing(None if known is None else D(known), read_at=read_at, now=NOW)
    assert rate == D(used)
    assert is_plausible_rate(rate)


def test_base_rate_is_the_exchanges_for_accounts_without_discount() -> None:
    assert D("0.0005") == BASE_TAKER_RATE
