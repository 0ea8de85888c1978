from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from shared.errors import OrderDenied
from shared.trading.entry_price import MarketPrices, entry_bound
from shared.trading.execution import DenialReason
from shared.trading.filters import SymbolFilters, round_down
from shared.trading.order_planning import stop_prices
from shared.trading.sides import Side, StopType
from shared.trading.signal import Signal
from shared.trading.sizing import (
    AccountState,
    Cap,
    MarginMode,
    OpenedPart,
    SizedOrder,
    SizingRules,
    estimate_liquidation,
    size_order,
)

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


def at(price: Decimal) -> MarketPrices:
    return MarketPrices(last=price, bid=price, ask=price)


def size(
    signal: Signal = DOCUMENTED,
    *,
    account: AccountState | None = None,
    filters: SymbolFilters = BITCOIN,
    risk_pct: str = "1.5",
    max_effective_leverage: str = "10",
    taker_rate: str = "0.0005",
    allowance_pct: str = "0.05",
    prices: MarketPrices | None = None,
    opened: OpenedPart | None = None,
) -> SizedOrder:
    return size_order(
        signal=signal,
        account=account or an_account(),
        filters=filters,
        rules=SizingRules(
            risk_pct=D(risk_pct),
            taker_rate=D(taker_rate),
            allowance_pct=D(allowance_pct),
            max_effective_leverage=D(max_effective_leverage),
        ),
        prices=prices or at(signal.order_price),
        opened=opened,
    )


def denial(*args: Signal, **kwargs: object) -> str:
    with pytest.raises(OrderDenied) as caught:
        size(*args, **kwargs)  # type: ignore[arg-type]
    return caught.value.reason


class TestWorkedFigures:
    @pytest.mark.parametrize(
        ("equity", "risk_pct", "taker_rate", "amount"),
        [
            # Bound 19,309.5, stop 19,000: 309.5 for each BTC, and fees of 0.05 % of 38,309.5 = 19.15475.
            ("10000", "1.5", "0.0005", "0.456"),
            ("9991.10", "1.5", "0.0005", "0.455"),  # 0.456 BTC would lose 149.866566
            ("9991.11", "1.5", "0.0005", "0.456"),
            ("10000", "1", "0.0005", "0.304"),
            ("10000", "3", "0.0005", "0.912"),
            ("10000", "1.5", "0.0002", "0.472"),  # the account's own rate is lower
            ("10000", "1.5", "0.001", "0.431"),
        ],
    )
    def test_amount_loses_the_percentage_between_bound_and_stop_with_the_fees_of_both_ways(
        self, equity: str, risk_pct: str, taker_rate: str, amount: str
    ) -> None:
        sized = size(account=an_account(equity=equity), risk_pct=risk_pct, taker_rate=taker_rate)
        assert (sized.amount, sized.bound) == (D(amount), D("19309.5"))

    def test_rule_without_fees_and_allowance_is_the_documentations_own(self) -> None:
        # 0.673 BTC × (19,299.9 to 19,000) = 201.8 USDT, 1.5 % of some 13,460: two ticks and fees of nearly nothing.
        sized = size(account=an_account(equity="13470"), taker_rate="0.0000001", allowance_pct="0")
        assert (sized.amount, sized.bound) == (D("0.673"), D("19300.1"))

    def test_risk_and_notional_are_those_at_the_bound(self) -> None:
        sized = size(account=an_account(equity="10000"))
        assert sized.risk_usdt == D("0.456") * (D("309.5") + D("19.15475"))
        assert sized.notional_usdt == D("0.456") * D("19309.5")
        assert sized.caps == ()

    def test_short_is_sized_by_the_same_rule(self) -> None:
        # Bound 19,990, stop 20,200: 210 for each BTC, and 0.05 % of 40,190.
        sized = size(SHORT, risk_pct="2")
        assert (sized.amount, sized.bound) == (D("0.869"), D("19990.0"))

    @pytest.mark.parametrize(("wallet", "margin", "amount"), [("5000", "10000", "0.217"), ("10000", "5000", "0.217")])
    def test_equity_is_the_smaller_of_wallet_and_margin_balance(self, wallet: str, margin: str, amount: str) -> None:
        sized = size(SHORT, account=an_account(wallet=wallet, margin=margin, available="5000"), risk_pct="1")
        assert (sized.equity, sized.amount) == (D("5000"), D(amount))

    def test_both_steps_of_the_symbol_are_kept(self) -> None:
        filters = replace(BITCOIN, step_size=D("0.004"), market_step_size=D("0.006"))
        assert size(SHORT, filters=filters, risk_pct="1").amount == D("0.432")  # 0.4346 down to a multiple of 0.012


