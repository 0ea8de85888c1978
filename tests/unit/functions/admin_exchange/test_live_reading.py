from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from functions.admin_exchange.app import lambda_handler
from shared.errors import ExchangeAuthorizationFailed, ExchangeUnavailable, NotFound
from shared.exchange import account_queries
from shared.models.exchange_key import ApiKeyStatus, ExchangeKey, TradeType
from tests.unit.admin_requests import fault, sample, send
from tests.unit.records import KEY_ID, an_exchange_key

POSITION = {
    "symbol": "BTC/USDT",
    "contracts": Decimal("0.673"),
    "contractSize": 1,
    "unrealizedPnl": -64.58874774,
    "leverage": 2.0,
    "timestamp": 1666375929485,
    "datetime": "2022-10-21T18:12:09.485Z",
    "marginMode": "cross",
    "hedged": False,
    "percentage": -0.99,
}
ORDER = {
    "id": "3240579952",
    "clientOrderId": "x-xcKtGhcu730bcc0697b34a84bff541",
    "timestamp": 1666375930768,
    "symbol": "BTC/USDT",
    "type": "stop_market",
    "postOnly": False,
    "reduceOnly": True,
    "stopPrice": 19000.0,
    "cost": 0.0,
    "filled": 0.0,
    "trades": [],
    "fees": [],
}

TRADE = {
    "timestamp": 1666375929485,
    "symbol": "BTC/USDT",
    "id": "244289655",
    "price": 19299.9,
    "fee": {"cost": Decimal("5.19553307"), "currency": "USDT"},
    "fees": [{"currency": "USDT", "cost": Decimal("5.19553307")}],
}
BALANCE = {
    "BNB": {"free": 0, "used": 0, "total": 0},
    "USDT": {"free": Decimal("2637.5428719"), "used": 0, "total": Decimal("2637.5428719")},
}

EVENTS = ["list_positions", "list_open_orders", "list_order_history", "list_trade_history", "get_balance"]
WITH_SYMBOL = ["list_positions", "list_open_orders", "list_order_history", "list_trade_history"]

Read = Callable[..., list[dict[str, Any]]]

pytestmark = pytest.mark.usefixtures("admin_api")


