from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from shared.errors import OrderDenied
from shared.trading.execution import DenialReason
from shared.trading.filters import SymbolFilters
from shared.trading.order_planning import stop_prices
from shared.trading.sides import Side, StopType
from shared.trading.signal import Signal
from shared.trading.sizing import AccountState, Cap, MarginMode, SizedOrder, estimate_liquidation, size_order

from .markets import (
    BITCOIN,
    DOCUMENTED,
    D,
    accounts,
    an_account,
    decimals,
    is_multiple,
    signals,
    symbol_filters,
)

SHORT = Signal(
    side=Side.SELL, order_price=D("20000"), stop=D("20200"), stop_type=StopType.MARKET, take_profits=(D("19800"),)
)


def size(
    signal: Signal = DOCUMENTED,
    *,
    account: AccountState | None = None,
    filters: SymbolFilters = BITCOIN,
    risk_pct: str = "1.5",
    max_effective_leverage: str = "10",
    market: Decimal | None = None,
) -> SizedOrder:
    return size_order(
        signal=signal,
        account=account or an_account(),
        filters=filters,
        risk_pct=D(risk_pct),
        max_effective_leverage=D(max_effective_leverage),
        market_price=signal.order_price if market is None else market,
    )


def denial(*args: Signal, **kwargs: object) -> str:
    with pytest.raises(OrderDenied) as caught:
        size(*args, **kwargs)  # type: ignore[arg-type]
    return caught.value.reason


class TestWorkedFigures:
    @pytest.mark.parametrize(
        ("equity", "risk_pct", "amount"),
        [
            # 0.673 BTC x (19,299.9 - 19,000) = 201.8327 USDT, 1.5 % of 13,455.52.
            ("13455.52", "1.5", "0.673"),
            ("13455.50", "1.5", "0.672"),
            ("13475.50", "1.5", "0.673"),
            ("13475.51", "1.5", "0.674"),
            ("10000", "1", "0.333"),
            ("10000", "3", "1.000"),
        ],
    )
    def test_amount_is_equity_times_percentage_over_stop_distance_rounded_down(
        self, equity: str, risk_pct: str, amount: str
    ) -> None:
        assert size(account=an_account(equity=equity), risk_pct=risk_pct).amount == D(amount)

    def test_documented_trade_risks_what_the_documentation_shows(self) -> None:
        sized = size(account=an_account(equity="13460"))
        assert sized.amount == D("0.673")
        assert sized.risk_usdt == D("201.8327")
        assert sized.notional_usdt == D("12988.8327")
        assert sized.caps == ()

    def test_short_is_sized_by_the_same_rule(self) -> None:
        assert size(SHORT, risk_pct="2").amount == D("1.000")

    @pytest.mark.parametrize(("wallet", "margin", "amount"), [("5000", "10000", "0.250"), ("10000", "5000", "0.250")])
    def test_equity_is_the_smaller_of_wallet_and_margin_balance(self, wallet: str, margin: str, amount: str) -> None:
        sized = size(SHORT, account=an_account(wallet=wallet, margin=margin, available="5000"), risk_pct="1")
        assert (sized.equity, sized.amount) == (D("5000"), D(amount))

    def test_result_that_is_a_whole_number_of_steps_is_not_rounded_down_by_one_more(self) -> None:
        thirds = replace(SHORT, order_price=D("20000"), stop=D("20003"))
        sized = size(thirds, account=an_account(equity="10000"), risk_pct="0.03", max_effective_leverage="1000")
        assert sized.amount == D("1")

    def test_both_steps_of_the_symbol_are_kept(self) -> None:
        filters = replace(BITCOIN, step_size=D("0.004"), market_step_size=D("0.006"))
        assert size(SHORT, filters=filters, risk_pct="1").amount == D("0.492")  # 0.5 down to a multiple of 0.012


