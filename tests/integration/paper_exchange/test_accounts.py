"""The account through ccxt: balances, positions, settings, and the same in the control interface."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ccxt
import pytest

from tests.integration.paper_exchange.trader import BTC, ETH, Trader, refused


def test_balance_shows_what_is_free_used_and_total(trader: Trader) -> None:
    trader.market("buy", 1)
    trader.exchange.move_price("20500")
    balance = trader.futures.fetch_balance()["USDT"]
    assert balance["total"] == pytest.approx(10_492)  # margin balance: 10000 - 8 + 500
    assert balance["used"] == pytest.approx(1_025)
    assert balance["free"] == pytest.approx(9_467)


def test_old_and_new_account_agree(trader: Trader) -> None:
    trader.market("sell", 0.5)
    trader.exchange.move_price("20100")
    new, old = trader.futures.fapiPrivateV3GetAccount(), trader.futures.fapiPrivateV2GetAccount()
    for name in ("totalWalletBalance", "totalUnrealizedProfit", "totalMarginBalance", "availableBalance"):
        assert new[name] == old[name]
    assert (old["canTrade"], old["multiAssetsMargin"]) == (True, False)
    assert [row["symbol"] for row in new["positions"]] == ["BTCUSDT"]
    assert len(old["positions"]) > 10
    balances = trader.futures.fapiPrivateV3GetBalance()
    assert {row["asset"]: row["balance"] for row in balances} == {"USDT": new["totalWalletBalance"]}


def test_positions_carry_entry_profit_and_side(trader: Trader) -> None:
    trader.market("sell", 0.5)
    trader.exchange.move_price("19000")
    position = trader.futures.fetch_positions()[0]
    assert (position["symbol"], position["side"], position["contracts"]) == (BTC, "short", 0.5)
    assert (position["entryPrice"], position["unrealizedPnl"], position["marginMode"]) == (20_000, 500, "cross")
    assert position["liquidationPrice"] > 20_000
    older = trader.futures.fetch_positions(None, {"useV2": True})[0]
    assert (older["leverage"], older["contracts"]) == (20, 0.5)


def test_flat_account_has_no_positions(trader: Trader) -> None:
    assert trader.futures.fetch_positions() == []
    trader.market("buy", 0.1)
    trader.market("sell", 0.1)
    assert trader.futures.fetch_positions() == []
    assert trader.snapshot()["positions"] == []


def test_leverage_is_twenty_until_set(trader: Trader) -> None:
    leverage = trader.futures.fetch_leverage(BTC)
    assert (leverage["longLeverage"], leverage["marginMode"]) == (20, "cross")
    assert trader.futures.set_leverage(5, BTC)["leverage"] == 5
    assert trader.futures.fetch_leverage(BTC)["longLeverage"] == 5
    assert trader.futures.fetch_leverage(ETH)["longLeverage"] == 20
    trader.market("buy", 1)
    assert trader.futures.fetch_balance()["USDT"]["used"] == 4_000


@pytest.mark.parametrize("leverage", [0, 126])
def test_leverage_out_of_range_is_refused(trader: Trader, leverage: int) -> None:
    with refused(-4028):
        trader.futures.fapiPrivatePostLeverage({"symbol": "BTCUSDT", "leverage": leverage})


def test_leverage_that_the_margin_does_not_carry_is_refused(trader: Trader) -> None:
    trader.market("buy", 5)
    with refused(-2028):
        trader.futures.set_leverage(5, BTC)
    assert trader.futures.fetch_leverage(BTC)["longLeverage"] == 20


def test_margin_type_changes_only_without_orders_and_position(trader: Trader) -> None:
    with refused(-4046, ccxt.MarginModeAlreadySet):
        trader.futures.set_margin_mode("cross", BTC)
    order = trader.limit("buy", 0.1, 19_500)
    with refused(-4047, ccxt.OperationRejected):
        trader.futures.set_margin_mode("isolated", BTC)
    trader.futures.cancel_order(order["id"], BTC)
    trader.market("buy", 0.1)
    with refused(-4048, ccxt.OperationRejected):
        trader.futures.set_margin_mode("isolated", BTC)
    trader.market("sell", 0.1)
    trader.futures.set_margin_mode("isolated", BTC)
    assert trader.futures.fetch_margin_mode(BTC)["marginMode"] == "isolated"


def test_position_mode_changes_only_without_orders_and_position(trader: Trader) -> None:
    assert trader.futures.fetch_position_mode()["hedged"] is False
    with refused(-4059, ccxt.OperationRejected):
        trader.futures.set_position_mode(False)
    trader.stop("sell", 19_500, 0.1)
    with refused(-4067, ccxt.OperationRejected):
        trader.futures.set_position_mode(True)
    trader.futures.cancel_all_orders(BTC, {"trigger": True})
    trader.market("buy", 0.1)
    with refused(-4068, ccxt.OperationRejected):
        trader.futures.set_position_mode(True)
    trader.market("sell", 0.1)
    trader.futures.set_position_mode(True)
    assert trader.futures.fetch_position_mode()["hedged"] is True
    assert trader.futures.fapiPrivateGetAccountConfig()["dualSidePosition"] is True


def test_account_v2_shows_the_modes_by_the_rows_of_a_symbol(new_trader: Callable[..., Trader]) -> None:
    one_way, hedged = new_trader(), new_trader(hedgeMode=True)
    one_way.futures.set_leverage(7, BTC)
    one_way.futures.set_margin_mode("isolated", BTC)

    rows = [
        [row for row in trader.futures.fapiPrivateV2GetAccount()["positions"] if row["symbol"] == "BTCUSDT"]
        for trader in (one_way, hedged)
    ]

    assert [(row["positionSide"], row["leverage"], row["isolated"]) for row in rows[0]] == [("BOTH", "7", True)]
    assert {"LONG", "SHORT"} <= {row["positionSide"] for row in rows[1]}


def test_hedge_mode_holds_both_sides(new_trader: Callable[..., Trader]) -> None:
    trader = new_trader(hedgeMode=True)
    with refused(-4061):
        trader.market("buy", 0.1)
    trader.market("buy", 0.2, positionSide="LONG")
    trader.market("sell", 0.1, positionSide="SHORT")
    assert {(row["positionSide"], row["amount"]) for row in trader.snapshot()["positions"]} == {
        ("LONG", "0.2"),
        ("SHORT", "-0.1"),
    }
    assert {(p["side"], p["contracts"], p["hedged"]) for p in trader.futures.fetch_positions()} == {
        ("long", 0.2, True),
        ("short", 0.1, True),
    }
    with refused(-1106):
        trader.market("sell", 0.1, positionSide="LONG", reduceOnly=True)
    with refused(-2022):
        trader.market("sell", 0.3, positionSide="LONG")
    trader.stop("sell", 19_500, positionSide="LONG")
    trader.exchange.move_price("19500")
    assert [(row["positionSide"], row["amount"]) for row in trader.snapshot()["positions"]] == [("SHORT", "-0.1")]


def test_multi_assets_mode_is_shown_and_set(trader: Trader) -> None:
    assert trader.futures.fapiPrivateGetMultiAssetsMargin()["multiAssetsMargin"] is False
    with refused(-4171):
        trader.futures.fapiPrivatePostMultiAssetsMargin({"multiAssetsMargin": "false"})
    trader.futures.fapiPrivatePostMultiAssetsMargin({"multiAssetsMargin": "true"})
    assert trader.futures.fapiPrivateGetAccountConfig()["multiAssetsMargin"] is True


def test_leverage_tiers_and_fees_are_published(trader: Trader) -> None:
    tiers = trader.futures.fetch_leverage_tiers([BTC])[BTC]
    assert (tiers[0]["maxLeverage"], tiers[0]["maintenanceMarginRate"]) == (125, 0.004)
    fee = trader.futures.fetch_trading_fee(BTC)
    assert (fee["maker"], fee["taker"]) == (0.0002, 0.0004)


def test_incomes_explain_the_wallet(trader: Trader) -> None:
    trader.market("buy", 0.1)
    trader.exchange.move_price("21000")
    trader.market("sell", 0.1)
    trader.change(balances={"USDT": "5000"})
    incomes = trader.futures.fapiPrivateGetIncome({"limit": 1000})
    assert [entry["incomeType"] for entry in incomes] == [
        "TRANSFER",
        "COMMISSION",
        "REALIZED_PNL",
        "COMMISSION",
        "TRANSFER",
    ]
    assert sum(float(entry["income"]) for entry in incomes) == pytest.approx(5_000)
    assert trader.futures.fetch_balance()["USDT"]["total"] == 5_000


def test_public_prices_follow_the_control(trader: Trader) -> None:
    trader.exchange.move_price("20123.4")
    assert trader.futures.fetch_ticker(BTC)["last"] == 20_123.4
    assert trader.futures.fetch_mark_price(BTC)["markPrice"] == 20_123.4
    assert trader.futures.fetch_last_prices([BTC])[BTC]["price"] == 20_123.4
    assert trader.futures.fetch_order_book(BTC)["asks"][0][0] == 20_123.4
    assert trader.futures.fetch_bids_asks([BTC])[BTC]["bid"] == 20_123.4
    candles = trader.futures.fetch_ohlcv(BTC, "1h", limit=3)
    assert len(candles) == 3
    assert candles[-1][4] == 20_123.4  # the hours before are as they were
    with refused(-1120):
        trader.futures.fapiPublicGetKlines({"symbol": "BTCUSDT", "interval": "7m"})


def test_markets_have_the_exchanges_filters(loaded_markets: Any) -> None:
    market = loaded_markets.market(BTC)
    assert (market["precision"]["amount"], market["precision"]["price"]) == (0.001, 0.1)
    assert (market["limits"]["amount"]["min"], market["limits"]["market"]["max"]) == (0.001, 120)
    assert market["limits"]["cost"]["min"] == 100
    assert {"ETH/USDT:USDT", "BNB/USDT:USDT", "SOL/USDT:USDT", "XRP/USDT:USDT", "DOGE/USDT:USDT"} <= set(
        loaded_markets.symbols
    )
    assert len(loaded_markets.symbols) >= 12
    filters = {entry["filterType"] for entry in market["info"]["filters"]}
    assert filters >= {"PRICE_FILTER", "LOT_SIZE", "MARKET_LOT_SIZE", "MIN_NOTIONAL", "PERCENT_PRICE", "MAX_NUM_ORDERS"}
