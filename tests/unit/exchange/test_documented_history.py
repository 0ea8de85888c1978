"""The documentation's histories and balance, from the exchange's JSON through today's ccxt, field by field."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from typing import Any

import ccxt

from local.paper_exchange.exchange_info import futures_info, spot_info
from local.paper_exchange.symbols import SYMBOLS
from shared.exchange.documented_shapes import BALANCE, ORDER, TRADE, one_per_order, to_documented

ENTRY: dict[str, Any] = {
    "orderId": 3240579942,
    "symbol": "BTCUSDT",
    "status": "FILLED",
    "clientOrderId": "x-xcKtGhcu755a45b026384e6ba56493",
    "price": "0.00",
    "avgPrice": "19299.90000",
    "origQty": "0.673",
    "executedQty": "0.673",
    "cumQuote": "12988.83270",
    "timeInForce": "GTC",
    "type": "MARKET",
    "reduceOnly": False,
    "closePosition": False,
    "side": "BUY",
    "positionSide": "BOTH",
    "stopPrice": "0.00",
    "workingType": "CONTRACT_PRICE",
    "priceProtect": False,
    "origType": "MARKET",
    "time": 1666375929485,
    "updateTime": 1666375929485,
}
STOPPED: dict[str, Any] = ENTRY | {
    "orderId": 3240531998,
    "clientOrderId": "given-by-the-exchange",
    "avgPrice": "19149.16657",
    "origQty": "2.106",
    "executedQty": "2.106",
    "cumQuote": "40328.14480",
    "reduceOnly": True,
    "side": "SELL",
    "time": 1666361624042,
    "updateTime": 1666361624042,
}
STOP: dict[str, Any] = {
    "algoId": 2000001,
    "clientAlgoId": "x-xcKtGhcu5fac13aec5a740eb884301",
    "algoType": "CONDITIONAL",
    "orderType": "STOP_MARKET",
    "symbol": "BTCUSDT",
    "side": "SELL",
    "positionSide": "BOTH",
    "timeInForce": "GTE_GTC",
    "quantity": "0.000",
    "algoStatus": "FINISHED",
    "actualOrderId": "3240531998",
    "actualPrice": "19149.16657",
    "triggerPrice": "19150.00",
    "price": "0.00",
    "closePosition": True,
    "reduceOnly": True,
    "createTime": 1666361622700,
    "updateTime": 1666361624042,
    "triggerTime": 1666361624000,
}

DOCUMENTED_ENTRY: dict[str, Any] = {
    "id": "3240579942",
    "clientOrderId": "x-xcKtGhcu755a45b026384e6ba56493",
    "timestamp": 1666375929485,
    "datetime": "2022-10-21T18:12:09.485Z",
    "symbol": "BTC/USDT",
    "type": "market",
    "timeInForce": "GTC",
    "postOnly": False,
    "reduceOnly": False,
    "side": "buy",
    "price": Decimal("19299.9"),
    "amount": Decimal("0.673"),
    "cost": Decimal("12988.8327"),
    "average": Decimal("19299.9"),
    "filled": Decimal("0.673"),
    "remaining": 0,
    "status": "closed",
    "trades": [],
    "fees": [],
}
DOCUMENTED_STOPPED: dict[str, Any] = {
    "id": "3240531998",
    "clientOrderId": "x-xcKtGhcu5fac13aec5a740eb884301",
    "timestamp": 1666361624042,
    "datetime": "2022-10-21T14:13:44.042Z",
    "symbol": "BTC/USDT",
    "type": "market",
    "timeInForce": "GTC",
    "postOnly": False,
    "reduceOnly": True,
    "side": "sell",
    "price": Decimal("19149.16657"),
    "stopPrice": 19150,
    "amount": Decimal("2.106"),
    "cost": Decimal("40328.1448"),
    "average": Decimal("19149.16657"),
    "filled": Decimal("2.106"),
    "remaining": 0,
    "status": "closed",
    "trades": [],
    "fees": [],
}

FILL: dict[str, Any] = {
    "symbol": "BTCUSDT",
    "id": 244289655,
    "orderId": 3240579942,
    "side": "BUY",
    "price": "19299.90",
    "qty": "0.673",
    "realizedPnl": "0",
    "quoteQty": "12988.8327",
    "commission": "5.19553307",
    "commissionAsset": "USDT",
    "time": 1666375929485,
    "positionSide": "BOTH",
    "buyer": True,
    "maker": False,
}
DOCUMENTED_TRADE: dict[str, Any] = {
    "timestamp": 1666375929485,
    "datetime": "2022-10-21T18:12:09.485Z",
    "symbol": "BTC/USDT",
    "id": "244289655",
    "order": "3240579942",
    "side": "buy",
    "takerOrMaker": "taker",
    "price": Decimal("19299.9"),
    "amount": Decimal("0.673"),
    "cost": Decimal("12988.8327"),
    "fee": {"cost": Decimal("5.19553307"), "currency": "USDT"},
    "fees": [{"currency": "USDT", "cost": Decimal("5.19553307")}],
}


@cache
def futures() -> Any:
    """Return the current ccxt's client for USD-M futures, with markets from a body instead of a server."""
    client = ccxt.binanceusdm()
    client.set_markets(
        [client.parse_market(market) for market in json.loads(futures_info(SYMBOLS.values(), 0))["symbols"]]
    )
    return client