class TestCaps:
    def test_available_margin_caps_at_95_percent_times_leverage(self) -> None:
        sized = size(SHORT, account=an_account(available="1000", leverage="5"), risk_pct="1")
        assert sized.amount == D("0.237")  # 1,000 x 0.95 x 5 / 20,000
        assert sized.caps == (Cap.AVAILABLE_MARGIN,)

    def test_leverage_bracket_caps_the_notional(self) -> None:
        sized = size(SHORT, account=an_account(bracket_cap="5000"), risk_pct="1")
        assert (sized.amount, sized.caps) == (D("0.250"), (Cap.LEVERAGE_BRACKET,))

    def test_effective_leverage_caps_at_a_multiple_of_equity(self) -> None:
        tight = replace(SHORT, stop=D("20011"))
        sized = size(tight, risk_pct="1")
        assert (sized.amount, sized.caps) == (D("5.000"), (Cap.EFFECTIVE_LEVERAGE,))

    def test_largest_market_order_caps_the_amount(self) -> None:
        sized = size(SHORT, filters=replace(BITCOIN, market_max_amount=D("0.3")), risk_pct="1")
        assert (sized.amount, sized.caps) == (D("0.3"), (Cap.MAX_AMOUNT,))

    def test_every_effective_cap_is_recorded_with_the_lowest_first(self) -> None:
        account = an_account(available="1000", leverage="5", bracket_cap="3000")
        sized = size(SHORT, account=account, risk_pct="1")
        assert (sized.amount, sized.caps) == (D("0.150"), (Cap.LEVERAGE_BRACKET, Cap.AVAILABLE_MARGIN))

    def test_cap_that_is_met_exactly_is_not_recorded(self) -> None:
        sized = size(SHORT, account=an_account(bracket_cap="10000"), risk_pct="1")
        assert (sized.amount, sized.caps) == (D("0.500"), ())

    def test_caps_use_the_market_price_if_it_is_higher_than_the_reference(self) -> None:
        tight = replace(DOCUMENTED, order_price=D("20000"), stop=D("19990"))
        sized = size(tight, risk_pct="20", market=D("20200"))
        assert sized.amount == D("4.950")  # 100,000 / 20,200
        assert sized.notional_usdt <= D("100000")


class TestReferencePrice:
    @pytest.mark.parametrize(
        ("signal", "market", "amount"),
        [
            # 1.5 % of 10,000 over the distance from the market, 0.9 % beyond the alert's price, to the stop at 0.3 %.
            (replace(DOCUMENTED, order_price=D("20000"), stop=D("19940")), "20180", "0.625"),
            (replace(SHORT, stop=D("20060")), "19820", "0.625"),
            # A market that is nearer to the stop than the alert's price makes the amount no larger.
            (replace(DOCUMENTED, order_price=D("20000"), stop=D("19800")), "19900", "0.750"),
            (SHORT, "20100", "0.750"),
        ],
    )
    def test_risk_counts_from_the_worse_of_the_alerts_price_and_the_markets(
        self, signal: Signal, market: str, amount: str
    ) -> None:
        account = an_account(equity="10000", bracket_cap="1000000")
        assert size(signal, account=account, market=D(market)).amount == D(amount)

    def test_limit_stop_is_sized_by_its_backstop(self) -> None:
        # 60 to the stop, 20 more to the backstop: 1.5 % of 10,000 over 80.
        narrow = replace(DOCUMENTED, order_price=D("20000"), stop=D("19940"), stop_type=StopType.LIMIT)
        account = an_account(equity="10000", bracket_cap="1000000")
        sized = size(narrow, account=account, max_effective_leverage="20")
        assert (sized.amount, sized.risk_usdt) == (D("1.875"), D("150"))


