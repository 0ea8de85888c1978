"""Contracts whose margin is in another asset than USDT: each asset by itself, as in single-asset mode."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.paper_exchange.exchange_process import ExchangeProcess
from tests.integration.paper_exchange.trader import BTC, Trader, refused


@pytest.fixture
def trader(exchange: ExchangeProcess, new_trader: Callable[..., Trader]) -> Trader:
    """An account of 1,000 USDT and 2,000 USDC, while every symbol is listed."""
    exchange.control("PUT", "/paper/listing", {"full": True})
    exchange.move_price("20000", "BTCUSDC")
    trader = new_trader("1000")
    trader.change(balances={"USDC": "2000"})
    return trader


def trade(trader: Trader, side: str, quantity: str) -> None:
    order = {"symbol": "BTCUSDC", "side": side, "type": "MARKET", "quantity": quantity}
    trader.futures.fapiPrivatePostOrder(order)


def assets(trader: Trader) -> dict[str, tuple[float, float]]:
    """Return the wallet balance and what is available, by asset."""
    rows: list[dict[str, Any]] = trader.futures.fapiPrivateV3GetAccount()["assets"]
    return {row["asset"]: (float(row["walletBalance"]), float(row["availableBalance"])) for row in rows}


def test_margin_profit_and_fee_are_in_the_quote_asset(trader: Trader) -> None:
    trade(trader, "BUY", "0.5")  # for 10,000: a margin of 500, a fee of 4
    assert assets(trader) == {"USDT": (1_000, 1_000), "USDC": (1_996, 1_496)}
    trader.exchange.move_price("20200", "BTCUSDC")
    trade(trader, "SELL", "0.5")
    assert assets(trader) == {"USDT": (1_000, 1_000), "USDC": (2_091.96, 2_091.96)}
    incomes = trader.futures.fapiPrivateGetIncome({"symbol": "BTCUSDC"})
    assert {row["asset"] for row in incomes} == {"USDC"}
    fills = trader.futures.fapiPrivateGetUserTrades({"symbol": "BTCUSDC"})
    assert {row["commissionAsset"] for row in fills} == {"USDC"}


def test_one_asset_carries_nothing_for_another(trader: Trader) -> None:
    with refused(-2019):
        trader.market("buy", 1.5)  # needs 1,500 USDT
    trade(trader, "BUY", "1.5")
    trader.market("buy", 0.5)
    trader.exchange.move_price("18500", "BTCUSDC")
    assert trader.held("BTCUSDC") == "0"
    assert trader.held() == "0.5"
    assert assets(trader)["USDC"][0] >= 0


def test_positions_name_their_margin_asset(trader: Trader) -> None:
    trade(trader, "BUY", "0.01")
    trader.market("buy", 0.01, BTC)
    rows = trader.futures.fapiPrivateV3GetPositionRisk()
    assert {row["symbol"]: row["marginAsset"] for row in rows} == {"BTCUSDC": "USDC", "BTCUSDT": "USDT"}
    listed = {row["symbol"]: row for row in trader.futures.fapiPublicGetExchangeInfo()["symbols"]}
    assert (listed["BTCUSDC"]["quoteAsset"], listed["BTCUSDC"]["marginAsset"]) == ("USDC", "USDC")
