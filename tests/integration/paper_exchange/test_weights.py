"""What each request weighs: on futures by the descriptions of the exchange's official client."""

from __future__ import annotations

import inspect
import re
import time
from collections.abc import Iterator
from typing import Any

import ccxt
import pytest
from binance_sdk_derivatives_trading_usds_futures.rest_api.api import AccountApi, MarketDataApi, TradeApi

from functions.balance_recorder import service as balance_recorder
from local.paper_exchange import account_routes, market_routes, order_routes, spot_routes
from shared.exchange import account_fills
from shared.models.exchange_key import TradeType
from tests.integration.paper_exchange.trader import Trader, redirect

ROUTES = market_routes.routes(0) | account_routes.ROUTES | order_routes.ROUTES | spot_routes.ROUTES
BY_LIMIT = {("GET", "/fapi/v1/depth"), ("GET", "/fapi/v1/klines"), ("GET", "/fapi/v1/markPriceKlines")}
"""Requests whose weight follows a limit; a test of the books has them."""


def documented() -> Iterator[tuple[str, str, int, int]]:
    """Yield method, path, and the weight with and without a symbol, of each call that the official client describes."""
    for api in (AccountApi, MarketDataApi, TradeApi):
        for _, call in inspect.getmembers(api, inspect.isfunction):
            text = " ".join((inspect.getdoc(call) or "").replace("*", "").split())
            request = re.search(r"(GET|POST|PUT|DELETE) (/\S+)", text)
            weight = re.search(r"Weight(?:\(IP\))?: (.{60})", text)
            if request is None or weight is None or request.groups() in BY_LIMIT:
                continue
            numbers = _weights_in(text[weight.start(1) :])
            if numbers is not None:
                yield request[1], request[2], *numbers


def _weights_in(text: str) -> tuple[int, int] | None:
    """Return the weights with and without a symbol that a description begins with."""
    if on_address := re.match(r".{0,140}?(\d+) on IP rate limit", text):
        return int(on_address[1]), int(on_address[1])
    if both := re.match(r"[- ]*(\d+) (?:for a single symbol;?|with symbol,)[- ]*(\d+) (?:when|without)", text):
        return int(both[1]), int(both[2])
    if one := re.match(r"(\d+) ", text):
        return int(one[1]), int(one[1])
    return None


DOCUMENTED = {(method, path): weights for method, path, *weights in documented()}


@pytest.mark.parametrize("request_of", sorted(DOCUMENTED.keys() & ROUTES.keys()), ids=" ".join)
def test_weight_of_a_route_is_the_documented_one(request_of: tuple[str, str]) -> None:
    route = ROUTES[request_of]
    without = route.weight if route.weight_without_symbol is None else route.weight_without_symbol
    assert [route.weight, without] == DOCUMENTED[request_of]


def test_every_futures_route_has_a_documented_weight() -> None:
    futures = {request for request in ROUTES if request[1].startswith("/fapi")}
    assert futures - DOCUMENTED.keys() - BY_LIMIT == set()


def documented_order_counts() -> Iterator[tuple[tuple[str, str], tuple[int, int]]]:
    """Yield each request that places orders, and what it counts in 10 s and in a minute."""
    pattern = re.compile(r"(POST|PUT) (/\S+) .*?(\d+) on 10s order rate limit.*?(\d+) on 1min order rate limit")
    for _, call in inspect.getmembers(TradeApi, inspect.isfunction):
        if found := pattern.search(" ".join((inspect.getdoc(call) or "").split())):
            yield (found[1], found[2]), (int(found[3]), int(found[4]))


def test_orders_count_against_both_limits_as_documented() -> None:
    futures = {request: route for request, route in ROUTES.items() if route.orders and request[1].startswith("/fapi")}
    assert len(futures) >= 3
    counted = {
        request: (route.orders, route.orders if route.orders_a_minute is None else route.orders_a_minute)
        for request, route in futures.items()
    }
    documented = dict(documented_order_counts())
    assert counted == {request: documented[request] for request in futures}


def start_a_minute(trader: Trader) -> None:
    """Set the exchange's clock to the start of a minute, so that no window ends within the test."""
    trader.exchange.set(clock_offset_ms=60_000 - int(time.time() * 1000) % 60_000)
    trader.futures.load_time_difference()
    trader.exchange.control("DELETE", "/paper/limits")


def used_weight(trader: Trader) -> int:
    """Return the used weight of this minute, this request included."""
    trader.futures.fapiPublicGetPing()
    return shown_weight(trader.futures)


def shown_weight(client: Any) -> int:
    headers = {name.lower(): value for name, value in client.last_response_headers.items()}
    return int(headers["x-mbx-used-weight-1m"])


@pytest.mark.parametrize(("params", "weight"), [({"symbol": "BTCUSDT"}, 2), ({}, 5)])
def test_book_ticker_has_both_sides_and_its_weight(trader: Trader, params: dict[str, str], weight: int) -> None:
    start_a_minute(trader)
    before = used_weight(trader)
    rows = trader.futures.fapiPublicGetTickerBookTicker(params)
    row = rows if params else next(row for row in rows if row["symbol"] == "BTCUSDT")
    assert (row["bidPrice"], row["askPrice"]) == ("20000.00", "20000.00")
    assert float(row["bidQty"]) > 0
    assert float(row["askQty"]) > 0
    assert used_weight(trader) - before - 1 == weight


@pytest.mark.parametrize("name", ["fapiPublicGetTickerBookTicker", "fapiPublicV2GetTickerPrice"])
def test_used_weight_of_two_tickers_is_not_accurate(trader: Trader, name: str) -> None:
    start_a_minute(trader)
    getattr(trader.futures, name)({"symbol": "BTCUSDT"})
    assert shown_weight(trader.futures) > 2_400
    assert used_weight(trader) < 10


@pytest.mark.parametrize(
    ("name", "params", "weight"),
    [
        ("privateGetAccount", {}, balance_recorder.WEIGHTS[TradeType.SPOT]),
        ("privateGetAccount", {}, account_fills.WEIGHTS["privateGetAccount"]),
        ("privateGetMyTrades", {"symbol": "BTCUSDT"}, account_fills.WEIGHTS["privateGetMyTrades"]),
        ("privateGetAllOrders", {"symbol": "BTCUSDT"}, 20),
        ("privateGetOpenOrders", {"symbol": "BTCUSDT"}, 6),
        ("publicGetExchangeInfo", {}, 20),
        ("publicGetTickerPrice", {"symbol": "BTCUSDT"}, 2),
    ],
)
def test_spot_weights_are_those_that_the_code_counts(
    trader: Trader, name: str, params: dict[str, str], weight: int
) -> None:
    start_a_minute(trader)
    spot = redirect(
        ccxt.binance({"apiKey": trader.api_key, "secret": trader.secret, "enableRateLimit": False}),
        trader.exchange.url,
    )
    spot.options["timeDifference"] = trader.futures.options["timeDifference"]
    getattr(spot, name)(params)
    assert shown_weight(spot) == weight
    assert used_weight(trader) == 1, "a budget of its own"
