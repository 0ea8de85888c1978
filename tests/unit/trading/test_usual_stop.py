"""The usual stop of a strategy, and the least equity that reaches the exchange's minimum with it."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import OrderDenied
from shared.trading.entry_price import MarketPrices
from shared.trading.entry_settings import BelowMinimum, EntrySettings
from shared.trading.execution import DenialReason
from shared.trading.filters import SymbolFilters
from shared.trading.sides import Side, StopType
from shared.trading.signal import Signal
from shared.trading.sizing import AccountState, SizedOrder, SizingRules, size_order
from shared.trading.usual_stop import UsualStop, least_equity, usual_stop

FILTERS = SymbolFilters(
    symbol="BTC/USDT",
    tick_size=Decimal("0.1"),
    step_size=Decimal("0.001"),
    min_amount=Decimal("0.001"),
    max_amount=Decimal(1000),
    market_step_size=Decimal("0.001"),
    market_min_amount=Decimal("0.001"),
    market_max_amount=Decimal(120),
    min_notional=Decimal(100),
)


def rules(risk_pct: str = "1.5", below_minimum: BelowMinimum = BelowMinimum.SKIP) -> SizingRules:
    return SizingRules(
        chosen=EntrySettings(below_minimum=below_minimum),
        risk_pct=Decimal(risk_pct),
        taker_rate=Decimal("0.0005"),
        allowance_pct=Decimal("0.05"),
        max_effective_leverage=Decimal(10),
    )


def signal(price: int, stop: int, stop_type: StopType = StopType.MARKET) -> Signal:
    side = Side.BUY if stop < price else Side.SELL
    return Signal(side=side, order_price=Decimal(price), stop=Decimal(stop), stop_type=stop_type, take_profits=())


def size(stop: UsualStop, *, equity: Decimal, price: Decimal, side: Side, by: SizingRules) -> SizedOrder:
    account = AccountState(
        wallet_balance=equity,
        margin_balance=equity,
        available_margin=equity,
        leverage=Decimal(50),
        bracket_notional_cap=Decimal(10**9),
        maintenance_margin_rate=Decimal(0),
    )
    return size_order(
        signal=stop.signal_at(price, side=side),
        account=account,
        filters=FILTERS,
        rules=by,
        prices=MarketPrices(last=price, bid=price, ask=price),
    )


def outcomes(stop: UsualStop, *, equity: Decimal, price: Decimal, by: SizingRules) -> list[str]:
    """Return, for each side, why the entry is denied, or that it is sized."""
    found = []
    for side in Side:
        try:
            size(stop, equity=equity, price=price, side=side, by=by)
        except OrderDenied as denied:
            found.append(denied.reason)
        else:
            found.append("sized")
    return found


def test_usual_stop_is_the_median_distance_with_the_latest_type() -> None:
    recent = [signal(20000, 19800, StopType.LIMIT), signal(20000, 20600), signal(10000, 9800)]

    assert usual_stop(recent) == UsualStop(Decimal("0.02"), StopType.LIMIT)
    assert usual_stop([]) is None


def test_least_equity_by_hand() -> None:
    # The least amount with a notional of 100 at 20,010 (19,990 for SELL) is 0.006, rounded up to the step. BUY with its
    # stop at 19,800 loses 0.006 × (210 + 0.0005 × 39,810) = 1.37943, SELL with its stop at 20,200 loses
    # 0.006 × (210 + 0.0005 × 40,190) = 1.38057, which is 1.5 % of 92.038.
    stop = UsualStop(Decimal("0.01"), StopType.MARKET)

    assert least_equity(stop, price=Decimal(20000), filters=FILTERS, rules=rules()) == Decimal("92.04")
    # It must be less than 3 % of the equity: 46.019 is not enough.
    half = rules(below_minimum=BelowMinimum.MINIMUM)
    assert least_equity(stop, price=Decimal(20000), filters=FILTERS, rules=half) == Decimal("46.02")


@given(
    price=st.decimals(min_value=500, max_value=200_000, places=1),
    distance=st.decimals(min_value="0.003", max_value="0.3", places=4),
    risk_pct=st.sampled_from(["0.5", "1.5", "3", "100"]),
    stop_type=st.sampled_from(StopType),
    below_minimum=st.sampled_from(BelowMinimum),
)
def test_least_equity_reaches_the_minimum_on_both_sides_and_clearly_less_does_not(
    price: Decimal, distance: Decimal, risk_pct: str, stop_type: StopType, below_minimum: BelowMinimum
) -> None:
    stop, by = UsualStop(distance, stop_type), rules(risk_pct, below_minimum)
    needed = least_equity(stop, price=price, filters=FILTERS, rules=by)

    assert DenialReason.BELOW_MINIMUM not in outcomes(stop, equity=needed, price=price, by=by)
    # The side that needs more is below the minimum with less.
    assert DenialReason.BELOW_MINIMUM in outcomes(stop, equity=needed * Decimal("0.97"), price=price, by=by)


@pytest.mark.parametrize("side", Side)
def test_signal_at_a_price_has_its_stop_on_the_losing_side(side: Side) -> None:
    made = UsualStop(Decimal("0.01"), StopType.MARKET).signal_at(Decimal(20000), side=side)

    assert made.stop == 20000 - 200 * side.sign
    assert made.take_profits == (Decimal(20000 + 200 * side.sign),)
