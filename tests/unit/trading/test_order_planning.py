from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.trading.filters import SymbolFilters, round_up
from shared.trading.ids import TAKE_PROFIT_LEGS, Leg
from shared.trading.order_planning import (
    ExitPlan,
    OrderType,
    TimeInForce,
    plan_close,
    plan_entry,
    plan_exits,
    split_amount,
)
from shared.trading.sides import Side, StopType
from shared.trading.signal import Signal, Trailing

from .markets import BITCOIN, DOCUMENTED, D, is_multiple, plan_violations, signals, symbol_filters


def plan(signal: Signal = DOCUMENTED, *, amount: str = "0.673", filters: SymbolFilters = BITCOIN) -> ExitPlan:
    return plan_exits(signal=signal, filters=filters, amount=D(amount), entry_side=signal.side)


def split(amount: str, *prices: str, filters: SymbolFilters = BITCOIN) -> list[tuple[str, str]]:
    targets = tuple(D(price) for price in prices)
    shares = split_amount(D(amount), targets=targets, filters=filters)
    return [(str(price), str(share)) for price, share in shares.items()]


class TestEntryAndClose:
    def test_entry_fills_at_its_bound_or_better_at_once(self) -> None:
        entry = plan_entry(side=Side.BUY, amount=D("0.673"), bound=D("19309.5"))
        assert (entry.leg, entry.type, entry.side, entry.amount) == (Leg.ENTRY, OrderType.LIMIT, Side.BUY, D("0.673"))
        assert (entry.price, entry.time_in_force) == (D("19309.5"), TimeInForce.IOC)
        assert not entry.reduce_only

    @pytest.mark.parametrize("leg", [Leg.CLOSE, Leg.FLATTEN])
    def test_close_can_only_reduce(self, leg: Leg) -> None:
        close = plan_close(leg=leg, entry_side=Side.SELL, amount=D("0.5"))
        assert (close.leg, close.type, close.side, close.reduce_only) == (leg, OrderType.MARKET, Side.BUY, True)


class TestStops:
    def test_market_stop_closes_the_position_at_its_trigger(self) -> None:
        (stop,) = plan().stops
        assert (stop.leg, stop.type, stop.side) == (Leg.STOP, OrderType.STOP_MARKET, Side.SELL)
        assert (stop.trigger_price, stop.price) == (D("19000"), None)
        # The exchange takes no amount and no reduceOnly beside closePosition.
        assert (stop.close_position, stop.amount, stop.reduce_only) == (True, None, False)

    @pytest.mark.parametrize(
        ("side", "stop_price", "limit", "backstop"),
        [
            # A sixth and a third of the stop distance of 500 beyond the trigger.
            (Side.BUY, "19000", "18916.6", "18833.3"),
            (Side.SELL, "20000", "20083.4", "20166.7"),
            # A narrow stop keeps a narrow backstop: 60, 10 and 20.
            (Side.BUY, "19440", "19430", "19420"),
            (Side.SELL, "19560", "19570", "19580"),
            # At least a tick each.
            (Side.BUY, "19499.9", "19499.8", "19499.8"),
        ],
    )
    def test_limit_stop_has_its_limit_and_a_backstop_beyond_the_trigger(
        self, side: Side, stop_price: str, limit: str, backstop: str
    ) -> None:
        signal = replace(
            DOCUMENTED, side=side, stop=D(stop_price), stop_type=StopType.LIMIT, take_profits=(), order_price=D("19500")
        )
        stop, last = plan(signal).stops
        assert (stop.leg, stop.type, stop.side) == (Leg.STOP, OrderType.STOP, side.opposite)
        assert (stop.trigger_price, stop.price) == (D(stop_price), D(limit))
        assert (stop.amount, stop.reduce_only, stop.close_position) == (D("0.673"), True, False)
        assert (last.leg, last.type, last.side) == (Leg.STOP_BACKSTOP, OrderType.STOP_MARKET, side.opposite)
        assert (last.trigger_price, last.amount, last.close_position) == (D(backstop), None, True)

    @pytest.mark.parametrize(("side", "placed"), [(Side.BUY, "19000.1"), (Side.SELL, "19000.0")])
    def test_stop_between_two_ticks_goes_to_the_one_nearer_to_the_entry(self, side: Side, placed: str) -> None:
        signal = replace(DOCUMENTED, side=side, stop=D("19000.04"), take_profits=())
        assert plan(signal).stops[0].trigger_price == D(placed)

    def test_prices_beyond_the_stop_never_reach_zero(self) -> None:
        filters = replace(BITCOIN, tick_size=D("0.01"))
        signal = replace(
            DOCUMENTED, order_price=D("0.03"), stop=D("0.01"), stop_type=StopType.LIMIT, take_profits=(D("0.04"),)
        )
        assert plan_violations(plan(signal, filters=filters), filters) == []

    def test_prices_stay_within_the_band_of_the_symbol(self) -> None:
        filters = replace(BITCOIN, price_min=D("18920.05"), price_max=D("19520"))
        signal = replace(DOCUMENTED, stop_type=StopType.LIMIT)
        prices = [order.price or order.trigger_price for order in plan(signal, filters=filters).orders]
        assert prices == [D("18950"), D("18920.1"), D("19450"), D("19500"), D("19520")]


