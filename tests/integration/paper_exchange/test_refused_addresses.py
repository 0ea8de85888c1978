"""What an address is refused: by its country, over its limit, and on paths that do not exist."""

from __future__ import annotations

import http.client
import json
from typing import Any

import ccxt
import pytest

from tests.integration.paper_exchange.exchange_process import ExchangeProcess
from tests.integration.paper_exchange.trader import Trader, refused


def send_from(
    exchange: ExchangeProcess, address: str, path: str = "/fapi/v1/time", method: str = "GET"
) -> tuple[int, Any]:
    """Send a public request from another address of the loopback network."""
    host, port = exchange.url.removeprefix("http://").split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=10, source_address=(address, 0))
    connection.request(method, path)
    response = connection.getresponse()
    return response.status, json.loads(response.read())


def test_restricted_address_gets_451_and_others_are_answered(exchange: ExchangeProcess, trader: Trader) -> None:
    exchange.control("PUT", "/paper/restrictions/127.0.0.9")
    status, body = send_from(exchange, "127.0.0.9")
    assert (status, body["code"]) == (451, 0)
    assert body["msg"].startswith("Service unavailable from a restricted location")
    assert send_from(exchange, "127.0.0.8")[0] == 200
    assert trader.market("buy", 0.01)["status"] == "closed"
    exchange.control("DELETE", "/paper/restrictions")
    assert send_from(exchange, "127.0.0.9")[0] == 200


def test_restricted_address_places_no_order(exchange: ExchangeProcess, trader: Trader) -> None:
    exchange.control("PUT", "/paper/restrictions/127.0.0.1")
    with pytest.raises(ccxt.BaseError, match="451"):
        trader.market("buy", 0.01)
    assert trader.snapshot()["orders"] == []


def test_banned_address_gets_418_until_the_limits_are_reset_and_others_are_answered(exchange: ExchangeProcess) -> None:
    exchange.control("PUT", "/paper/bans/127.0.0.9", {"seconds": 120})
    status, body = send_from(exchange, "127.0.0.9")
    assert (status, body["code"]) == (418, -1003)
    assert send_from(exchange, "127.0.0.8")[0] == 200
    exchange.control("DELETE", "/paper/limits")
    assert send_from(exchange, "127.0.0.9")[0] == 200


def test_weight_is_counted_and_shown_by_address(exchange: ExchangeProcess) -> None:
    exchange.control("DELETE", "/paper/limits")
    for address in ("127.0.0.7", "127.0.0.8", "127.0.0.8"):
        send_from(exchange, address)
    used = exchange.control("GET", "/paper/limits")
    assert used["127.0.0.8"] == 2 * used["127.0.0.7"] > 0


@pytest.mark.parametrize("refuses", [True, False])
def test_orders_over_the_weight_limit_are_refused_by_a_switch(trader: Trader, refuses: bool) -> None:
    trader.exchange.set(weight_limit_per_minute=5, refuse_orders_over_limit=refuses, ban_after_refusals=100)
    trader.futures.fetch_balance()
    with refused(-1003, ccxt.DDoSProtection):
        trader.futures.fetch_balance()
    if refuses:
        with refused(-1003, ccxt.DDoSProtection):
            trader.market("buy", 0.01)
    else:
        assert trader.market("buy", 0.01)["status"] == "closed"


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/fapi/v1/nothing"), ("GET", "/fapi/v1/algoOrder/list"), ("PUT", "/fapi/v1/leverage")]
)
def test_unknown_path_or_method_is_refused_in_json(exchange: ExchangeProcess, method: str, path: str) -> None:
    assert send_from(exchange, "127.0.0.1", path, method) == (
        404,
        {"code": -5000, "msg": f"Path {path}, Method {method} is invalid"},
    )