@cache
def spot() -> Any:
    client = ccxt.binance({"options": {"crossMarginPairsData": [], "isolatedMarginPairsData": []}})
    client.set_markets([client.parse_market(market) for market in json.loads(spot_info(0))["symbols"]])
    return client


def orders(*raw: Mapping[str, Any]) -> list[Any]:
    client = futures()
    return [client.parse_order(dict(order), client.market("BTC/USDT:USDT")) for order in raw]


def shown(regular: list[Any], conditional: list[Any]) -> list[dict[str, Any]]:
    return [to_documented(order, ORDER) for order in one_per_order(regular, conditional)]


def test_filled_order_reads_as_documented() -> None:
    (found,) = shown(orders(ENTRY), [])
    assert list(found.items()) == list(DOCUMENTED_ENTRY.items())


def test_triggered_stop_reads_as_documented_and_once() -> None:
    (found,) = shown(orders(STOPPED), orders(STOP))
    assert list(found.items()) == list(DOCUMENTED_STOPPED.items())


def test_untriggered_stop_keeps_its_own_type() -> None:
    waiting = STOP | {"algoStatus": "NEW", "actualOrderId": "", "algoId": 2000002}
    cancelled = STOP | {"algoStatus": "CANCELED", "actualOrderId": "", "algoId": 2000003}
    found = shown(orders(ENTRY), orders(waiting, cancelled))
    assert [(order["id"], order["type"], order["status"]) for order in found] == [
        ("3240579942", "market", "closed"),
        ("2000002", "stop_market", "open"),
        ("2000003", "stop_market", "canceled"),
    ]
    assert found[1]["stopPrice"] == 19150
    assert "amount" not in found[1]


def test_conditional_order_with_the_number_of_a_regular_one_hides_nothing() -> None:
    same_number = STOP | {"algoStatus": "CANCELED", "actualOrderId": "", "algoId": ENTRY["orderId"]}
    assert [order["type"] for order in shown(orders(ENTRY), orders(same_number))] == ["market", "stop_market"]


def test_triggered_stop_whose_order_is_older_than_the_history_is_shown_by_itself() -> None:
    (found,) = shown([], orders(STOP))
    assert (found["id"], found["type"], found["status"]) == ("2000001", "stop_market", "closed")


def test_trade_reads_as_documented() -> None:
    client = futures()
    found = to_documented(client.parse_trade(dict(FILL), client.market("BTC/USDT:USDT")), TRADE)
    assert json.dumps(found, default=str) == json.dumps(DOCUMENTED_TRADE, default=str)
    assert found == DOCUMENTED_TRADE


def test_spot_trade_reads_the_same() -> None:
    client = spot()
    raw = {
        "symbol": "BTCUSDT",
        "id": 28457,
        "orderId": 100234,
        "price": "20000.10",
        "qty": "0.5",
        "quoteQty": "10000.05",
        "commission": "0.0005",
        "commissionAsset": "BNB",
        "time": 1666375929485,
        "isBuyer": False,
        "isMaker": True,
        "isBestMatch": True,
    }
    found = to_documented(client.parse_trade(raw, client.market("BTC/USDT")), TRADE)
    assert found == {
        "timestamp": 1666375929485,
        "datetime": "2022-10-21T18:12:09.485Z",
        "symbol": "BTC/USDT",
        "id": "28457",
        "order": "100234",
        "side": "sell",
        "takerOrMaker": "maker",
        "price": Decimal("20000.1"),
        "amount": Decimal("0.5"),
        "cost": Decimal("10000.05"),
        "fee": {"cost": Decimal("0.0005"), "currency": "BNB"},
        "fees": [{"currency": "BNB", "cost": Decimal("0.0005")}],
    }


def test_trade_without_a_fee_has_none() -> None:
    raw = {name: value for name, value in FILL.items() if not name.startswith("commission")}
    found = to_documented(futures().parse_trade(raw), TRADE)
    assert "fee" not in found
    assert found["fees"] == []


def test_balance_reads_as_documented() -> None:
    client = futures()
    row = {"initialMargin": "0.00000000", "updateTime": 1}
    balance = client.parse_balance_custom(
        {
            "assets": [
                row | {"asset": "BNB", "availableBalance": "0.00000000", "marginBalance": "0.00000000"},
                row | {"asset": "USDT", "availableBalance": "2637.54287190", "marginBalance": "2637.54287190"},
            ]
        },
        "linear",
    )
    assert [to_documented(balance[asset], BALANCE) for asset in ("BNB", "USDT")] == [
        {"free": 0, "used": 0, "total": 0},
        {"free": Decimal("2637.5428719"), "used": 0, "total": Decimal("2637.5428719")},
    ]