class TestCaps:
    def test_available_margin_caps_at_95_percent_times_leverage(self) -> None:
        sized = size(SHORT, account=an_account(available="1000", leverage="5"), risk_pct="1")
        assert sized.amount == D("0.237")  # 1,000 × 0.95 × 5 ÷ 20,000
        assert sized.caps == (Cap.AVAILABLE_MARGIN,)

    def test_leverage_bracket_caps_the_notional(self) -> None:
        sized = size(SHORT, account=an_account(bracket_cap="5000"), risk_pct="1")
        assert (sized.amount, sized.caps) == (D("0.250"), (Cap.LEVERAGE_BRACKET,))

    def test_effective_leverage_caps_at_a_multiple_of_equity(self) -> None:
        tight = replace(SHORT, stop=D("20011"))
        sized = size(tight, risk_pct="3")
        assert (sized.amount, sized.caps) == (D("5.000"), (Cap.EFFECTIVE_LEVERAGE,))

    def test_largest_market_order_caps_the_amount(self) -> None:
        sized = size(SHORT, filters=replace(BITCOIN, market_max_amount=D("0.3")), risk_pct="1")
        assert (sized.amount, sized.caps) == (D("0.3"), (Cap.MAX_AMOUNT,))

    def test_every_effective_cap_is_recorded_with_the_lowest_first(self) -> None:
        account = an_account(available="1000", leverage="5", bracket_cap="3000")
        sized = size(SHORT, account=account, risk_pct="1")
        assert (sized.amount, sized.caps) == (D("0.150"), (Cap.LEVERAGE_BRACKET, Cap.AVAILABLE_MARGIN))

    def test_cap_that_is_met_exactly_is_not_recorded(self) -> None:
        sized = size(SHORT, account=an_account(bracket_cap="8680"), risk_pct="1")
        assert (sized.amount, sized.caps) == (D("0.434"), ())

    @pytest.mark.parametrize(
        "prices",
        [at(D("20200")), MarketPrices(last=D("20200"), bid=D("20000"), ask=D("20000"))],
    )
    def test_caps_use_the_highest_price(self, prices: MarketPrices) -> None:
        tight = replace(DOCUMENTED, order_price=D("20000"), stop=D("19990"))
        sized = size(tight, risk_pct="20", prices=prices)
        assert sized.notional_usdt <= D("100000")
        assert sized.amount in {D("4.948"), D("4.950")}  # 100,000 ÷ 20,210.1, or 20,200