class TestTakeProfits:
    def test_documented_amount_is_split_into_thirds_with_the_remainder_last(self) -> None:
        orders = plan().take_profits
        assert [(order.leg, order.price, order.amount) for order in orders] == [
            (Leg.TAKE_PROFIT_1, D("19450"), D("0.224")),
            (Leg.TAKE_PROFIT_2, D("19500"), D("0.224")),
            (Leg.TAKE_PROFIT_3, D("19550"), D("0.225")),
        ]
        assert {(order.type, order.side, order.reduce_only) for order in orders} == {(OrderType.LIMIT, Side.SELL, True)}

    @pytest.mark.parametrize(
        ("amount", "shares"),
        [
            ("0.400", [("1", "0.100"), ("2", "0.100"), ("3", "0.100"), ("4", "0.100")]),
            ("0.004", [("1", "0.001"), ("2", "0.001"), ("3", "0.001"), ("4", "0.001")]),
            # Too little for four parts: the third and fourth target share one, then the pairs do, then all.
            ("0.003", [("1", "0.001"), ("2", "0.001"), ("3", "0.001")]),
            ("0.002", [("1", "0.001"), ("3", "0.001")]),
            ("0.001", [("1", "0.001")]),
            ("0.0005", []),
        ],
    )
    def test_parts_below_the_minimum_join_their_nearer_neighbour(
        self, amount: str, shares: list[tuple[str, str]]
    ) -> None:
        assert split(amount, "1", "2", "3", "4") == shares

    def test_minimum_between_two_steps_counts_as_the_next_step(self) -> None:
        filters = replace(BITCOIN, min_amount=D("0.0025"))
        assert split("0.005", "1", "2", filters=filters) == [("1", "0.005")]
        assert split("0.007", "1", "2", filters=filters) == [("1", "0.003"), ("2", "0.004")]

    def test_targets_at_the_same_price_become_one_order_with_the_part_of_each(self) -> None:
        assert split("0.300", "1", "1", "2") == [("1", "0.200"), ("2", "0.100")]
        assert split("0.300", "1", "1", "1") == [("1", "0.300")]

    def test_more_targets_than_legs_are_merged_into_four(self) -> None:
        assert split("0.400", "1", "2", "3", "4", "5", "6") == [
            ("1", "0.100"),
            ("2", "0.100"),
            ("4", "0.100"),
            ("5", "0.100"),
        ]

    @pytest.mark.parametrize(
        ("side", "order_price", "prices", "placed"),
        [
            (Side.BUY, "19299.9", ("19600", "19299.95", "19400.01"), ["19300.0", "19400.1", "19600.0"]),
            (Side.SELL, "19299.9", ("19000", "19299.85", "19200.09"), ["19299.8", "19200.0", "19000.0"]),
        ],
    )
    def test_nearest_target_comes_first_and_none_is_rounded_onto_the_entry(
        self, side: Side, order_price: str, prices: tuple[str, ...], placed: list[str]
    ) -> None:
        signal = replace(
            DOCUMENTED,
            side=side,
            order_price=D(order_price),
            stop=D(order_price) - side.sign * 300,
            take_profits=tuple(D(price) for price in prices),
        )
        assert [order.price for order in plan(signal).take_profits] == [D(price) for price in placed]


