"""ccxt's structures of today against the documentation's examples, field by field."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from shared.exchange.documented_shapes import ORDER, POSITION, newest_first, to_documented

CCXT_POSITION: dict[str, Any] = {
    "info": {"symbol": "BTCUSDT"},
    "id": None,
    "symbol": "BTC/USDT:USDT",
    "contracts": 0.673,
    "contractSize": 1.0,
    "unrealizedPnl": -64.58874774,
    "leverage": 2.0,
    "liquidationPrice": None,
    "collateral": 12988.8327,
    "notional": 12924.24395225,
    "markPrice": 19203.92860662,
    "entryPrice": 19299.9,
    "timestamp": 1666375929485,
    "initialMargin": 6462.12197612,
    "initialMarginPercentage": 0.5,
    "maintenanceMargin": 129.2424395225,
    "maintenanceMarginPercentage": 0.01,
    "marginRatio": 0.01,
    "datetime": "2022-10-21T18:12:09.485Z",
    "marginMode": "cross",
    "side": "long",
    "hedged": False,
    "percentage": -0.99,
    "stopLossPrice": None,
    "takeProfitPrice": None,
}
DOCUMENTED_POSITION: dict[str, Any] = {
    "symbol": "BTC/USDT",
    "contracts": Decimal("0.673"),
    "contractSize": 1,
    "unrealizedPnl": Decimal("-64.58874774"),
    "leverage": 2,
    "collateral": Decimal("12988.8327"),
    "notional": Decimal("12924.24395225"),
    "markPrice": Decimal("19203.92860662"),
    "entryPrice": Decimal("19299.9"),
    "timestamp": 1666375929485,
    "initialMargin": Decimal("6462.12197612"),
    "initialMarginPercentage": Decimal("0.5"),
    "maintenanceMargin": Decimal("129.2424395225"),
    "maintenanceMarginPercentage": Decimal("0.01"),
    "marginRatio": Decimal("0.01"),
    "datetime": "2022-10-21T18:12:09.485Z",
    "marginMode": "cross",
    "marginType": "cross",
    "side": "long",
    "hedged": False,
    "percentage": Decimal("-0.99"),
}

CCXT_STOP: dict[str, Any] = {
    "info": {"symbol": "BTCUSDT", "orderType": "STOP_MARKET", "algoType": "CONDITIONAL"},
    "id": "3240579952",
    "clientOrderId": "x-xcKtGhcu730bcc0697b34a84bff541",
    "timestamp": 1666375930768,
    "datetime": "2022-10-21T18:12:10.768Z",
    "lastTradeTimestamp": None,
    "symbol": "BTC/USDT:USDT",
    "type": "market",
    "timeInForce": "GTE_GTC",
    "postOnly": False,
    "reduceOnly": True,
    "side": "sell",
    "price": None,
    "stopPrice": 19000.0,
    "triggerPrice": 19000.0,
    "amount": 0.0,
    "cost": 0.0,
    "average": None,
    "filled": 0.0,
    "remaining": 0.0,
    "status": "open",
    "trades": [],
    "fees": [],
    "fee": None,
}
DOCUMENTED_STOP: dict[str, Any] = {
    "id": "3240579952",
    "clientOrderId": "x-xcKtGhcu730bcc0697b34a84bff541",
    "timestamp": 1666375930768,
    "datetime": "2022-10-21T18:12:10.768Z",
    "symbol": "BTC/USDT",
    "type": "stop_market",
    "timeInForce": "GTE_GTC",
    "postOnly": False,
    "reduceOnly": True,
    "side": "sell",
    "stopPrice": 19000,
    "cost": 0,
    "filled": 0,
    "status": "open",
    "trades": [],
    "fees": [],
}

CCXT_TAKE_PROFIT = CCXT_STOP | {
    "info": {"symbol": "BTCUSDT", "orderType": "TAKE_PROFIT"},
    "id": "3240579951",
    "clientOrderId": "x-xcKtGhcu473aae399bf545f3a21c9c",
    "timestamp": 1666375930655,
    "datetime": "2022-10-21T18:12:10.655Z",
    "type": "limit",
    "timeInForce": "GTC",
    "price": 19450.0,
    "stopPrice": 19450.0,
    "triggerPrice": 19450.0,
    "amount": 0.224,
    "remaining": 0.224,
}
DOCUMENTED_TAKE_PROFIT: dict[str, Any] = {
    "id": "3240579951",
    "clientOrderId": "x-xcKtGhcu473aae399bf545f3a21c9c",
    "timestamp": 1666375930655,
    "datetime": "2022-10-21T18:12:10.655Z",
    "symbol": "BTC/USDT",
    "type": "take_profit",
    "timeInForce": "GTC",
    "postOnly": False,
    "reduceOnly": True,
    "side": "sell",
    "price": 19450,
    "stopPrice": 19450,
    "amount": Decimal("0.224"),
    "cost": 0,
    "filled": 0,
    "remaining": Decimal("0.224"),
    "status": "open",
    "trades": [],
    "fees": [],
}


def test_position_that_is_safe_at_any_price_keeps_its_collateral_and_ratio() -> None:
    safe = CCXT_POSITION | {"liquidationPrice": 0.0, "collateral": 0.0, "marginRatio": None}
    assert to_documented(safe, POSITION) == DOCUMENTED_POSITION


def test_short_position_without_collateral_is_given_none() -> None:
    short = CCXT_POSITION | {"side": "short", "collateral": 0.0, "marginRatio": None}
    shown = to_documented(short, POSITION)
    assert shown["collateral"] == 0
    assert "marginRatio" not in shown


def test_position_reads_as_documented() -> None:
    found = to_documented(CCXT_POSITION, POSITION)

    assert list(found.items()) == list(DOCUMENTED_POSITION.items())


def test_stop_reads_as_documented() -> None:
    assert list(to_documented(CCXT_STOP, ORDER).items()) == list(DOCUMENTED_STOP.items())


def test_take_profit_reads_as_documented() -> None:
    assert list(to_documented(CCXT_TAKE_PROFIT, ORDER).items()) == list(DOCUMENTED_TAKE_PROFIT.items())


def test_numbers_are_the_digits_that_the_exchange_sent() -> None:
    found = to_documented(CCXT_POSITION | {"markPrice": 0.1 + 0.2, "contracts": 1e-8}, POSITION)

    assert found["markPrice"] == Decimal("0.30000000000000004")
    assert found["contracts"] == Decimal("1E-8")
    assert isinstance(found["contractSize"], int)


def test_latest_comes_first() -> None:
    items: list[dict[str, Any]] = [{"timestamp": 1}, {"timestamp": None}, {"timestamp": 3}, {"timestamp": 2}]

    assert [item["timestamp"] for item in newest_first(items)] == [3, 2, 1, None]


@pytest.mark.parametrize(
    ("by_ccxt", "by_the_exchange", "name"),
    [
        ("BTC/USDT:USDT-261225", "BTCUSDT_261225", "BTC/USDT-261225"),
        # The date of ccxt is the day of delivery, which the exchange moves when it delists a contract.
        ("TSLA/USDT:USDT-270105", "TSLAUSDT", "TSLA/USDT"),
        ("币安人生/USDT:USDT", "币安人生USDT", "币安人生/USDT"),
        ("BTC/USDC:USDC", "BTCUSDC", "BTC/USDC"),
        ("BTC/USDC", "XBTUSDC", "XBT/USDC"),
        ("BTCUSDT_250926", "BTCUSDT_250926", "BTC/USDT-250926"),
        ("OLDUSDT", "OLDUSDT", "OLD/USDT"),
    ],
)
def test_symbol_is_named_by_the_exchanges_name(by_ccxt: str, by_the_exchange: str, name: str) -> None:
    position = CCXT_POSITION | {"symbol": by_ccxt, "info": {"symbol": by_the_exchange}}
    assert to_documented(position, POSITION)["symbol"] == name