class TestDenials:
    @pytest.mark.parametrize(
        ("signal", "market"),
        [
            (DOCUMENTED, "19000"),
            (DOCUMENTED, "18990"),
            (SHORT, "20200"),
            (SHORT, "20300"),
            # On the tick grid the stop stands at 19,000.1, where the market is.
            (replace(DOCUMENTED, stop=D("19000.01")), "19000.1"),
        ],
    )
    def test_stop_that_the_market_has_crossed_is_denied(self, signal: Signal, market: str) -> None:
        assert denial(signal, market=D(market)) == DenialReason.STOP_CROSSED

    def test_stop_within_a_tick_of_the_reference_is_denied(self) -> None:
        assert denial(replace(DOCUMENTED, stop=D("19299.85")), market=D("19400")) == DenialReason.STOP_CROSSED

    def test_stop_on_the_wrong_side_of_the_reference_is_denied(self) -> None:
        assert denial(replace(DOCUMENTED, stop=D("19400")), market=D("19500")) == DenialReason.STOP_CROSSED

    def test_stop_just_short_of_the_market_is_sized(self) -> None:
        assert size(DOCUMENTED, market=D("19000.1")).amount > 0

    @pytest.mark.parametrize("equity", ["0", "-12.5"])
    def test_no_equity_is_denied(self, equity: str) -> None:
        assert denial(account=an_account(equity=equity)) == DenialReason.NO_EQUITY

    def test_no_available_margin_is_denied(self) -> None:
        assert denial(account=an_account(available="0")) == DenialReason.NO_AVAILABLE_MARGIN

    @pytest.mark.parametrize(
        ("equity", "filters"),
        [
            ("10", BITCOIN),  # 0.15 USDT of risk buys 0.0005 BTC
            ("90", replace(BITCOIN, min_notional=D("100"))),  # 0.004 BTC would do as an amount, 77 USDT does not
            ("1000", replace(BITCOIN, market_min_amount=D("0.1"))),
            ("1000", replace(BITCOIN, min_amount=D("0.1"))),
        ],
    )
    def test_order_below_the_exchange_minimum_is_denied(self, equity: str, filters: SymbolFilters) -> None:
        assert denial(account=an_account(equity=equity), filters=filters) == DenialReason.BELOW_MINIMUM

    def test_order_of_exactly_the_minimum_notional_passes(self) -> None:
        filters = replace(BITCOIN, min_notional=D("10000"))
        assert size(SHORT, filters=filters, risk_pct="1").amount == D("0.500")
        assert denial(SHORT, filters=filters, risk_pct="1", market=D("19999")) == DenialReason.BELOW_MINIMUM

    def test_denial_names_the_cap_that_made_the_order_too_small(self) -> None:
        with pytest.raises(OrderDenied, match="AVAILABLE_MARGIN"):
            size(account=an_account(available="1", leverage="1"))

    @pytest.mark.parametrize(
        ("side", "stop", "denied"),
        [
            # 20x: 1,000 USDT of margin less 20 of fees, so (20,000 - 980) / 0.996 = 19,096.4 ...
            (Side.BUY, "19096.5", False),
            (Side.BUY, "19096.4", True),
            # ... and (20,000 + 980) / 1.004 = 20,896.4.
            (Side.SELL, "20896.3", False),
            (Side.SELL, "20896.5", True),
        ],
    )
    def test_stop_behind_the_liquidation_of_an_isolated_position_is_denied(
        self, side: Side, stop: str, denied: bool
    ) -> None:
        signal = Signal(side=side, order_price=D("20000"), stop=D(stop), stop_type=StopType.MARKET, take_profits=())
        account = an_account(margin_mode=MarginMode.ISOLATED)
        if denied:
            assert denial(signal, account=account, risk_pct="1") == DenialReason.STOP_BEHIND_LIQUIDATION
        else:
            assert size(signal, account=account, risk_pct="1").liquidation_price is not None

    def test_limit_stop_is_denied_when_its_backstop_lies_behind_liquidation(self) -> None:
        account = an_account(margin_mode=MarginMode.ISOLATED)
        at_market = replace(DOCUMENTED, order_price=D("20000"), stop=D("19200"))
        assert size(at_market, account=account, risk_pct="1").amount == D("0.125")
        limit = replace(at_market, stop_type=StopType.LIMIT)
        assert denial(limit, account=account, risk_pct="1") == DenialReason.STOP_BEHIND_LIQUIDATION

    def test_risk_of_the_whole_equity_on_cross_margin_is_denied_since_maintenance_comes_first(self) -> None:
        assert denial(SHORT, account=an_account(leverage="125"), risk_pct="100", max_effective_leverage="125") == (
            DenialReason.STOP_BEHIND_LIQUIDATION
        )

    @pytest.mark.parametrize("risk_pct", ["0", "-1", "100.1"])
    def test_percentage_outside_its_range_is_an_error_of_the_caller(self, risk_pct: str) -> None:
        with pytest.raises(ValueError, match="risk_pct"):
            size(risk_pct=risk_pct)


class TestLiquidation:
    def test_unlevered_long_is_never_liquidated(self) -> None:
        account = an_account(equity="25000")
        assert estimate_liquidation(account, side=Side.BUY, amount=D(1), entry_price=D(20000)) is None

    def test_estimate_comes_earlier_than_without_fees_and_deductions(self) -> None:
        # 1 BTC at 20,000 on 2,000 USDT: without fees (20,000 - 2,000) / (1 - 0.004) = 18,072.3.
        account = an_account(equity="2000")
        price = estimate_liquidation(account, side=Side.BUY, amount=D(1), entry_price=D(20000))
        assert price is not None
        assert D("18072.3") < price < D("18100")

    def test_only_what_other_positions_leave_is_collateral(self) -> None:
        rich, bound = an_account(equity="4000"), an_account(equity="4000", available="2000")
        prices = [
            estimate_liquidation(account, side=Side.SELL, amount=D(1), entry_price=D(20000))
            for account in (rich, bound)
        ]
        assert prices[0] is not None
        assert prices[1] is not None
        assert prices[1] < prices[0]


