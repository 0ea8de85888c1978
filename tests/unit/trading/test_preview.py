"""What a past alert would have opened: the rule of a real entry, without what the exchange alone knows."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from shared.errors import OrderDenied
from shared.trading.entry_price import MarketPrices
from shared.trading.entry_settings import EntrySettings, SizingType
from shared.trading.execution import DenialReason
from shared.trading.preview import preview_entry
from shared.trading.sides import Side, StopType
from shared.trading.signal import Signal
from shared.trading.sizing import Cap, SizingRules, size_order

from .markets import BITCOIN, D, an_account, decimals

LONG = Signal(side=Side.BUY, order_price=D(20000), stop=D(19800), stop_type=StopType.MARKET, take_profits=())


def rules(**chosen: Any) -> SizingRules:
    return SizingRules(
        risk_pct=D("1.5"),
        taker_rate=D("0.0005"),
        allowance_pct=D("0.05"),
        max_effective_leverage=D(10),
        chosen=EntrySettings(**chosen),
    )


@pytest.mark.parametrize(
    ("chosen", "amount", "caps"),
    [
        ({}, "0.65244340", ()),  # 150 USDT over 210 and fees of 19.905
        ({"max_notional": D(4002)}, "0.2", (Cap.MAX_NOTIONAL,)),
        ({"sizing": SizingType.EQUITY, "value": D("40.02")}, "0.2", ()),
        ({"sizing": SizingType.NOTIONAL, "value": D(90_000)}, "0.65244340", (Cap.RISK_BUDGET,)),
    ],
)
def test_worked_amounts(chosen: dict[str, Any], amount: str, caps: tuple[Cap, ...]) -> None:
    sized = preview_entry(LONG, equity=D(10_000), rules=rules(**chosen))
    assert (sized.amount, sized.caps) == (D(amount), caps)


def test_alert_without_a_loss_at_its_stop_is_denied() -> None:
    beyond = Signal(side=Side.BUY, order_price=D(20000), stop=D(20100), stop_type=StopType.MARKET, take_profits=())
    with pytest.raises(OrderDenied) as denied:
        preview_entry(beyond, equity=D(10_000), rules=rules())
    assert denied.value.reason == DenialReason.STOP_CROSSED


@given(
    equity=decimals("2000", "1000000", places=2),
    price=decimals("10000", "90000", places=1),
    distance=st.integers(3, 100),
    max_notional=st.none() | decimals("1000", "500000", places=0),
)
def test_preview_is_the_real_entry_but_for_the_exchanges_steps(
    equity: Decimal, price: Decimal, distance: int, max_notional: Decimal | None
) -> None:
    stop = price * (1000 - distance) / 1000
    signal = Signal(side=Side.BUY, order_price=price, stop=stop, stop_type=StopType.MARKET, take_profits=())
    by = rules(max_notional=max_notional)
    shown = preview_entry(signal, equity=equity, rules=by)
    assert Fraction(shown.amount) * max(Fraction(price), Fraction(shown.bound)) <= Fraction(equity) * 10
    assume(shown.amount > D("0.02"))
    real = size_order(
        signal=signal,
        account=an_account(equity=str(equity)),
        filters=BITCOIN,
        rules=by,
        prices=MarketPrices(last=price, bid=price, ask=price),
    )
    # A tick moves the loss by less than a hundredth part at these distances, and the step is 0.001.
    assert abs(real.amount - shown.amount) <= D("0.001") + shown.amount / 100
