"""A follower's own sizing and caps, and the exchange's minimum that it may choose instead of nothing."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from shared.errors import OrderDenied
from shared.models.attributes import EntrySettingsAttribute
from shared.trading.entry_price import MarketPrices
from shared.trading.entry_settings import PROFILE_ALONE, BelowMinimum, EntrySettings, LossLimit, SizingType
from shared.trading.execution import DenialReason
from shared.trading.filters import SymbolFilters
from shared.trading.order_planning import stop_prices
from shared.trading.sides import Side, StopType
from shared.trading.signal import Signal
from shared.trading.sizing import AccountState, Cap, SizedOrder, SizingRules, size_order

from .markets import BITCOIN, D, accounts, an_account, decimals, is_multiple, signals, symbol_filters

SHORT = Signal(
    side=Side.SELL, order_price=D("20000"), stop=D("20200"), stop_type=StopType.MARKET, take_profits=(D("19800"),)
)
AT_20000 = MarketPrices(last=D(20000), bid=D(20000), ask=D(20000))
MINIMUM = EntrySettings(below_minimum=BelowMinimum.MINIMUM)


def rules(chosen: EntrySettings, *, risk_pct: str = "1") -> SizingRules:
    return SizingRules(
        risk_pct=D(risk_pct),
        taker_rate=D("0.0005"),
        allowance_pct=D("0.05"),
        max_effective_leverage=D(10),
        chosen=chosen,
    )


def size(chosen: EntrySettings, *, account: AccountState | None = None, filters: SymbolFilters = BITCOIN) -> SizedOrder:
    """Size a short of 1 % of 10,000 USDT: 0.434 BTC by the profile alone."""
    return size_order(
        signal=SHORT, account=account or an_account(), filters=filters, rules=rules(chosen), prices=AT_20000
    )


def notional(value: str, **also: Any) -> EntrySettings:
    return EntrySettings(sizing=SizingType.NOTIONAL, value=D(value), **also)


@pytest.mark.parametrize(
    ("chosen", "amount", "caps"),
    [
        (PROFILE_ALONE, "0.434", ()),
        (notional("5000"), "0.250", ()),
        (EntrySettings(sizing=SizingType.EQUITY, value=D(50)), "0.250", ()),
        (notional("20000"), "0.434", (Cap.RISK_BUDGET,)),
        (EntrySettings(max_notional=D(3000)), "0.150", (Cap.MAX_NOTIONAL,)),
        (EntrySettings(max_leverage=D("0.5")), "0.250", (Cap.MAX_LEVERAGE,)),
        (notional("20000", max_notional=D(3000), max_leverage=D("0.5")), "0.150",
         (Cap.MAX_NOTIONAL, Cap.MAX_LEVERAGE, Cap.RISK_BUDGET)),
        (EntrySettings(max_notional=D(8680)), "0.434", ()),  # met exactly
        (notional("8000", max_notional=D(8680)), "0.400", ()),
    ],
)  # fmt: skip
def test_worked_sizes(chosen: EntrySettings, amount: str, caps: tuple[Cap, ...]) -> None:
    sized = size(chosen)
    assert (sized.amount, sized.caps, sized.at_minimum) == (D(amount), caps, False)


class TestBelowMinimum:
    """The least is 0.006 BTC (100 USDT at 19,990), which loses 1.38057 USDT at the stop."""

    @pytest.mark.parametrize("equity", ["69.03", "100", "138.05"])
    def test_minimum_is_opened_while_it_loses_less_than_twice_the_percentage(self, equity: str) -> None:
        sized = size(MINIMUM, account=an_account(equity=equity))
        assert (sized.amount, sized.at_minimum, sized.caps) == (D("0.006"), True, ())
        assert sized.risk_usdt == D("1.38057")

    @pytest.mark.parametrize("equity", ["69.0285", "69.02", "10"])
    def test_minimum_that_loses_twice_the_percentage_is_denied(self, equity: str) -> None:
        with pytest.raises(OrderDenied) as denied:
            size(MINIMUM, account=an_account(equity=equity))
        assert denied.value.reason == DenialReason.BELOW_MINIMUM

    def test_minimum_is_skipped_where_the_follower_has_not_chosen_it(self) -> None:
        with pytest.raises(OrderDenied) as denied:
            size(PROFILE_ALONE, account=an_account(equity="138.05"))
        assert denied.value.reason == DenialReason.BELOW_MINIMUM

    def test_entry_that_reaches_the_minimum_is_no_exception(self) -> None:
        sized = size(MINIMUM, account=an_account(equity="138.06"))
        assert (sized.amount, sized.at_minimum) == (D("0.006"), False)

    def test_small_notional_is_raised_to_the_minimum_too(self) -> None:
        sized = size(notional("50", below_minimum=BelowMinimum.MINIMUM))
        assert (sized.amount, sized.at_minimum) == (D("0.006"), True)

    @pytest.mark.parametrize(
        "capped",
        [replace(MINIMUM, max_notional=D("119.9")), replace(MINIMUM, max_leverage=D("0.01"))],
    )
    def test_minimum_never_exceeds_the_followers_own_caps(self, capped: EntrySettings) -> None:
        with pytest.raises(OrderDenied) as denied:
            size(capped, account=an_account(equity="100"))
        assert denied.value.reason == DenialReason.BELOW_MINIMUM


@pytest.mark.parametrize(
    "wrong",
    [
        {"sizing": SizingType.NOTIONAL},
        {"value": D(5)},
        {"max_notional": D(0)},
        {"max_leverage": D(-1)},
        {"sizing": SizingType.EQUITY, "value": D(0)},
    ],
)
def test_settings_that_mean_nothing_cannot_be_made(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"value|greater"):
        EntrySettings(**wrong)


percents = decimals("0.01", "100", places=2)
loss_limits = st.builds(LossLimit, day_pct=percents, week_pct=st.none() | percents, close=st.booleans())


@st.composite
def chosen_settings(draw: st.DrawFn) -> EntrySettings:
    sizing = draw(st.sampled_from(SizingType))
    amounts = decimals("1", "500000", places=2)
    values = {
        SizingType.RISK: st.none(),
        SizingType.NOTIONAL: amounts,
        SizingType.EQUITY: decimals("0.01", "1000", places=2),
    }
    return EntrySettings(
        sizing=sizing,
        value=draw(values[sizing]),
        max_notional=draw(st.none() | amounts),
        max_leverage=draw(st.none() | decimals("0.01", "20", places=2)),
        below_minimum=draw(st.sampled_from(BelowMinimum)),
        loss_limit=draw(st.none() | loss_limits),
    )


@st.composite
def requests(draw: st.DrawFn) -> dict[str, Any]:
    signal = draw(signals())

    def price() -> Decimal:
        return signal.stop + (signal.order_price - signal.stop) * draw(decimals("0.2", "1.5", places=3))

    bid, ask = sorted((price(), price()))
    # Small accounts too, whose amounts are below the exchange's minimum.
    account = draw(accounts())
    share = draw(st.sampled_from([D(1), D("0.01"), D("0.001")]))
    return {
        "signal": signal,
        "account": replace(
            account,
            wallet_balance=account.wallet_balance * share,
            margin_balance=account.margin_balance * share,
            available_margin=account.available_margin * share,
        ),
        "filters": draw(symbol_filters()),
        "rules": rules(draw(chosen_settings()), risk_pct=str(draw(decimals("0.1", "10", places=2)))),
        "prices": MarketPrices(last=price(), bid=bid, ask=ask),
    }


def try_size(request: dict[str, Any]) -> SizedOrder | None:
    try:
        sized = size_order(**request)
    except OrderDenied as denied:
        event(DenialReason(denied.reason))
        return None
    event(f"{request['rules'].chosen.sizing}, {'minimum' if sized.at_minimum else 'sized'}")
    return sized


def loss_of(sized: SizedOrder, request: dict[str, Any]) -> Fraction:
    """Return the loss at the worst stop leg in exact arithmetic of its own."""
    signal, filters, rate = request["signal"], request["filters"], Fraction(request["rules"].taker_rate)
    entry = Fraction(sized.bound)
    stops = [Fraction(signal.stop), Fraction(stop_prices(signal, filters=filters).last)]
    lost: Fraction = Fraction(sized.amount) * max(
        signal.side.sign * (entry - stop) + rate * (entry + stop) for stop in stops
    )
    return lost


def notional_of(sized: SizedOrder, request: dict[str, Any]) -> Fraction:
    prices, signal = request["prices"], request["signal"]
    return Fraction(sized.amount) * Fraction(max(prices.last, prices.bid, prices.ask, signal.order_price, sized.bound))


@settings(max_examples=400)
@given(requests())
def test_no_setting_loses_more_than_the_percentage_and_the_minimum_less_than_twice(request: dict[str, Any]) -> None:
    sized = try_size(request)
    if sized is None:
        return
    allowed = Fraction(request["account"].equity) * Fraction(request["rules"].risk_pct) / 100
    if sized.at_minimum:
        assert request["rules"].chosen.below_minimum is BelowMinimum.MINIMUM
        assert loss_of(sized, request) < 2 * allowed
    else:
        assert loss_of(sized, request) <= allowed


@settings(max_examples=400)
@given(requests())
def test_own_caps_are_never_exceeded_and_the_exchanges_filters_hold(request: dict[str, Any]) -> None:
    sized = try_size(request)
    if sized is None:
        return
    chosen, account, filters = request["rules"].chosen, request["account"], request["filters"]
    held = notional_of(sized, request)
    if chosen.max_notional is not None:
        assert held <= Fraction(chosen.max_notional)
    if chosen.max_leverage is not None:
        assert held <= Fraction(account.equity) * Fraction(chosen.max_leverage)
    if chosen.value is not None and not sized.at_minimum:
        share = Fraction(account.equity) / 100 if chosen.sizing is SizingType.EQUITY else 1
        assert held <= Fraction(chosen.value) * share
    assert held <= Fraction(account.equity) * 10
    assert is_multiple(sized.amount, filters.step_size)
    assert sized.amount >= max(filters.min_amount, filters.market_min_amount)
    assert Fraction(sized.amount) * Fraction(sized.bound) >= Fraction(filters.min_notional)


@settings(max_examples=400)
@given(requests())
def test_settings_open_no_more_than_the_profile_alone_but_the_minimum(request: dict[str, Any]) -> None:
    sized = try_size(request)
    if sized is None or sized.at_minimum:
        return
    by_profile = try_size(request | {"rules": replace(request["rules"], chosen=PROFILE_ALONE)})
    assert by_profile is not None
    assert sized.amount <= by_profile.amount
    if sized.amount < by_profile.amount and request["rules"].chosen.value is None:
        assert set(sized.caps) & {Cap.MAX_NOTIONAL, Cap.MAX_LEVERAGE}


@given(chosen_settings())
def test_settings_are_stored_exactly(chosen: EntrySettings) -> None:
    attribute = EntrySettingsAttribute()
    assert attribute.deserialize(attribute.serialize(chosen)) == chosen
    assert attribute.serialize(PROFILE_ALONE) == "{}"
