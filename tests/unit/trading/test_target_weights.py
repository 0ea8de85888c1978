from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.trading.filters import SymbolFilters, round_up
from shared.trading.order_planning import plan_exits, split_amount
from shared.trading.sides import Side
from shared.trading.signal import Signal, without_targets
from shared.trading.target_weights import weigh_targets

from .markets import BITCOIN, DOCUMENTED, D, plan_violations, signals, symbol_filters

percents = st.integers(1, 97).map(Decimal)


def weighed(signal: Signal, weights: list[Decimal]) -> Signal:
    return replace(signal, weights=weigh_targets(signal.take_profits, side=signal.side, weights=weights))


def parts(amount: str, *weights: str, filters: SymbolFilters = BITCOIN) -> list[Decimal]:
    targets = [D(20000 + 10 * index) for index in range(len(weights))]
    return [*split_amount(D(amount), targets=targets, weights=[D(one) for one in weights], filters=filters).values()]


class TestWeights:
    @pytest.mark.parametrize(
        ("side", "targets", "expected"),
        [
            (Side.BUY, [20200, 20300, 20400], [50, 30, 20]),
            (Side.BUY, [20400, 20200, 20300], [20, 50, 30]),
            (Side.SELL, [19800, 19700, 19600], [50, 30, 20]),
            (Side.SELL, [19600, 19800], [30, 50]),
            (Side.BUY, [20200, 20300], [50, 30]),
        ],
    )
    def test_first_weight_is_the_nearest_targets(self, side: Side, targets: list[int], expected: list[int]) -> None:
        weights = [D(50), D(30), D(20)]
        assert weigh_targets([D(one) for one in targets], side=side, weights=weights) == tuple(map(D, expected))

    @pytest.mark.parametrize("weights", [None, [], [D(60), D(40)], [D(25)] * 4, [D(30), D(30), D(30), D(10)]])
    def test_parts_are_equal_without_weights_for_each_target(self, weights: list[Decimal] | None) -> None:
        assert weigh_targets([D(1), D(2), D(3)], side=Side.BUY, weights=weights) is None

    def test_targets_that_stay_keep_their_weights(self) -> None:
        signal = weighed(DOCUMENTED, [D(50), D(30), D(20)])
        left = without_targets(signal, [D("19450")])
        assert (left.take_profits, left.weights) == ((D("19500"), D("19550")), (D(30), D(20)))
        assert without_targets(DOCUMENTED, [D("19450")]).weights is None


class TestParts:
    def test_parts_are_in_proportion_and_the_last_takes_the_remainder(self) -> None:
        assert parts("0.673", "50", "30", "20") == [D("0.336"), D("0.201"), D("0.136")]
        assert parts("0.673", "50", "30") == [D("0.420"), D("0.253")]

    def test_part_below_the_minimum_is_raised_to_it(self) -> None:
        filters = replace(BITCOIN, min_amount=D("0.010"))
        assert parts("0.100", "5", "95", filters=filters) == [D("0.010"), D("0.090")]
        assert parts("0.100", "95", "5", filters=filters) == [D("0.090"), D("0.010")]

    def test_targets_without_a_part_are_merged_with_their_weight(self) -> None:
        filters = replace(BITCOIN, min_amount=D("0.010"))
        assert parts("0.029", "10", "20", "30", "40", filters=filters) == [D("0.010"), D("0.019")]
        assert parts("0.019", "5", "95", filters=filters) == [D("0.019")]


@st.composite
def weighted_cases(draw: st.DrawFn) -> tuple[Signal, SymbolFilters, Decimal]:
    filters = draw(symbol_filters())
    least = int(round_up(filters.entry_min, filters.entry_step) / filters.entry_step)
    most = int(filters.entry_max // filters.entry_step) if filters.entry_max else least + 100_000
    steps = draw(st.integers(least, min(most, least + 30)) | st.integers(least, most))
    weights = draw(st.lists(percents, min_size=1, max_size=4))
    return weighed(draw(signals(most_targets=4)), weights), filters, filters.entry_step * steps


class TestProperties:
    @given(weighted_cases())
    def test_parts_sum_to_the_amount_and_violate_no_filter(self, case: tuple[Signal, SymbolFilters, Decimal]) -> None:
        signal, filters, amount = case
        planned = plan_exits(signal=signal, filters=filters, amount=amount, entry_side=signal.side)
        assert sum(Fraction(order.amount or 0) for order in planned.take_profits) == Fraction(amount)
        assert plan_violations(planned, filters) == []
        gains = [signal.side.sign * (order.price or D(0)) for order in planned.take_profits]
        assert gains == sorted(set(gains))

    @given(
        st.lists(percents, min_size=1, max_size=4),
        st.integers(1, 40),
        st.integers(4, 100_000),
        st.sampled_from([D("0.001"), D("0.1"), D(1)]),
    )
    def test_part_is_within_a_step_of_its_share_unless_the_minimum_binds(
        self, weights: list[Decimal], least: int, more: int, step: Decimal
    ) -> None:
        filters = replace(BITCOIN, step_size=step, min_amount=step * least)
        amount = step * (len(weights) * least + more)
        targets = [D(20000 + index) for index in range(len(weights))]
        found = [*split_amount(amount, targets=targets, weights=weights, filters=filters).values()]
        shares = [Fraction(amount) * Fraction(one) / Fraction(sum(weights)) for one in weights]
        assert len(found) == len(weights)
        assert sum(found) == amount
        assert all(part >= filters.min_amount for part in found)
        if all(share >= filters.min_amount for share in shares):
            assert all(
                abs(Fraction(part) - share) < len(weights) * Fraction(step)
                for part, share in zip(found, shares, strict=True)
            )

    @given(st.integers(1, 4), st.integers(1, 40), st.integers(1, 100_000))
    def test_equal_weights_are_as_none(self, count: int, least: int, steps: int) -> None:
        filters = replace(BITCOIN, step_size=D(1), min_amount=D(least))
        targets = [D(20000 + index) for index in range(count)]
        equal = weigh_targets(targets, side=Side.BUY, weights=[D(100) / count] * count)
        assert split_amount(D(steps), targets=targets, weights=equal, filters=filters) == split_amount(
            D(steps), targets=targets, filters=filters
        )

    @given(signals(most_targets=4), st.lists(percents, min_size=4, max_size=4), st.data())
    def test_leaving_targets_out_keeps_the_others_proportion(
        self, signal: Signal, weights: list[Decimal], data: st.DataObject
    ) -> None:
        whole = weighed(signal, weights)
        passed = data.draw(st.sets(st.sampled_from(signal.take_profits)))
        left = without_targets(whole, passed)
        of_price = set(zip(whole.take_profits, whole.weights or (), strict=False))
        assert set(zip(left.take_profits, left.weights or (), strict=False)) <= of_price
        assert not passed & set(left.take_profits)
