"""An exit that was planned with other filters is moved to the nearest one that the filters allow."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.trading.filters import SymbolFilters
from shared.trading.fitting import fit_exit, fit_targets_together
from shared.trading.ids import TAKE_PROFIT_LEGS, Leg
from shared.trading.order_planning import OrderType, PlannedOrder, closing_stop, limit_stop, plan_exits
from shared.trading.sides import Side

from .markets import BITCOIN, D, is_multiple, signals, symbol_filters

DOGE = replace(
    BITCOIN,
    symbol="DOGE/USDT",
    tick_size=D("0.0001"),
    step_size=D(1),
    min_amount=D(1),
    market_step_size=D(1),
    market_min_amount=D(1),
    max_amount=D(0),
    market_max_amount=D(0),
)


def a_target(price: str, amount: str, *, leg: Leg = Leg.TAKE_PROFIT_1, side: Side = Side.SELL) -> PlannedOrder:
    return PlannedOrder(leg=leg, type=OrderType.LIMIT, side=side, price=D(price), amount=D(amount), reduce_only=True)


@pytest.mark.parametrize(
    ("exit_side", "trigger", "fitted"),
    [
        (Side.BUY, "0.06345", "0.0634"),  # of a short: the stop is above, and comes down towards the entry
        (Side.SELL, "0.06345", "0.0635"),
        (Side.BUY, "0.0634", "0.0634"),
        (Side.SELL, "0.0634", "0.0634"),
        (Side.SELL, "0.00001", "0.0001"),
        (Side.BUY, "0.00001", "0.0001"),  # never 0
    ],
)
def test_stop_moves_towards_the_entry_and_not_at_all_when_it_is_on_the_tick(
    exit_side: Side, trigger: str, fitted: str
) -> None:
    stop = closing_stop(Leg.STOP, side=exit_side, trigger_price=D(trigger))
    assert fit_exit(stop, filters=DOGE) == replace(stop, trigger_price=D(fitted))


def test_limit_price_of_a_stop_stays_beyond_its_trigger() -> None:
    coarse = replace(DOGE, tick_size=D("0.001"))
    stop = limit_stop(side=Side.SELL, amount=D(100), price=D("0.0614"), trigger_price=D("0.0617"))
    fitted = fit_exit(stop, filters=coarse)
    assert fitted is not None
    assert (fitted.trigger_price, fitted.price) == (D("0.062"), D("0.061"))


@pytest.mark.parametrize(
    ("order_type", "amount", "fitted"),
    [
        (OrderType.LIMIT, "0.7567", "0.756"),
        (OrderType.TRAILING_STOP_MARKET, "0.7567", "0.75"),
        (OrderType.MARKET, "500", "120"),
        (OrderType.STOP_MARKET, "0.009", None),
    ],
)
def test_amount_is_rounded_down_by_the_filters_of_its_type(
    order_type: OrderType, amount: str, fitted: str | None
) -> None:
    filters = replace(BITCOIN, market_step_size=D("0.01"), market_min_amount=D("0.01"))
    planned = PlannedOrder(leg=Leg.CLOSE, type=order_type, side=Side.SELL, amount=D(amount), reduce_only=True)
    expected = None if fitted is None else replace(planned, amount=D(fitted))
    assert fit_exit(planned, filters=filters) == expected


def test_last_take_profit_takes_what_the_others_lose_to_a_coarser_step() -> None:
    coarse = replace(BITCOIN, step_size=D("0.01"), min_amount=D("0.01"))
    amounts = ("0.255", "0.255", "0.259")
    planned = [
        a_target(f"{20100 + number}", amount, leg=leg)
        for number, (leg, amount) in enumerate(zip(TAKE_PROFIT_LEGS, amounts, strict=False))
    ]
    fitted = fit_targets_together(planned, filters=coarse)
    assert [one.amount for one in fitted] == [D("0.25"), D("0.25"), D("0.26")]


def test_take_profits_below_a_new_minimum_are_left_out_and_their_amount_is_not_lost() -> None:
    coarse = replace(BITCOIN, min_amount=D("0.2"))
    planned = [
        a_target("20100", "0.1"),
        a_target("20200", "0.3", leg=Leg.TAKE_PROFIT_2),
    ]
    (kept,) = fit_targets_together(planned, filters=coarse)
    assert (kept.leg, kept.amount) == (Leg.TAKE_PROFIT_2, D("0.4"))
    assert fit_targets_together(planned[:1], filters=coarse) == []


@st.composite
def changes(draw: st.DrawFn) -> tuple[list[PlannedOrder], SymbolFilters, SymbolFilters]:
    """Draw the exits of a position under one symbol's filters, and the filters that it gets."""
    signal, before, after = draw(signals()), draw(symbol_filters()), draw(symbol_filters())
    amount = before.entry_step * draw(st.integers(1, 10_000))
    planned = plan_exits(signal=signal, filters=before, amount=amount, entry_side=signal.side)
    return list(planned.orders), before, after


