"""A spot key, through ccxt's spot client with its defaults."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ccxt
import pytest

from tests.integration.paper_exchange.trader import Trader, redirect, refused

PAIR = "BTC/USDT"


@pytest.fixture(scope="module")
def spot_markets(running_exchange: Any) -> Any:
    client = redirect(ccxt.binance({"enableRateLimit": False}), running_exchange.url)
    client.load_markets()
    return client


@pytest.fixture
def spot(trader: Trader, spot_markets: Any) -> Any:
    client = redirect(
        ccxt.binance({"apiKey": trader.api_key, "secret": trader.secret, "enableRateLimit": False}),
        trader.exchange.url,
    )
    client.set_markets_from_exchange(spot_markets)
    return client


def test_unchanged_client_loads_its_markets(trader: Trader) -> None:
    client = redirect(
        ccxt.binance({"apiKey": trader.api_key, "secret": trader.secret, "enableRateLimit": False}),
        trader.exchange.url,
    )
    markets = client.load_markets()
    assert markets[PAIR]["spot"] is True
    assert markets["BTC/USDT:USDT"]["linear"] is True


def test_market_orders_exchange_one_asset_for_the_other(spot: Any) -> None:
    order = spot.create_order(PAIR, "market", "buy", 0.1)
    assert (order["status"], order["average"], order["fees"][0]["cost"]) == ("closed", 20_000, 0.0001)
    balance = spot.fetch_balance()
    assert (balance["USDT"]["free"], balance["BTC"]["free"]) == (8_000, 0.0999)
    spot.create_order(PAIR, "market", "sell", 0.05)
    balance = spot.fetch_balance()
    assert (balance["USDT"]["free"], balance["BTC"]["free"]) == (8_999, 0.0499)


def test_market_order_by_cost(spot: Any) -> None:
    order = spot.create_market_buy_order_with_cost(PAIR, 1_000)
    assert (order["filled"], order["cost"]) == (0.05, 1_000)


def test_limit_reserves_its_funds_until_it_fills(trader: Trader, spot: Any) -> None:
    order = spot.create_order(PAIR, "limit", "buy", 0.1, 19_000)
    balance = spot.fetch_balance()
    assert (balance["USDT"]["free"], balance["USDT"]["used"]) == (8_100, 1_900)
    assert [row["id"] for row in spot.fetch_open_orders(PAIR)] == [order["id"]]
    trader.exchange.move_price("18000")
    assert spot.fetch_order(order["id"], PAIR)["average"] == 19_000
    balance = spot.fetch_balance()
    assert (balance["USDT"]["total"], balance["USDT"]["used"], balance["BTC"]["free"]) == (8_100, 0, 0.0999)
    assert spot.fetch_open_orders(PAIR) == []


def test_cancelled_limit_gives_its_funds_back(spot: Any) -> None:
    order = spot.create_order(PAIR, "limit", "buy", 0.1, 19_000)
    assert spot.cancel_order(order["id"], PAIR)["status"] == "canceled"
    assert spot.fetch_balance()["USDT"]["free"] == 10_000
    with refused(-2011, ccxt.OrderNotFound):
        spot.cancel_order(order["id"], PAIR)
    spot.create_order(PAIR, "limit", "buy", 0.1, 19_000)
    spot.cancel_all_orders(PAIR)
    assert spot.fetch_balance()["USDT"]["free"] == 10_000


def test_history_and_trades_are_kept(spot: Any) -> None:
    first = spot.create_order(PAIR, "market", "buy", 0.1)
    second = spot.create_order(PAIR, "limit", "sell", 0.05, 25_000)
    assert [row["id"] for row in spot.fetch_orders(PAIR)] == [first["id"], second["id"]]
    trade = spot.fetch_my_trades(PAIR)[0]
    assert (trade["order"], trade["amount"], trade["fee"]["currency"]) == (first["id"], 0.1, "BTC")
    assert spot.fetch_ticker(PAIR)["last"] == 20_000


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"quantity": "10"}, "insufficient balance"),
        ({"quantity": "0.000001"}, "LOT_SIZE"),
        ({"quantity": "0.0002"}, "NOTIONAL"),
        ({"price": "19000.001"}, "PRICE_FILTER"),
        ({"symbol": "BTCEUR"}, "-1121"),
        ({"type": "STOP_LOSS"}, "-1116"),
        ({"timeInForce": None}, "-1102"),
        ({"quantity": None}, "-1102"),
        ({"newClientOrderId": "a b"}, "-1100"),
        ({"type": "LIMIT_MAKER", "price": "20000"}, "immediately match and take"),
    ],
)
def test_order_is_refused_as_the_exchange_does(spot: Any, changed: dict[str, Any], complaint: str) -> None:
    order = {
        "symbol": "BTCUSDT",
        "side": "BUY",
        "type": "LIMIT",
        "timeInForce": "GTC",
        "quantity": "0.1",
        "price": "19000",
    }
    request = {name: value for name, value in {**order, **changed}.items() if value is not None}
    with pytest.raises(ccxt.BaseError, match=complaint):
        spot.privatePostOrder(request)
    assert spot.fetch_orders(PAIR) == []
    assert spot.fetch_balance()["USDT"]["free"] == 10_000


def test_spot_and_futures_wallets_are_apart(new_trader: Callable[..., Trader], spot_markets: Any) -> None:
    trader = new_trader("1000", spotBalances={"BTC": "2"})
    client = redirect(
        ccxt.binance({"apiKey": trader.api_key, "secret": trader.secret, "enableRateLimit": False}),
        trader.exchange.url,
    )
    client.set_markets_from_exchange(spot_markets)
    client.create_order(PAIR, "market", "sell", 1)
    assert client.fetch_balance()["USDT"]["free"] == 19_980
    assert trader.futures.fetch_balance()["USDT"]["total"] == 1_000


def test_key_without_spot_trading_may_only_read(trader: Trader, spot: Any) -> None:
    trader.change(enableSpotAndMarginTrading=False)
    with pytest.raises(ccxt.BaseError, match="-2015"):
        spot.create_order(PAIR, "market", "buy", 0.1)
    assert trader.market("buy", 0.1)["status"] == "closed"
