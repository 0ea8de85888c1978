from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.trading.sides import Side, StopType
from shared.trading.signal import Content, Signal, Trailing, check_geometry, fingerprint

from .markets import DOCUMENTED, D, signals

ALERT: dict[str, Content] = {
    "strategy": "61b79e6d-7e22-4f91-b508-ef5be6a21419",
    "orderPrice": D("19286.5"),
    "type": "BUY",
    "takeProfits": [D("19288"), D("19289.5")],
}


class TestGeometry:
    def test_prices_on_the_right_sides_are_no_fault(self) -> None:
        assert check_geometry(DOCUMENTED) == []

    @pytest.mark.parametrize("stop", ["19299.9", "19300"])
    def test_stop_of_a_long_must_lie_below(self, stop: str) -> None:
        assert check_geometry(replace(DOCUMENTED, stop=D(stop))) == [("stop", "must be less than orderPrice")]

    def test_every_fault_of_a_short_is_named_at_once(self) -> None:
        signal = Signal(
            side=Side.SELL,
            order_price=D("100"),
            stop=D("100"),
            stop_type=StopType.MARKET,
            take_profits=(D("99"), D("100"), D("101")),
        )
        assert check_geometry(signal, price_name="the market price") == [
            ("stop", "must be greater than the market price"),
            ("take_profits.1", "must be less than the market price"),
            ("take_profits.2", "must be less than the market price"),
        ]

    @given(signals())
    def test_signal_that_is_right_for_one_side_is_all_wrong_for_the_other(self, signal: Signal) -> None:
        assert check_geometry(signal) == []
        turned = replace(signal, side=signal.side.opposite)
        assert len(check_geometry(turned)) == 1 + len(signal.take_profits)


class TestFingerprint:
    @pytest.mark.parametrize("price", [D("19286.50"), D("1.92865E+4"), 19286.5, D("019286.5")])
    def test_compares_numbers_by_value(self, price: Decimal | float) -> None:
        assert fingerprint({**ALERT, "orderPrice": price}) == fingerprint(ALERT)

    @given(
        st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20), st.integers(0, 12)
    )
    def test_does_not_see_trailing_zeros(self, number: Decimal, zeros: int) -> None:
        padded = Decimal(f"{number:f}" + ("" if "." in f"{number:f}" else ".") + "0" * zeros)
        assert fingerprint({"n": number}) == fingerprint({"n": padded})

    @given(
        st.decimals(allow_nan=False, allow_infinity=False, places=8),
        st.decimals(allow_nan=False, allow_infinity=False, places=8),
    )
    def test_differs_where_numbers_do(self, one: Decimal, other: Decimal) -> None:
        assert (fingerprint({"n": one}) == fingerprint({"n": other})) == (one == other)

    def test_does_not_see_the_order_of_fields_nor_absent_ones(self) -> None:
        turned = dict(reversed(ALERT.items()))
        assert fingerprint({**turned, "callbackRate": None}) == fingerprint(ALERT)

    @pytest.mark.parametrize(
        "change",
        [
            {"type": "SELL"},
            {"orderPrice": D("19286.6")},
            {"orderPrice": "19286.5x"},
            {"takeProfits": [D("19289.5"), D("19288")]},
            {"takeProfits": [D("19288")]},
            {"callbackRate": D(2)},
            {"orderPrice": None},
        ],
    )
    def test_differs_with_any_change_of_content(self, change: dict[str, Content]) -> None:
        assert fingerprint({**ALERT, **change}) != fingerprint(ALERT)

    def test_text_is_not_a_number(self) -> None:
        assert fingerprint({"alertId": "01"}) != fingerprint({"alertId": "1"})
        assert fingerprint({"alertId": "1"}) != fingerprint({"alertId": 1})

    def test_takes_a_whole_signal(self) -> None:
        trailing = replace(DOCUMENTED, trailing=Trailing(D("95"), D("2")))
        same = replace(trailing, order_price=D("19299.900"), trailing=Trailing(D("95.0"), D("2.00")))
        assert fingerprint({"signal": trailing}) == fingerprint({"signal": same})
        assert fingerprint({"signal": trailing}) != fingerprint({"signal": DOCUMENTED})

    def test_huge_exponent_costs_nothing_and_makes_a_difference(self) -> None:
        assert fingerprint({"n": D("1E+999999")}) != fingerprint({"n": D("1E+999998")})

    @pytest.mark.parametrize("number", [D("NaN"), D("Infinity"), float("nan")])
    def test_refuses_what_is_not_a_number(self, number: Decimal | float) -> None:
        with pytest.raises(ValueError, match="finite"):
            fingerprint({"n": number})

    def test_is_a_sha256_in_hex(self) -> None:
        made = fingerprint(ALERT)
        assert len(made) == 64
        assert set(made) <= set("0123456789abcdef")