class TestProperties:
    @given(changes())
    def test_fitted_exit_violates_no_filter_and_is_never_larger_or_worse(
        self, change: tuple[list[PlannedOrder], SymbolFilters, SymbolFilters]
    ) -> None:
        exits, _, after = change
        for planned in exits:
            fitted = fit_exit(planned, filters=after)
            if fitted is None:
                assert planned.amount is not None
                continue
            favour = -planned.side.sign
            for old, new in (
                (planned.trigger_price, fitted.trigger_price),
                (planned.activation_price, fitted.activation_price),
            ):
                assert (old is None) == (new is None)
                if old is not None and new is not None:
                    assert is_multiple(new, after.tick_size)
                    assert new >= after.tick_size
                    assert favour * (new - old) >= 0 or new == after.price_floor
                    assert abs(new - old) < after.tick_size or new == after.price_floor
            if fitted.price is not None:
                assert is_multiple(fitted.price, after.tick_size)
            if planned.amount is not None and fitted.amount is not None:
                on_book = planned.type in {OrderType.LIMIT, OrderType.STOP}
                step = after.step_size if on_book else after.market_step_size
                assert Decimal(0) < fitted.amount <= planned.amount
                assert not step or is_multiple(fitted.amount, step)

    @given(changes())
    def test_fitting_twice_changes_nothing(
        self, change: tuple[list[PlannedOrder], SymbolFilters, SymbolFilters]
    ) -> None:
        exits, _, after = change
        for planned in exits:
            fitted = fit_exit(planned, filters=after)
            assert fitted is None or fit_exit(fitted, filters=after) == fitted

    @given(changes())
    def test_exit_that_was_planned_with_the_filters_is_returned_as_it_is(
        self, change: tuple[list[PlannedOrder], SymbolFilters, SymbolFilters]
    ) -> None:
        exits, before, _ = change
        for planned in exits:
            if planned.type is not OrderType.TRAILING_STOP_MARKET:  # for the whole position, maximum or not
                assert fit_exit(planned, filters=replace(before, max_amount=D(0))) == planned

    @given(changes())
    def test_limit_stop_is_never_at_its_own_trigger(
        self, change: tuple[list[PlannedOrder], SymbolFilters, SymbolFilters]
    ) -> None:
        exits, _, after = change
        for planned in exits:
            fitted = fit_exit(planned, filters=after)
            if fitted is not None and planned.type is OrderType.STOP:
                assert fitted.price is not None
                assert fitted.trigger_price is not None
                beyond = fitted.side.sign * (fitted.price - fitted.trigger_price)
                assert beyond > 0 or fitted.price == after.price_floor

    @given(changes())
    def test_take_profits_fitted_together_keep_their_sum_but_for_less_than_a_step(
        self, change: tuple[list[PlannedOrder], SymbolFilters, SymbolFilters]
    ) -> None:
        exits, _, after = change
        targets = [one for one in exits if one.leg in TAKE_PROFIT_LEGS]
        fitted = fit_targets_together(targets, filters=after)
        wanted = sum((one.amount or D(0) for one in targets), D(0))
        total = sum((one.amount or D(0) for one in fitted), D(0))
        assert total <= wanted
        if fitted and not after.max_amount:
            assert wanted - total < after.step_size
        assert all((one.amount or D(0)) >= after.min_amount for one in fitted)