@st.composite
def requests(draw: st.DrawFn) -> dict[str, object]:
    signal = draw(signals())
    return {
        "signal": signal,
        "account": draw(accounts()),
        "filters": draw(symbol_filters()),
        "risk_pct": draw(decimals("0.01", "100", places=2) | decimals("0.1", "5", places=2)),
        "max_effective_leverage": D(draw(st.integers(1, 20))),
        # Somewhere between just before the stop and as far beyond the order price.
        "market_price": signal.stop + (signal.order_price - signal.stop) * draw(decimals("0.01", "2", places=3)),
    }


def try_size(request: dict[str, object]) -> SizedOrder | None:
    try:
        sized = size_order(**request)  # type: ignore[arg-type]
    except OrderDenied as denied:
        event(DenialReason(denied.reason))
        return None
    event(f"sized, {sized.caps[0] if sized.caps else 'uncapped'}")
    return sized


def conditions_of(request: dict[str, object]) -> tuple[Signal, AccountState, SymbolFilters]:
    signal, account, filters = request["signal"], request["account"], request["filters"]
    assert isinstance(signal, Signal)
    assert isinstance(account, AccountState)
    assert isinstance(filters, SymbolFilters)
    return signal, account, filters


class TestProperties:
    @settings(max_examples=300)
    @given(requests())
    def test_loss_at_the_stop_is_at_most_the_percentage_of_equity(self, request: dict[str, object]) -> None:
        sized = try_size(request)
        if sized is None:
            return
        signal, account, filters = conditions_of(request)
        equity = min(Fraction(account.wallet_balance), Fraction(account.margin_balance))
        allowed = equity * Fraction(str(request["risk_pct"])) / 100
        market = Fraction(str(request["market_price"]))
        placed = stop_prices(signal, filters=filters)
        stops = [Fraction(stop) for stop in (signal.stop, placed.trigger, placed.last)]
        entries = [Fraction(signal.order_price), market]
        widest = max(abs(entry - stop) for entry in entries for stop in stops)
        # Wherever between the alert's price and the market's it fills, and whichever stop leg closes it.
        assert Fraction(sized.amount) * widest <= allowed
        if not sized.caps:
            larger = Fraction(sized.amount) + Fraction(filters.entry_step)
            assert larger * widest > allowed

    @settings(max_examples=300)
    @given(requests())
    def test_sized_order_passes_the_filters_and_every_cap(self, request: dict[str, object]) -> None:
        sized = try_size(request)
        if sized is None:
            return
        signal, account, filters = conditions_of(request)
        market = Fraction(str(request["market_price"]))
        reference = Fraction(signal.order_price)
        amount = Fraction(sized.amount)
        assert is_multiple(sized.amount, filters.step_size)
        assert is_multiple(sized.amount, filters.market_step_size)
        assert amount >= max(filters.min_amount, filters.market_min_amount)
        assert all(amount <= most for most in (filters.max_amount, filters.market_max_amount) if most)
        assert amount * market >= Fraction(filters.min_notional)
        notional = amount * max(market, reference)
        assert notional <= Fraction(account.available_margin) * Fraction("0.95") * Fraction(account.leverage)
        assert notional <= account.bracket_notional_cap
        assert notional <= Fraction(sized.equity) * Fraction(str(request["max_effective_leverage"]))

    @settings(max_examples=300)
    @given(requests())
    def test_last_stop_triggers_before_liquidation(self, request: dict[str, object]) -> None:
        sized = try_size(request)
        if sized is None:
            return
        signal, account, filters = conditions_of(request)
        amount, last_stop = Fraction(sized.amount), Fraction(stop_prices(signal, filters=filters).last)
        for entry in (Fraction(str(request["market_price"])), Fraction(signal.order_price)):
            collateral = min(
                Fraction(account.wallet_balance), Fraction(account.margin_balance), Fraction(account.available_margin)
            )
            if account.margin_mode is MarginMode.ISOLATED:
                collateral = amount * entry / Fraction(account.leverage)
            left = collateral + signal.side.sign * amount * (last_stop - entry)
            assert left > amount * last_stop * Fraction(account.maintenance_margin_rate)