class Exchange:
    """The exchange as the functions see it; raises what a test wants."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.symbols = {"BTC/USDT"}

    def balance(self) -> dict[str, Any]:
        if self.error is not None:
            raise self.error
        return BALANCE

    def answer(self, item: dict[str, Any], symbol: str | None) -> list[dict[str, Any]]:
        if self.error is not None:
            raise self.error
        if symbol is not None and symbol not in self.symbols:
            raise NotFound(f"{symbol} does not trade")
        return [item]


@pytest.fixture(autouse=True)
def exchange(monkeypatch: pytest.MonkeyPatch) -> Exchange:
    exchange = Exchange()
    monkeypatch.setattr(account_queries, "positions", lambda key, symbol: exchange.answer(POSITION, symbol))
    monkeypatch.setattr(account_queries, "open_orders", lambda key, symbol: exchange.answer(ORDER, symbol))
    monkeypatch.setattr(account_queries, "order_history", lambda key, symbol: exchange.answer(ORDER, symbol))
    monkeypatch.setattr(account_queries, "trade_history", lambda key, symbol: exchange.answer(TRADE, symbol))
    monkeypatch.setattr(account_queries, "balance", lambda key: exchange.balance())
    return exchange


@pytest.mark.parametrize("event", ["list_positions", "list_positions_of_symbol"])
def test_positions_are_a_bare_array_of_exact_numbers(event: str) -> None:
    an_exchange_key()
    answer = send(lambda_handler, sample(f"admin_exchange/{event}"))
    assert answer.status == 200
    assert answer.text == (
        '[{"symbol":"BTC/USDT","contracts":0.673,"contractSize":1,"unrealizedPnl":-64.58874774,"leverage":2,'
        '"timestamp":1666375929485,"datetime":"2022-10-21T18:12:09.485Z","marginMode":"cross","hedged":false,'
        '"percentage":-0.99}]'
    )


@pytest.mark.parametrize("event", ["list_open_orders", "list_order_history"])
def test_orders_are_a_bare_array(event: str) -> None:
    an_exchange_key()
    answer = send(lambda_handler, sample(f"admin_exchange/{event}"))
    assert answer.status == 200
    assert answer.text == (
        '[{"id":"3240579952","clientOrderId":"x-xcKtGhcu730bcc0697b34a84bff541","timestamp":1666375930768,'
        '"symbol":"BTC/USDT","type":"stop_market","postOnly":false,"reduceOnly":true,"stopPrice":19000,"cost":0,'
        '"filled":0,"trades":[],"fees":[]}]'
    )


def test_trades_are_a_bare_array() -> None:
    an_exchange_key()
    answer = send(lambda_handler, sample("admin_exchange/list_trade_history"))
    assert answer.status == 200
    assert answer.text == (
        '[{"timestamp":1666375929485,"symbol":"BTC/USDT","id":"244289655","price":19299.9,'
        '"fee":{"cost":5.19553307,"currency":"USDT"},"fees":[{"currency":"USDT","cost":5.19553307}]}]'
    )


@pytest.mark.parametrize("trade_type", TradeType)
def test_balance_names_every_asset(trade_type: TradeType) -> None:
    an_exchange_key(trade_type=trade_type)
    answer = send(lambda_handler, sample("admin_exchange/get_balance"))
    assert answer.status == 200
    assert answer.text == (
        '{"BNB":{"free":0,"used":0,"total":0},"USDT":{"free":2637.5428719,"used":0,"total":2637.5428719}}'
    )


def test_spot_key_has_orders_but_no_positions() -> None:
    an_exchange_key(trade_type=TradeType.SPOT)
    assert send(lambda_handler, sample("admin_exchange/list_open_orders")).status == 200
    answer = send(lambda_handler, sample("admin_exchange/list_positions", query={"symbol": "BTCUSDT"}))
    assert answer.status == 422
    assert answer.body["errors"] == [
        fault("must be API key of tradeType FUTURES", "API_KEY_ID", "params", value=KEY_ID),
        fault("must be format BASE/QUOTE", "symbol", "query", value="BTCUSDT"),
    ]


@pytest.mark.parametrize("event", ["list_open_orders", "list_order_history", "list_trade_history"])
def test_orders_and_trades_need_a_symbol(event: str) -> None:
    an_exchange_key()
    answer = send(lambda_handler, sample(f"admin_exchange/{event}") | {"queryStringParameters": None})
    assert answer.status == 422
    assert answer.body == {"errors": [fault("must be format BASE/QUOTE", "symbol", "query")]}


@pytest.mark.parametrize("event", WITH_SYMBOL)
def test_symbol_that_does_not_trade_is_a_fault(event: str) -> None:
    an_exchange_key()
    answer = send(lambda_handler, sample(f"admin_exchange/{event}", query={"symbol": "XYZ/USDT"}))
    assert answer.status == 422
    assert answer.body == {"errors": [fault("must be supported symbol", "symbol", "query", value="XYZ/USDT")]}


@pytest.mark.parametrize("symbol", ["币安人生/USDT", "BTC/USDT-261225", "BTC/USDC", "1000PEPE/USDT"])
@pytest.mark.parametrize("event", WITH_SYMBOL)
def test_any_symbol_that_the_exchange_lists_is_accepted(exchange: Exchange, event: str, symbol: str) -> None:
    an_exchange_key()
    exchange.symbols.add(symbol)
    assert send(lambda_handler, sample(f"admin_exchange/{event}", query={"symbol": symbol})).status == 200


@pytest.mark.parametrize("event", EVENTS)
def test_refused_key_answers_403_and_is_taken_out_of_use(exchange: Exchange, event: str) -> None:
    an_exchange_key()
    exchange.error = ExchangeAuthorizationFailed(code=-2015)
    answer = send(lambda_handler, sample(f"admin_exchange/{event}"))
    assert (answer.status, answer.body) == (403, {"message": "exchange API authorization failed"})
    key = ExchangeKey.get(KEY_ID)
    assert (key.api_key_status, key.active) == (ApiKeyStatus.UNAUTHORIZED, False)
    exchange.error = None
    assert send(lambda_handler, sample(f"admin_exchange/{event}")).status == 200
    key.refresh()
    assert (key.api_key_status, key.active) == (ApiKeyStatus.AUTHORIZED, True)


@pytest.mark.parametrize("event", EVENTS)
def test_exchange_out_of_reach_answers_503(exchange: Exchange, event: str) -> None:
    an_exchange_key()
    exchange.error = ExchangeUnavailable()
    answer = send(lambda_handler, sample(f"admin_exchange/{event}"))
    assert (answer.status, answer.body) == (503, {"message": "exchange cannot be reached"})
    key = ExchangeKey.get(KEY_ID)
    assert (key.api_key_status, key.active) == (ApiKeyStatus.FAILED, True)


@pytest.mark.parametrize("event", [*EVENTS, "list_open_orders_without_symbol"])
def test_unknown_key_is_not_found(event: str) -> None:
    answer = send(lambda_handler, sample(f"admin_exchange/{event}"))
    assert (answer.status, answer.body) == (404, {"message": "route not found"})
