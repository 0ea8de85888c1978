"""Where a stop is to stand: break-even loses nothing, and no move makes a position's risk larger."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.trading.filters import SymbolFilters
from shared.trading.order_planning import plan_exits
from shared.trading.risk import worst_loss_at_stops
from shared.trading.sides import Side
from shared.trading.signal import Signal
from shared.trading.stop_moves import awaited_target, breakeven_price, is_nearer, nearest_stop

from .markets import BITCOIN, D, decimals, is_multiple, signals, symbol_filters

RATES = decimals("0.0001", "0.005", places=6)
SIDES = st.sampled_from(Side)


def loss(side: Side, *, entry: Decimal, stop: Decimal, rate: Decimal) -> Fraction:
    """Return what one unit loses, in exact arithmetic."""
    bought, sold, fee = Fraction(entry), Fraction(stop), Fraction(rate)
    return side.sign * (bought - sold) + fee * (bought + sold)


@pytest.mark.parametrize(
    ("side", "price"), [(Side.BUY, "20020.1"), (Side.SELL, "19980")], ids=["above a long's entry", "below a short's"]
)
def test_break_even_pays_the_fees_of_both_ways(side: Side, price: str) -> None:
    found = breakeven_price(side=side, entry_price=D(20000), taker_rate=D("0.0005"), filters=BITCOIN)
    assert found == D(price)


@given(SIDES, decimals("20", "60000", places=6), RATES, symbol_filters())
def test_break_even_is_the_first_tick_that_loses_nothing(
    side: Side, entry: Decimal, rate: Decimal, filters: SymbolFilters
) -> None:
    price = breakeven_price(side=side, entry_price=entry, taker_rate=rate, filters=filters)
    assert is_multiple(price, filters.tick_size)
    assert (price - entry) * side.sign > 0
    assert loss(side, entry=entry, stop=price, rate=rate) <= 0
    worse = price - side.sign * filters.tick_size
    assert loss(side, entry=entry, stop=worse, rate=rate) > 0


@given(SIDES, st.lists(decimals("1", "100", places=2), min_size=1, max_size=4))
def test_stop_nearest_to_the_market_wins_in_whatever_order_they_come(side: Side, prices: list[Decimal]) -> None:
    first, *requested = prices
    found = {nearest_stop(side, first, *order) for order in permutations([*requested, None])}
    assert len(found) == 1
    nearest = found.pop()
    assert nearest in prices
    assert not any(is_nearer(price, than=nearest, side=side) for price in prices)


def worst_loss(signal: Signal, filters: SymbolFilters, *, rate: Decimal, moved_to: Decimal | None) -> Decimal:
    plan = plan_exits(signal=signal, filters=filters, amount=D(1000), entry_side=signal.side, stop_moved_to=moved_to)
    triggers = [stop.trigger_price for stop in plan.stops if stop.trigger_price is not None]
    return worst_loss_at_stops(
        side=signal.side, amount=D(1000), entry_price=signal.order_price, stop_prices=triggers, taker_rate=rate
    )


@given(
    signals(),
    symbol_filters(),
    RATES,
    st.lists(st.decimals(D("-0.2"), D("0.2"), places=5, allow_nan=False), min_size=1, max_size=5),
)
def test_no_move_makes_the_loss_at_any_leg_of_the_stop_larger(
    signal: Signal, filters: SymbolFilters, rate: Decimal, steps: list[Decimal]
) -> None:
    """Each step asks for a stop at a share of the order price beyond the present one, either way."""
    before = worst_loss(signal, filters, rate=rate, moved_to=None)
    level = signal.stop
    for step in steps:
        level = nearest_stop(signal.side, level, max(level + step * signal.order_price, filters.tick_size))
        after = worst_loss(signal, filters, rate=rate, moved_to=level)
        assert after <= before
        before = after


@given(signals(), symbol_filters(), st.decimals(D("0.0001"), D("0.2"), places=5, allow_nan=False))
def test_legs_of_a_stop_move_together(signal: Signal, filters: SymbolFilters, share: Decimal) -> None:
    level = signal.stop + signal.side.sign * share * signal.order_price
    if level <= 0:
        return

    def stops(moved_to: Decimal | None) -> list[tuple[Decimal, Decimal | None]]:
        plan = plan_exits(
            signal=signal, filters=filters, amount=D(1000), entry_side=signal.side, stop_moved_to=moved_to
        )
        return [(stop.trigger_price or D(0), stop.price) for stop in plan.stops]

    for (old, old_limit), (new, new_limit) in zip(stops(None), stops(level), strict=True):
        assert (new - old) * signal.side.sign >= 0
        assert (old_limit is None) is (new_limit is None)
        if new_limit is not None:
            assert (new - new_limit) * signal.side.sign > 0


TARGETS = ["20200", "20300", "20400", "20500"]


@pytest.mark.parametrize(
    ("number", "placed", "index"),
    [
        (1, [0, 1, 2, 3], 0),
        (2, [0, 1, 2, 3], 1),
        (4, [0, 1, 2, 3], 3),
        pytest.param(2, [0, 2], 0, id="merged into the nearer one"),
        pytest.param(3, [0, 2], 1, id="after a merged one"),
        pytest.param(4, [0, 2], 1, id="merged into the last one"),
        pytest.param(4, [0], 0, id="one order for all"),
        pytest.param(1, [1, 2], 0, id="passed before the entry"),
        pytest.param(3, [1, 2], 1, id="behind a passed one"),
        pytest.param(1, [], None, id="no order"),
    ],
)
@pytest.mark.parametrize("side", list(Side))
def test_target_without_an_order_of_its_own_is_part_of_a_nearer_one(
    side: Side, number: int, placed: list[int], index: int | None
) -> None:
    prices = [D(20000) + side.sign * (D(price) - 20000) for price in TARGETS]
    standing = [prices[one] for one in placed]
    found = awaited_target(number, side=side, targets=prices[::-1], placed=standing, filters=BITCOIN)
    assert found == index


def test_alert_with_fewer_targets_waits_for_none() -> None:
    assert awaited_target(3, side=Side.BUY, targets=[D(1), D(2)], placed=[D(1), D(2)], filters=BITCOIN) is None


@given(signals(most_targets=4), symbol_filters(), st.integers(1, 4), decimals("1", "2000", places=3))
def test_awaited_order_takes_its_targets_profit_whatever_the_tick(
    signal: Signal, filters: SymbolFilters, number: int, amount: Decimal
) -> None:
    plan = plan_exits(signal=signal, filters=filters, amount=amount, entry_side=signal.side)
    placed = [target.price for target in plan.take_profits if target.price is not None]
    index = awaited_target(number, side=signal.side, targets=signal.take_profits, placed=placed, filters=filters)
    assert (index is None) is (number > len(signal.take_profits) or not placed)
    if index is None:
        return
    target = sorted(signal.take_profits, key=lambda price: price * signal.side.sign)[number - 1]
    within_a_tick = target + signal.side.sign * filters.tick_size
    assert (within_a_tick - placed[index]) * signal.side.sign > 0
    if number == len(signal.take_profits):
        assert index == len(placed) - 1
