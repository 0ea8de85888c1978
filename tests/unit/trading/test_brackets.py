import pytest

from shared.trading.brackets import LeverageBracket, maintenance_rate, notional_cap

from .markets import D

BRACKETS = [
    LeverageBracket(notional_cap=D(12_000_000), max_leverage=D(20), maintenance_margin_rate=D("0.025")),
    LeverageBracket(notional_cap=D(50_000), max_leverage=D(125), maintenance_margin_rate=D("0.004")),
    LeverageBracket(notional_cap=D(600_000), max_leverage=D(100), maintenance_margin_rate=D("0.005")),
]


@pytest.mark.parametrize(
    ("leverage", "cap"), [("125", 50_000), ("101", 50_000), ("100", 600_000), ("5", 12_000_000), ("126", 0)]
)
def test_higher_leverage_allows_less_notional(leverage: str, cap: int) -> None:
    assert notional_cap(BRACKETS, leverage=D(leverage)) == cap


@pytest.mark.parametrize(
    ("notional", "rate"), [("1", "0.004"), ("50000", "0.004"), ("50001", "0.005"), ("99000000", "0.025")]
)
def test_larger_notional_needs_more_maintenance(notional: str, rate: str) -> None:
    assert maintenance_rate(BRACKETS, notional_usdt=D(notional)) == D(rate)
