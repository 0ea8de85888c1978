"""The official SDK, call by call: it reads every answer into its models, and they know each field."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.integration.paper_exchange.official_client import official_client, parsed
from tests.integration.paper_exchange.trader import Trader

BTC = "BTCUSDT"

CALLS: dict[str, Callable[[Any], Any]] = {
    "ping": lambda c: c.test_connectivity(),
    "time": lambda c: c.check_server_time(),
    "exchangeInfo": lambda c: c.exchange_information(),
    "depth": lambda c: c.order_book(symbol=BTC, limit=5),
    "klines": lambda c: c.kline_candlestick_data(symbol=BTC, interval="1m", limit=3),
    "markPriceKlines": lambda c: c.mark_price_kline_candlestick_data(symbol=BTC, interval="1m", limit=3),
    "premiumIndex": lambda c: c.mark_price(symbol=BTC),
    "premiumIndex, all": lambda c: c.mark_price(),
    "ticker/price": lambda c: c.symbol_price_ticker(symbol=BTC),
    "ticker/price, all": lambda c: c.symbol_price_ticker(),
    "ticker/price v2": lambda c: c.symbol_price_ticker_v2(symbol=BTC),
    "ticker/bookTicker": lambda c: c.symbol_order_book_ticker(symbol=BTC),
    "ticker/bookTicker, all": lambda c: c.symbol_order_book_ticker(),
    "ticker/24hr": lambda c: c.ticker24hr_price_change_statistics(symbol=BTC),
    "account v2": lambda c: c.account_information_v2(),
    "account v3": lambda c: c.account_information_v3(),
    "balance v2": lambda c: c.futures_account_balance_v2(),
    "balance v3": lambda c: c.futures_account_balance_v3(),
    "accountConfig": lambda c: c.futures_account_configuration(),
    "symbolConfig": lambda c: c.symbol_configuration(symbol=BTC),
    "commissionRate": lambda c: c.user_commission_rate(symbol=BTC),
    "leverageBracket": lambda c: c.notional_and_leverage_brackets(symbol=BTC),
    "positionSide/dual": lambda c: c.get_current_position_mode(),
    "multiAssetsMargin": lambda c: c.get_current_multi_assets_mode(),
    "feeBurn": lambda c: c.get_bnb_burn_status(),
    "rateLimit/order": lambda c: c.query_user_rate_limit(),
    "positionRisk v2": lambda c: c.position_information_v2(symbol=BTC),
    "positionRisk v3": lambda c: c.position_information_v3(symbol=BTC),
    "userTrades": lambda c: c.account_trade_list(symbol=BTC),
    "income": lambda c: c.get_income_history(),
    "allOrders": lambda c: c.all_orders(symbol=BTC),
    "openOrders": lambda c: c.current_all_open_orders(symbol=BTC),
    "openAlgoOrders": lambda c: c.current_all_algo_open_orders(symbol=BTC),
    "allAlgoOrders": lambda c: c.query_all_algo_orders(symbol=BTC),
    "leverage": lambda c: c.change_initial_leverage(symbol="ETHUSDT", leverage=7),
    "marginType": lambda c: c.change_margin_type(symbol="ETHUSDT", margin_type="ISOLATED"),
}


@pytest.fixture
def invested(trader: Trader) -> Trader:
    """A trader with a position, a resting order and a stop, so that no list is empty."""
    trader.market("buy", 0.1)
    trader.limit("sell", 0.1, 20_500, reduceOnly=True)
    trader.stop("sell", 19_500)
    return trader


@pytest.mark.parametrize("name", CALLS)
def test_answer_is_read_by_the_official_models(invested: Trader, name: str) -> None:
    data = parsed(CALLS[name](official_client(invested)))
    assert data is not None


def test_order_goes_from_placing_to_cancelling(trader: Trader) -> None:
    client = official_client(trader)
    placed = parsed(
        client.new_order(
            symbol=BTC,
            side="BUY",
            type="LIMIT",
            time_in_force="GTC",
            quantity=0.01,
            price=19_500,
            new_client_order_id="a",
        )
    )
    assert (placed.status, placed.client_order_id) == ("NEW", "a")
    assert parsed(client.query_order(symbol=BTC, orig_client_order_id="a")).order_id == placed.order_id
    assert parsed(client.query_current_open_order(symbol=BTC, order_id=placed.order_id)).status == "NEW"
    assert parsed(client.cancel_order(symbol=BTC, order_id=placed.order_id)).status == "CANCELED"
    parsed(client.cancel_all_open_orders(symbol=BTC))


def test_conditional_order_goes_from_placing_to_cancelling(trader: Trader) -> None:
    trader.market("buy", 0.01)
    client = official_client(trader)
    placed = parsed(
        client.new_algo_order(
            algo_type="CONDITIONAL",
            symbol=BTC,
            side="SELL",
            type="STOP_MARKET",
            trigger_price=19_500,
            close_position="true",
            client_algo_id="s",
        )
    )
    assert (placed.algo_status, placed.order_type) == ("NEW", "STOP_MARKET")
    assert parsed(client.query_algo_order(client_algo_id="s")).algo_id == placed.algo_id
    parsed(client.cancel_algo_order(client_algo_id="s"))
    parsed(client.cancel_all_algo_open_orders(symbol=BTC))