class TestBound:
    @pytest.mark.parametrize(
        ("side", "order_price", "offers", "allowance", "bound"),
        [
            (Side.BUY, "20000", ("19999.9", "20000"), "0.05", "20010.0"),
            (Side.BUY, "20000", ("20004.9", "20005"), "0.05", "20015.0"),  # the best offer is worse: 20,015.0025
            (Side.BUY, "20000", ("19990", "19990.1"), "0.05", "20010.0"),  # the order price is worse
            (Side.BUY, "19999.95", ("19990", "19990.1"), "0.05", "20009.9"),  # 20,009.949975 on the tick
            (Side.BUY, "20000", ("19999.9", "20000"), "0", "20000.2"),  # two ticks at least
            (Side.BUY, "100", ("99.9", "100"), "0.05", "100.2"),
            (Side.SELL, "20000", ("20000", "20000.1"), "0.05", "19990.0"),
            (Side.SELL, "20000", ("19995", "19995.1"), "0.05", "19985.1"),  # 19,985.0025
            (Side.SELL, "20000", ("20010", "20010.1"), "0.05", "19990.0"),
            (Side.SELL, "20000.05", ("20010", "20010.1"), "0.05", "19990.1"),
            (Side.SELL, "100", ("100", "100.1"), "0", "99.8"),
        ],
    )
    def test_bound_lies_beyond_the_worse_of_order_price_and_best_offer_on_the_tick(
        self, side: Side, order_price: str, offers: tuple[str, str], allowance: str, bound: str
    ) -> None:
        prices = MarketPrices(last=D(order_price), bid=D(offers[0]), ask=D(offers[1]))
        found = entry_bound(
            side=side, order_price=D(order_price), prices=prices, allowance_pct=D(allowance), filters=BITCOIN
        )
        assert found == D(bound)

    @pytest.mark.parametrize("side", list(Side))
    def test_side_of_the_book_that_is_empty_is_denied(self, side: Side) -> None:
        prices = MarketPrices(last=D(20000), bid=D(0), ask=D(0))
        assert denial(SHORT if side is Side.SELL else DOCUMENTED, prices=replace(prices)) == DenialReason.PRICE_MOVED

    def test_bound_stays_within_the_symbols_prices(self) -> None:
        filters = replace(BITCOIN, price_min=D("19995"), price_max=D("20005"))
        for side, bound in ((Side.BUY, "20005"), (Side.SELL, "19995")):
            found = entry_bound(
                side=side, order_price=D(20000), prices=at(D(20000)), allowance_pct=D("0.05"), filters=filters
            )
            assert found == D(bound)

    def test_amount_counts_from_the_best_offer_where_that_is_worse_than_the_alerts_price(self) -> None:
        # A stop of 0.3 % and an offer 0.09 % away: (20,028 - 19,940) + 0.05 % of 39,968 for each BTC.
        signal = replace(DOCUMENTED, order_price=D("20000"), stop=D("19940"))
        prices = MarketPrices(last=D("20000"), bid=D("20017.9"), ask=D("20018"))
        sized = size(signal, account=an_account(equity="10000"), prices=prices, max_effective_leverage="20")
        assert (sized.amount, sized.bound) == (D("1.389"), D("20028.0"))

    def test_limit_stop_is_sized_by_its_backstop(self) -> None:
        # 70 from the bound to the stop, 20 more to the backstop at 19,920; fees of 0.05 % of 39,930.
        narrow = replace(DOCUMENTED, order_price=D("20000"), stop=D("19940"), stop_type=StopType.LIMIT)
        sized = size(narrow, account=an_account(equity="10000"), max_effective_leverage="20")
        assert (sized.amount, sized.risk_usdt) == (D("1.364"), D("1.364") * (D(90) + D("19.965")))

    @pytest.mark.parametrize("rate", ["0", "-0.0001"])
    def test_nothing_is_sized_without_a_fee(self, rate: str) -> None:
        with pytest.raises(ValueError, match="fee"):
            size(taker_rate=rate)


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
        assert denial(signal, prices=at(D(market))) == DenialReason.STOP_CROSSED

    def test_stop_within_a_tick_of_the_reference_is_denied(self) -> None:
        assert denial(replace(DOCUMENTED, stop=D("19299.85")), prices=at(D("19400"))) == DenialReason.STOP_CROSSED

    def test_stop_on_the_wrong_side_of_the_reference_is_denied(self) -> None:
        assert denial(replace(DOCUMENTED, stop=D("19400")), prices=at(D("19500"))) == DenialReason.STOP_CROSSED

    def test_stop_just_short_of_the_market_is_sized(self) -> None:
        assert size(DOCUMENTED, prices=at(D("19000.1"))).amount > 0

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

    def test_minimum_notional_is_reached_at_the_bound(self) -> None:
        # 0.434 BTC at 19,990 are 8,675.66 USDT.
        enough, more = (replace(BITCOIN, min_notional=D(least)) for least in ("8675.66", "8675.67"))
        assert size(SHORT, filters=enough, risk_pct="1").amount == D("0.434")
        assert denial(SHORT, filters=more, risk_pct="1") == DenialReason.BELOW_MINIMUM

    def test_denial_names_the_cap_that_made_the_order_too_small(self) -> None:
        with pytest.raises(OrderDenied, match="AVAILABLE_MARGIN"):
            size(account=an_account(available="1", leverage="1"))

    @pytest.mark.parametrize(
        ("side", "stop", "denied"),
        [
            # 20x at the bound of 20,010: 1,000.5 of margin less 20.01 of fees, so ... = 19,105.9
            (Side.BUY, "19106.1", False),
            (Side.BUY, "19105.9", True),
            # ... and (19,990 + 979.51) / 1.004 = 20,885.97.
            (Side.SELL, "20885.8", False),
            (Side.SELL, "20886.0", True),
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
        assert size(at_market, account=account, risk_pct="1").amount == D("0.120")
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


def part(amount: str, price: str, *, of: str = "0.456") -> OpenedPart:
    return OpenedPart(amount=D(amount), price=D(price), unfilled=D(of) - D(amount))


class TestRemainder:
    """What an entry of 0.456 BTC has left, for a budget of 150 USDT: bound 19,309.5, stop 19,000."""

    @pytest.mark.parametrize(
        ("opened", "market", "amount"),
        [
            (part("0.256", "19309.5"), "19300", "0.200"),
            # At 19,340 the bound is 19,349.6: 368.7748 USDT for each BTC, of the 65.866 that are left.
            (part("0.256", "19309.5"), "19340", "0.178"),
            # What filled better leaves more of the budget, but no more is wanted than the entry left.
            (part("0.256", "19250"), "19300", "0.200"),
            (part("0.256", "19250"), "19340", "0.200"),
        ],
    )
    def test_remainder_loses_what_the_first_part_left_of_the_budget(
        self, opened: OpenedPart, market: str, amount: str
    ) -> None:
        assert size(opened=opened, prices=at(D(market))).amount == D(amount)

    def test_remainder_below_the_exchange_minimum_is_denied(self) -> None:
        opened = part("0.4559", "19309.5")
        assert denial(opened=opened) == "BELOW_MINIMUM"

    def test_budget_that_is_spent_leaves_nothing(self) -> None:
        opened = OpenedPart(amount=D("0.456"), price=D("19320"), unfilled=D("0.1"))
        assert denial(opened=opened) == "BELOW_MINIMUM"

    def test_caps_hold_for_both_parts_together(self) -> None:
        # 0.1 times 10,000 USDT at 19,309.5 are 0.051 BTC.
        opened = OpenedPart(amount=D("0.030"), price=D("19300"), unfilled=D("0.100"))
        sized = size(opened=opened, max_effective_leverage="0.1")
        assert (sized.amount, sized.caps) == (D("0.021"), (Cap.EFFECTIVE_LEVERAGE,))

    def test_largest_order_is_the_most_of_each_part(self) -> None:
        filters = replace(BITCOIN, max_amount=D("0.3"), market_max_amount=D("0.3"))
        sized = size(opened=part("0.300", "19000.1", of="0.900"), filters=filters)
        assert sized.amount == D("0.300")


@st.composite
def requests(draw: st.DrawFn) -> dict[str, object]:
    signal = draw(signals())

    def price() -> Decimal:
        # Somewhere between just before the stop and as far beyond the order price.
        return signal.stop + (signal.order_price - signal.stop) * draw(decimals("0.01", "2", places=3))

    bid, ask = sorted((price(), price()))
    return {
        "signal": signal,
        "account": draw(accounts()),
        "filters": draw(symbol_filters()),
        "rules": SizingRules(
            risk_pct=draw(decimals("0.01", "100", places=2) | decimals("0.1", "5", places=2)),
            taker_rate=draw(decimals("0.00001", "0.005", places=5)),
            allowance_pct=draw(decimals("0", "1", places=3)),
            max_effective_leverage=D(draw(st.integers(1, 20))),
        ),
        "prices": MarketPrices(last=price(), bid=bid, ask=ask),
    }


def try_size(request: dict[str, object]) -> SizedOrder | None:
    try:
        sized = size_order(**request)  # type: ignore[arg-type]
    except OrderDenied as denied:
        event(DenialReason(denied.reason))
        return None
    event(f"sized, {sized.caps[0] if sized.caps else 'uncapped'}")
    return sized


def conditions_of(
    request: dict[str, object],
) -> tuple[Signal, AccountState, SymbolFilters, SizingRules, MarketPrices]:
    signal, account, filters = request["signal"], request["account"], request["filters"]
    rules, prices = request["rules"], request["prices"]
    assert isinstance(signal, Signal)
    assert isinstance(account, AccountState)
    assert isinstance(filters, SymbolFilters)
    assert isinstance(rules, SizingRules)
    assert isinstance(prices, MarketPrices)
    return signal, account, filters, rules, prices


def loss_of(sized: SizedOrder, *, entry: Decimal, stop: Decimal, side: Side, rate: Decimal) -> Fraction:
    """Return what is lost between two prices, with the fees of both ways, in exact arithmetic of its own."""
    moved = side.sign * (Fraction(entry) - Fraction(stop))
    return Fraction(sized.amount) * (moved + Fraction(rate) * (Fraction(entry) + Fraction(stop)))


class TestProperties:
    @settings(max_examples=300)
    @given(requests(), st.decimals("0", "1", places=3))
    def test_loss_at_the_stop_with_all_fees_is_at_most_the_percentage_of_equity(
        self, request: dict[str, object], share: Decimal
    ) -> None:
        sized = try_size(request)
        if sized is None:
            return
        signal, account, filters, rules, _ = conditions_of(request)
        equity = min(Fraction(account.wallet_balance), Fraction(account.margin_balance))
        allowed = equity * Fraction(rules.risk_pct) / 100
        placed = stop_prices(signal, filters=filters)
        stops = [signal.stop, placed.trigger, placed.last]
        # Wherever it fills, at its bound or better, and whichever stop leg closes it.
        better = sized.bound - signal.side.sign * abs(sized.bound - signal.stop) * share
        for entry in (sized.bound, better):
            for stop in stops:
                assert loss_of(sized, entry=entry, stop=stop, side=signal.side, rate=rules.taker_rate) <= allowed
        if not sized.caps:
            larger = replace(sized, amount=sized.amount + filters.entry_step)
            assert allowed < max(
                loss_of(larger, entry=sized.bound, stop=stop, side=signal.side, rate=rules.taker_rate) for stop in stops
            )

    @settings(max_examples=300)
    @given(requests(), decimals("0", "1", places=3), decimals("0", "1", places=3), decimals("0.9", "1.1", places=3))
    def test_both_parts_together_lose_at_most_the_percentage_of_equity_and_keep_every_cap(
        self, request: dict[str, object], filled: Decimal, improvement: Decimal, moved: Decimal
    ) -> None:
        first = try_size(request)
        if first is None:
            return
        signal, account, filters, rules, prices = conditions_of(request)
        opened_amount = round_down(first.amount * filled, filters.step_size)
        price = first.bound - signal.side.sign * abs(first.bound - signal.stop) * improvement
        opened = OpenedPart(amount=opened_amount, price=price, unfilled=first.amount - opened_amount)
        later = MarketPrices(last=prices.last * moved, bid=prices.bid * moved, ask=prices.ask * moved)
        second = try_size(request | {"prices": later, "opened": opened})
        if second is None:
            return
        allowed = Fraction(account.equity) * Fraction(rules.risk_pct) / 100
        for stop in (signal.stop, stop_prices(signal, filters=filters).last):
            part_of_first = replace(first, amount=opened_amount)
            loss = loss_of(part_of_first, entry=price, stop=stop, side=signal.side, rate=rules.taker_rate)
            loss += loss_of(second, entry=second.bound, stop=stop, side=signal.side, rate=rules.taker_rate)
            assert loss <= allowed
        assert second.amount <= opened.unfilled
        total = Fraction(second.amount + opened_amount)
        notional = total * Fraction(max(later.last, later.bid, later.ask, signal.order_price, second.bound))
        assert notional <= Fraction(account.available_margin) * Fraction("0.95") * Fraction(account.leverage)
        assert notional <= account.bracket_notional_cap
        assert notional <= Fraction(second.equity) * Fraction(rules.max_effective_leverage)

    @settings(max_examples=300)
    @given(requests())
    def test_bound_is_on_the_tick_and_within_the_allowance(self, request: dict[str, object]) -> None:
        sized = try_size(request)
        if sized is None:
            return
        signal, _, filters, rules, prices = conditions_of(request)
        worse = max if signal.side is Side.BUY else min
        reference = worse(Fraction(signal.order_price), Fraction(prices.offered_to(signal.side)))
        beyond = (Fraction(sized.bound) - reference) * signal.side.sign
        assert is_multiple(sized.bound, filters.tick_size)
        # The price that is offered is reached, and what lies beyond it is the allowance, or two ticks.
        assert beyond > 0 or sized.bound == filters.tick_size
        assert beyond <= max(reference * Fraction(rules.allowance_pct) / 100, 2 * Fraction(filters.tick_size))

    @settings(max_examples=300)
    @given(requests())
    def test_sized_order_passes_the_filters_and_every_cap(self, request: dict[str, object]) -> None:
        sized = try_size(request)
        if sized is None:
            return
        signal, account, filters, rules, prices = conditions_of(request)
        amount = Fraction(sized.amount)
        assert is_multiple(sized.amount, filters.step_size)
        assert is_multiple(sized.amount, filters.market_step_size)
        assert amount >= max(filters.min_amount, filters.market_min_amount)
        assert all(amount <= most for most in (filters.max_amount, filters.market_max_amount) if most)
        assert amount * Fraction(sized.bound) >= Fraction(filters.min_notional)
        notional = amount * Fraction(max(prices.last, prices.bid, prices.ask, signal.order_price, sized.bound))
        assert notional <= Fraction(account.available_margin) * Fraction("0.95") * Fraction(account.leverage)
        assert notional <= account.bracket_notional_cap
        assert notional <= Fraction(sized.equity) * Fraction(rules.max_effective_leverage)

    @settings(max_examples=300)
    @given(requests())
    def test_last_stop_triggers_before_liquidation(self, request: dict[str, object]) -> None:
        sized = try_size(request)
        if sized is None:
            return
        signal, account, filters, _, _ = conditions_of(request)
        amount, last_stop = Fraction(sized.amount), Fraction(stop_prices(signal, filters=filters).last)
        for entry in (Fraction(sized.bound), Fraction(signal.order_price)):
            collateral = min(
                Fraction(account.wallet_balance), Fraction(account.margin_balance), Fraction(account.available_margin)
            )
            if account.margin_mode is MarginMode.ISOLATED:
                collateral = amount * entry / Fraction(account.leverage)
            left = collateral + signal.side.sign * amount * (last_stop - entry)
            assert left > amount * last_stop * Fraction(account.maintenance_margin_rate)