class TestTrailing:
    @pytest.mark.parametrize(("side", "activation"), [(Side.BUY, "19394.9"), (Side.SELL, "19204.9")])
    def test_trailing_stop_covers_the_whole_amount_from_its_distance_on(self, side: Side, activation: str) -> None:
        signal = replace(DOCUMENTED, side=side, take_profits=(), trailing=Trailing(D(95), D(2)))
        trailing = plan(signal).trailing
        assert trailing is not None
        assert (trailing.leg, trailing.type) == (Leg.TRAILING, OrderType.TRAILING_STOP_MARKET)
        assert (trailing.side, trailing.amount, trailing.reduce_only) == (side.opposite, D("0.673"), True)
        assert (trailing.activation_price, trailing.callback_rate) == (D(activation), D(2))

    @pytest.mark.parametrize(("asked", "placed"), [("0.1", "0.1"), ("0.05", "0.1"), ("2.37", "2.3"), ("10", "10")])
    def test_callback_rate_has_one_decimal_and_is_never_wider_than_asked(self, asked: str, placed: str) -> None:
        trailing = plan(replace(DOCUMENTED, trailing=Trailing(D(95), D(asked)))).trailing
        assert trailing is not None
        assert trailing.callback_rate == D(placed)

    def test_trailing_stop_that_would_activate_below_zero_is_omitted_without_affecting_other_legs(self) -> None:
        signal = Signal(
            side=Side.SELL,
            order_price=D("50"),
            stop=D("51"),
            stop_type=StopType.MARKET,
            take_profits=(D("49"),),
            trailing=Trailing(D(95), D(2)),
        )
        planned = plan(signal)
        assert (planned.trailing, planned.omitted) == (None, (Leg.TRAILING,))
        assert [order.leg for order in planned.orders] == [Leg.STOP, Leg.TAKE_PROFIT_1]


class TestWholePlan:
    def test_stop_is_sent_first(self) -> None:
        signal = replace(DOCUMENTED, stop_type=StopType.LIMIT, trailing=Trailing(D(95), D(2)))
        assert [order.leg for order in plan(signal).orders] == [
            Leg.STOP,
            Leg.STOP_BACKSTOP,
            *TAKE_PROFIT_LEGS[:3],
            Leg.TRAILING,
        ]

    def test_position_on_the_other_side_is_an_error_of_the_caller(self) -> None:
        with pytest.raises(ValueError, match="other side"):
            plan_exits(signal=DOCUMENTED, filters=BITCOIN, amount=D(1), entry_side=Side.SELL)


class TestPartialFill:
    FULL = replace(DOCUMENTED, stop_type=StopType.LIMIT, trailing=Trailing(D(95), D(2)))

    def test_exits_are_sized_to_what_was_filled(self) -> None:
        planned = plan(self.FULL, amount="0.400")
        assert [order.amount for order in planned.take_profits] == [D("0.133"), D("0.133"), D("0.134")]
        assert planned.trailing is not None
        assert planned.trailing.amount == D("0.400")
        assert planned.stops[0].amount == D("0.400")
        assert planned.omitted == ()

    def test_fill_below_the_minimum_keeps_a_stop_for_the_whole_position_at_its_own_trigger(self) -> None:
        filters = replace(BITCOIN, min_amount=D("0.010"), market_min_amount=D("0.010"))
        planned = plan(self.FULL, amount="0.004", filters=filters)
        (stop,) = planned.orders
        assert (stop.leg, stop.type, stop.close_position) == (Leg.STOP, OrderType.STOP_MARKET, True)
        assert stop.trigger_price == D("19000")
        assert planned.omitted == (Leg.TAKE_PROFIT_1, Leg.TRAILING)

    def test_dust_below_a_step_is_left_to_the_stop(self) -> None:
        planned = plan(amount="0.4005")
        assert sum(order.amount or D(0) for order in planned.take_profits) == D("0.400")
        assert planned.stops[0].close_position

    def test_exit_plan_without_a_position_is_an_error_of_the_caller(self) -> None:
        with pytest.raises(ValueError, match="needs a position"):
            plan(amount="0")


