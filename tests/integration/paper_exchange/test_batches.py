"""Several orders in one request: each has its own answer."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import ccxt
import pytest

from tests.integration.paper_exchange.trader import BTC, Trader, refused


def take_profit(amount: float, price: float, **params: Any) -> dict[str, Any]:
    return {
        "symbol": BTC,
        "type": "limit",
        "side": "sell",
        "amount": amount,
        "price": price,
        "params": {"reduceOnly": True, **params},
    }


def test_batch_places_reduce_only_limits(trader: Trader) -> None:
    trader.market("buy", 0.6)
    orders = trader.futures.create_orders([take_profit(0.2, 20_500 + 100 * n) for n in range(3)])
    assert [order["status"] for order in orders] == ["open"] * 3
    assert [order["price"] for order in trader.open_regular()] == [20_500, 20_600, 20_700]


def test_one_bad_order_of_a_batch_does_not_stop_the_others(trader: Trader) -> None:
    trader.market("buy", 0.6)
    answers = trader.futures.create_orders(
        [
            take_profit(0.2, 20_500, newClientOrderId="same"),
            take_profit(0.2, 20_600, newClientOrderId="same"),
            take_profit(0.2, 20_700),
        ]
    )
    # ccxt sorts the answers by time, so the refused one, which has none, comes first.
    assert [answer["status"] for answer in answers] == ["rejected", "open", "open"]
    assert answers[0]["info"]["code"] == -4116
    assert [order["price"] for order in trader.open_regular()] == [20_500, 20_700]


def test_batch_refuses_conditional_types_one_by_one(trader: Trader) -> None:
    batch = [
        {"symbol": "BTCUSDT", "side": "SELL", "type": "STOP_MARKET", "stopPrice": "19000", "closePosition": "true"},
        {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01"},
    ]
    answers = trader.futures.fapiPrivatePostBatchOrders({"batchOrders": batch})
    assert answers[0]["code"] == -4120
    assert answers[1]["status"] == "NEW"
    assert trader.held() == "0.01"


def test_batch_of_six_is_refused_whole(trader: Trader) -> None:
    with refused(-4082):
        trader.futures.create_orders(
            [{**take_profit(0.01, 20_500), "side": "buy", "price": 19_500, "params": {}} for _ in range(6)]
        )
    assert trader.snapshot()["orders"] == []


@pytest.mark.parametrize("batch", ["nonsense", "[]", '{"symbol": "BTCUSDT"}', "[1]"])
def test_malformed_batch_is_refused(trader: Trader, batch: str) -> None:
    query = trader.futures.urlencode({"batchOrders": batch, "timestamp": trader.futures.milliseconds()})
    signature = trader.futures.hmac(query.encode(), trader.secret.encode(), hashlib.sha256)
    with pytest.raises(ccxt.BadRequest):
        trader.futures.fetch(
            f"{trader.exchange.url}/fapi/v1/batchOrders",
            "POST",
            {"X-MBX-APIKEY": trader.api_key, "Content-Type": "application/x-www-form-urlencoded"},
            f"{query}&signature={signature}",
        )


def test_batch_cancel_answers_each_id(trader: Trader) -> None:
    first, second = trader.limit("buy", 0.01, 19_500), trader.limit("buy", 0.01, 19_400)
    answers = trader.futures.fapiPrivateDeleteBatchOrders(
        {"symbol": "BTCUSDT", "orderidlist": [first["id"], "999", second["id"]]}
    )
    assert [answer.get("status", answer.get("code")) for answer in answers] == ["CANCELED", -2011, "CANCELED"]
    assert trader.open_regular() == []


def test_batch_cancel_takes_client_ids(trader: Trader) -> None:
    trader.limit("buy", 0.01, 19_500, newClientOrderId="one")
    trader.limit("buy", 0.01, 19_400, newClientOrderId="two")
    answers = trader.futures.cancel_orders([], BTC, {"clientOrderIds": ["one", "two"]})
    assert [answer["status"] for answer in answers] == ["canceled", "canceled"]


def test_batch_takes_numbers_and_booleans_of_json(trader: Trader) -> None:
    trader.market("buy", 0.1)
    order = {
        "symbol": "BTCUSDT",
        "side": "SELL",
        "type": "LIMIT",
        "timeInForce": "GTC",
        "quantity": 0.1,
        "price": 20500,
        "reduceOnly": True,
    }
    answers = trader.futures.fapiPrivatePostBatchOrders({"batchOrders": json.loads(json.dumps([order]))})
    assert (answers[0]["status"], answers[0]["reduceOnly"]) == ("NEW", True)
