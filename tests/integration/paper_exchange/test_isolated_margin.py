"""Isolated margin: what a position holds of the wallet, what it may lose, and what else it leaves alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.paper_exchange.trader import BTC, ETH, Trader, refused

INSURANCE = {"incomeType": "INSURANCE_CLEAR"}


@pytest.fixture
def isolated(new_trader: Callable[..., Trader]) -> Trader:
    """An account of 10,000 USDT with isolated margin on BTC, at the leverage of 20."""
    trader = new_trader()
    trader.futures.set_margin_mode("isolated", BTC)
    return trader


def position(trader: Trader, symbol: str = "BTCUSDT") -> Any:
    (row,) = [row for row in trader.futures.fapiPrivateV2GetPositionRisk() if row["symbol"] == symbol]
    return row


def wallet(trader: Trader) -> dict[str, float]:
    (row,) = trader.futures.fapiPrivateV3GetAccount()["assets"]
    return {name: float(row[name]) for name in ("walletBalance", "crossWalletBalance", "availableBalance")}


def test_position_takes_its_margin_out_of_the_wallet_that_others_share(isolated: Trader) -> None:
    isolated.market("buy", 0.5)  # for 10,000; the fee is 4
    held = position(isolated)
    assert (held["isolated"], held["isolatedWallet"], held["isolatedMargin"]) == (True, "500.00000000", "500.00000000")
    assert wallet(isolated) == {"walletBalance": 9_996, "crossWalletBalance": 9_496, "availableBalance": 9_496}
    isolated.exchange.move_price("20100")
    assert position(isolated)["isolatedMargin"] == "550.00000000"
    assert wallet(isolated)["availableBalance"] == 9_496, "its profit stays with it"


def test_margin_grows_and_shrinks_with_the_position(isolated: Trader) -> None:
    isolated.market("buy", 0.2)
    isolated.exchange.move_price("21000")
    isolated.market("buy", 0.2)
    assert float(position(isolated)["isolatedWallet"]) == pytest.approx(200 + 210)
    isolated.market("sell", 0.1)
    assert float(position(isolated)["isolatedWallet"]) == pytest.approx(410 * 3 / 4)
    isolated.market("sell", 0.5)
    assert float(position(isolated)["isolatedWallet"]) == pytest.approx(0.2 * 21_000 / 20)
    isolated.market("buy", 0.2)
    assert position(isolated)["isolatedWallet"] == "0.00000000"
    assert wallet(isolated)["crossWalletBalance"] == wallet(isolated)["walletBalance"]


def test_position_is_liquidated_by_itself_while_the_account_has_plenty(isolated: Trader) -> None:
    isolated.market("buy", 0.5)
    isolated.market("buy", 1, ETH)
    isolated.limit("buy", 0.1, 15_000)
    price = float(position(isolated)["liquidationPrice"])
    assert price == pytest.approx((0.5 * 20_000 - 500) / (0.5 * 0.996), abs=0.1)

    isolated.exchange.move_price(str(round(price + 1)))
    assert isolated.held() == "0.5"
    isolated.exchange.move_price(str(round(price - 1)))

    assert isolated.held() == "0"
    assert isolated.held("ETHUSDT") == "1"
    snapshot = isolated.snapshot()
    assert snapshot["orders"][-1]["clientOrderId"].startswith("autoclose-")
    assert snapshot["openOrders"] == []


def test_gap_costs_no_more_than_the_position_held_of_the_wallet(isolated: Trader) -> None:
    isolated.market("buy", 0.5)
    isolated.exchange.move_price("10000")
    assert isolated.held() == "0"
    assert isolated.wallet() == "9496.00000000"
    insured = isolated.futures.fapiPrivateGetIncome(INSURANCE)
    assert sum(float(row["income"]) for row in insured) == 4_502  # beyond its 500, and the fee of its close


def test_cross_position_lives_where_an_isolated_one_is_liquidated(trader: Trader) -> None:
    trader.market("buy", 0.5)
    trader.exchange.move_price("10000")
    assert trader.held() == "0.5"
    assert position(trader)["isolatedWallet"] == "0.00000000"


def test_isolated_profit_does_not_save_the_others(new_trader: Callable[..., Trader]) -> None:
    trader = new_trader("1600")
    trader.futures.set_margin_mode("isolated", BTC)
    trader.market("buy", 0.5)
    trader.market("buy", 10, ETH)  # for 15,000, of which 60 may be lost at least
    trader.exchange.move_price("25000")
    trader.exchange.move_price("1350", "ETHUSDT")
    assert trader.held() == "0.5"
    assert trader.held("ETHUSDT") == "0"


def test_leverage_of_an_open_isolated_position_only_rises(isolated: Trader) -> None:
    isolated.market("buy", 0.1)
    with refused(-4161):
        isolated.futures.set_leverage(10, BTC)
    assert isolated.futures.set_leverage(25, BTC)["leverage"] == 25
    isolated.market("sell", 0.1)
    assert isolated.futures.set_leverage(10, BTC)["leverage"] == 10