@st.composite
def cases(draw: st.DrawFn) -> tuple[Signal, SymbolFilters, Decimal]:
    filters = draw(symbol_filters())
    least = int(round_up(filters.entry_min, filters.entry_step) / filters.entry_step)
    most = int(filters.entry_max // filters.entry_step) if filters.entry_max else least + 100_000
    amount = filters.entry_step * draw(st.integers(least, min(most, least + 30)) | st.integers(least, most))
    return draw(signals()), filters, amount


class TestProperties:
    @given(cases())
    def test_no_order_of_a_plan_violates_a_filter(self, case: tuple[Signal, SymbolFilters, Decimal]) -> None:
        signal, filters, amount = case
        planned = plan_exits(signal=signal, filters=filters, amount=amount, entry_side=signal.side)
        assert plan_violations(planned, filters) == []

    @given(cases())
    def test_take_profits_sum_to_the_amount_exactly(self, case: tuple[Signal, SymbolFilters, Decimal]) -> None:
        signal, filters, amount = case
        planned = plan_exits(signal=signal, filters=filters, amount=amount, entry_side=signal.side)
        assert sum(Fraction(order.amount or 0) for order in planned.take_profits) == Fraction(amount)
        assert 1 <= len(planned.take_profits) <= min(4, len(signal.take_profits))
        assert [order.leg for order in planned.take_profits] == list(TAKE_PROFIT_LEGS[: len(planned.take_profits)])

    @given(cases())
    def test_take_profits_lie_on_the_winning_side_each_further_than_the_last(
        self, case: tuple[Signal, SymbolFilters, Decimal]
    ) -> None:
        signal, filters, amount = case
        planned = plan_exits(signal=signal, filters=filters, amount=amount, entry_side=signal.side)
        gains = [signal.side.sign * ((order.price or D(0)) - signal.order_price) for order in planned.take_profits]
        assert gains == sorted(set(gains))
        assert gains[0] > 0

    @given(cases())
    def test_stop_never_loses_more_than_the_signal_asks(self, case: tuple[Signal, SymbolFilters, Decimal]) -> None:
        signal, filters, amount = case
        planned = plan_exits(signal=signal, filters=filters, amount=amount, entry_side=signal.side)
        trigger = planned.stops[0].trigger_price
        assert trigger is not None
        assert signal.side.sign * (trigger - signal.stop) >= 0
        assert abs(trigger - signal.stop) < filters.tick_size
        assert planned.stops[-1].close_position
        if signal.stop_type is StopType.LIMIT:
            stop, backstop = planned.stops
            assert stop.price is not None
            assert backstop.trigger_price is not None
            assert signal.side.sign * (trigger - stop.price) > 0
            assert signal.side.sign * (stop.price - backstop.trigger_price) >= 0

    @given(cases())
    def test_trailing_stop_covers_the_whole_amount(self, case: tuple[Signal, SymbolFilters, Decimal]) -> None:
        signal, filters, amount = case
        planned = plan_exits(signal=signal, filters=filters, amount=amount, entry_side=signal.side)
        if planned.trailing is None:
            assert signal.trailing is None or Leg.TRAILING in planned.omitted
        else:
            assert planned.trailing.amount == amount
            assert planned.trailing.activation_price is not None
            assert signal.side.sign * (planned.trailing.activation_price - signal.order_price) > 0

    @given(cases(), st.data())
    def test_any_partial_fill_is_left_without_violating_a_filter(
        self, case: tuple[Signal, SymbolFilters, Decimal], data: st.DataObject
    ) -> None:
        signal, filters, amount = case
        planned = plan_exits(signal=signal, filters=filters, amount=amount, entry_side=signal.side)
        filled = filters.step_size * data.draw(st.integers(1, int(amount // filters.step_size)))
        partial = plan_exits(signal=signal, filters=filters, amount=filled, entry_side=signal.side)
        assert plan_violations(partial, filters) == []
        assert partial.stops[-1].close_position
        assert partial.stops[0].trigger_price == planned.stops[0].trigger_price
        taken = sum(Fraction(order.amount or 0) for order in partial.take_profits)
        assert taken == (Fraction(filled) if filled >= filters.min_amount else 0)
        assert is_multiple(filled, filters.step_size)
