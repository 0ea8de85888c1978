"""Effects of a moving price: fills in the order of their prices, a whole exit plan, liquidation, funding."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.integration.paper_exchange.exchange_process import ControlRefusedError
from tests.integration.paper_exchange.trader import BTC, Trader


def test_rise_through_all_take_profits_leaves_the_account_flat(trader: Trader) -> None:
    trader.market("buy", 0.6)
    trader.stop("sell", 19_500)
    for price in (20_500, 20_600, 20_700):
        trader.limit("sell", 0.2, price, reduceOnly=True)
    trader.exchange.move_price("21000")
    assert trader.held() == "0"
    assert [trade["price"] for trade in trader.snapshot()["trades"][1:]] == ["20500.00", "20600.00", "20700.00"]
    assert trader.snapshot()["openOrders"] == []


def test_fall_through_stop_and_lower_entry_runs_the_nearer_first(trader: Trader) -> None:
    trader.market("buy", 0.1)
    trader.stop("sell", 19_800)
    trader.limit("buy", 0.2, 19_500)
    trader.exchange.move_price("19000")
    # First the stop sells what was held, then the entry further down fills and stays.
    assert [trade["qty"] for trade in trader.snapshot()["trades"]] == ["0.100", "0.100", "0.200"]
    assert trader.snapshot()["positions"] == [{"symbol": "BTCUSDT", "amount": "0.2", "entryPrice": "19500"}]


def test_price_of_another_symbol_moves_nothing_here(trader: Trader) -> None:
    trader.market("buy", 0.1)
    trader.stop("sell", 19_500)
    trader.exchange.move_price("100", "ETHUSDT")
    assert trader.held() == "0.1"


def test_account_below_maintenance_is_liquidated_at_the_mark(new_trader: Callable[..., Trader]) -> None:
    trader = new_trader("1008")
    trader.market("buy", 1)
    trader.limit("sell", 0.5, 20_500, reduceOnly=True)
    position = trader.futures.fetch_positions([BTC])[0]
    assert position["liquidationPrice"] == pytest.approx(19_000 / (1 - 0.004), abs=0.1)
    trader.exchange.move_price("19100")
    assert trader.held() == "1"
    trader.exchange.move_price("19050")
    assert trader.held() == "0"
    closing = trader.snapshot()["orders"][-1]
    assert closing["clientOrderId"].startswith("autoclose-")
    assert (closing["avgPrice"], closing["origType"]) == ("19050.00000", "LIQUIDATION")
    assert trader.snapshot()["openOrders"] == []
    # 1008 - 8 - 950 - 19050 x 0.04 % leave 42.38, which the liquidation's fee of 1.25 % takes.
    assert trader.wallet() == "0.00000000"


def test_liquidation_never_leaves_a_debt(new_trader: Callable[..., Trader]) -> None:
    trader = new_trader("1008")
    trader.market("buy", 1)
    trader.exchange.move_price("10000")
    assert (trader.held(), trader.wallet()) == ("0", "0.00000000")
    assert trader.futures.fapiPrivateGetIncome({"incomeType": "INSURANCE_CLEAR"})[0]["income"] == "9004.00000000"


def test_stop_that_a_gap_leaves_behind_leaves_no_debt_either(new_trader: Callable[..., Trader]) -> None:
    trader = new_trader("1008")
    trader.market("buy", 1)
    trader.stop("sell", 19_500)
    trader.exchange.move_price("10000")
    assert (trader.held(), trader.wallet()) == ("0", "0.00000000")
    assert len(trader.futures.fapiPrivateGetIncome({"incomeType": "INSURANCE_CLEAR"})) == 1


def test_stop_saves_the_account_that_would_be_liquidated_later(new_trader: Callable[..., Trader]) -> None:
    trader = new_trader("1008")
    trader.market("buy", 1)
    trader.stop("sell", 19_500)
    trader.exchange.move_price("19400")
    assert trader.wallet() == "392.24000000"  # 1008 - 8 - 600 - 7.76
    assert not any(order.get("clientOrderId", "").startswith("autoclose-") for order in trader.snapshot()["orders"])


def test_funding_is_booked_on_both_sides(new_trader: Callable[..., Trader]) -> None:
    long, short, idle = new_trader(), new_trader(), new_trader()
    long.market("buy", 1)
    short.market("sell", 1)
    long.exchange.control("POST", "/paper/funding", {"symbol": "BTCUSDT", "rate": "0.0001"})
    assert [entry["amount"] for entry in long.futures.fetch_funding_history(BTC)] == [-2]
    assert [entry["amount"] for entry in short.futures.fetch_funding_history(BTC)] == [2]
    assert idle.futures.fetch_funding_history(BTC) == []
    assert (long.wallet(), short.wallet()) == ("9990.00000000", "9994.00000000")


@pytest.mark.parametrize("price", ["0", "-1", "abc", "NaN", "Infinity"])
def test_price_must_be_a_number_above_zero(trader: Trader, price: str) -> None:
    with pytest.raises(ControlRefusedError, match=r"^400 "):
        trader.exchange.move_price(price)


def test_price_of_an_unknown_symbol_is_not_found(trader: Trader) -> None:
    with pytest.raises(ControlRefusedError, match=r"^404 "):
        trader.exchange.move_price("1", "BTCEUR")
