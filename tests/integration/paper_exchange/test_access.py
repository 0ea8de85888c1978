"""Access control: keys, signatures, clocks, permissions, limits."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from typing import Any

import ccxt
import pytest

from tests.integration.paper_exchange.exchange_process import ExchangeProcess
from tests.integration.paper_exchange.trader import BTC, Trader, TranslatingFutures, refused


def test_unknown_key_is_refused(exchange: ExchangeProcess, loaded_markets: Any) -> None:
    stranger = Trader(exchange, "nobody", loaded_markets)
    with refused(-2015, ccxt.AuthenticationError):
        stranger.futures.fetch_balance()


def test_malformed_key_is_refused(exchange: ExchangeProcess, loaded_markets: Any) -> None:
    stranger = Trader(exchange, "not a key!", loaded_markets)
    with refused(-2014, ccxt.AuthenticationError):
        stranger.futures.fetch_balance()


def test_request_without_a_key_is_refused(trader: Trader) -> None:
    trader.futures.urls["api"]["fapiPublic"] = trader.futures.urls["api"]["fapiPrivateV3"]
    with refused(-2014, ccxt.AuthenticationError):
        trader.futures.request("account", ["fapiPublic"], "GET")


def test_wrong_secret_is_refused_in_query_and_in_body(trader: Trader) -> None:
    trader.futures.secret = "another secret"
    with refused(-1022, ccxt.AuthenticationError):
        trader.futures.fetch_balance()
    with refused(-1022, ccxt.AuthenticationError):
        trader.market("buy", 0.01)
    assert trader.snapshot()["orders"] == []


def test_signature_covers_query_and_body_together(trader: Trader) -> None:
    query = f"symbol=BTCUSDT&side=BUY&timestamp={int(time.time() * 1000)}"
    body = "type=MARKET&quantity=0.01&newOrderRespType=RESULT"

    def send(signed: str) -> Any:
        signature = trader.futures.hmac(signed.encode(), trader.secret.encode(), hashlib.sha256)
        return trader.futures.fetch(
            f"{trader.exchange.url}/fapi/v1/order?{query}",
            "POST",
            {"X-MBX-APIKEY": trader.api_key, "Content-Type": "application/x-www-form-urlencoded"},
            f"{body}&signature={signature}",
        )

    for part in (query, body, f"{query}&{body}"):
        with refused(-1022, ccxt.AuthenticationError):
            send(part)
    assert send(query + body)["status"] == "FILLED"


@pytest.mark.parametrize(("server_ahead_ms", "passes"), [(9_000, True), (11_000, False), (-900, True), (-1_500, False)])
def test_timestamp_must_lie_within_the_receive_window(trader: Trader, server_ahead_ms: int, passes: bool) -> None:
    trader.exchange.set(clock_offset_ms=server_ahead_ms)
    if passes:
        trader.futures.fetch_balance()
        return
    with refused(-1021, ccxt.InvalidNonce):
        trader.futures.fetch_balance()


def test_receive_window_of_the_request_counts(trader: Trader) -> None:
    trader.exchange.set(clock_offset_ms=3_000)
    with refused(-1021, ccxt.InvalidNonce):
        trader.market("buy", 0.01, recvWindow=2000)
    assert trader.market("buy", 0.01, recvWindow=10000)["status"] == "closed"


def test_client_that_measures_the_clock_gets_in_again(trader: Trader) -> None:
    trader.exchange.set(clock_offset_ms=60_000)
    trader.futures.load_time_difference()
    assert trader.futures.fetch_balance()["USDT"]["total"] == 10_000


def test_receive_window_over_a_minute_is_refused(trader: Trader) -> None:
    with refused(-1131):
        trader.futures.fetch_balance({"recvWindow": 60_001})


def test_key_without_trading_reads_but_does_not_trade(trader: Trader) -> None:
    trader.change(canTrade=False)
    with refused(-2015, ccxt.AuthenticationError):
        trader.market("buy", 0.01)
    assert trader.futures.fetch_balance()["USDT"]["total"] == 10_000
    assert trader.futures.fapiPrivateGetAccountConfig()["canTrade"] is False
    assert trader.futures.sapiGetAccountApiRestrictions()["enableFutures"] is False


def test_key_without_futures_is_refused_on_all_of_them(trader: Trader) -> None:
    trader.change(enableFutures=False)
    with refused(-2015, ccxt.AuthenticationError):
        trader.futures.fetch_balance()
    assert trader.futures.sapiGetAccountApiRestrictions()["enableFutures"] is False


def test_withdrawals_are_off_until_switched_on(trader: Trader) -> None:
    assert trader.futures.sapiGetAccountApiRestrictions()["enableWithdrawals"] is False
    trader.change(canWithdraw=True)
    assert trader.futures.sapiGetAccountApiRestrictions()["enableWithdrawals"] is True


def test_deleted_account_is_an_unknown_key(trader: Trader) -> None:
    trader.exchange.control("DELETE", f"/paper/accounts/{trader.api_key}")
    with refused(-2015, ccxt.AuthenticationError):
        trader.futures.fetch_balance()


def start_a_minute(trader: Trader) -> None:
    """Set the exchange's clock to the start of a minute, so that no window ends within the test."""
    trader.exchange.set(clock_offset_ms=60_000 - int(time.time() * 1000) % 60_000)
    trader.futures.load_time_difference()
    trader.exchange.control("DELETE", "/paper/limits")


def test_weight_adds_up_in_the_header(trader: Trader) -> None:
    start_a_minute(trader)
    for used in ("5", "10"):
        trader.futures.fetch_balance()
        assert trader.futures.last_response_headers["X-MBX-USED-WEIGHT-1M"] == used
    trader.futures.fapiPrivateGetOpenOrders()
    assert trader.futures.last_response_headers["X-MBX-USED-WEIGHT-1M"] == "50"
    trader.market("buy", 0.01)
    assert trader.futures.last_response_headers["X-MBX-USED-WEIGHT-1M"] == "50"


def test_too_much_weight_is_answered_429_and_then_418(trader: Trader) -> None:
    start_a_minute(trader)
    trader.exchange.set(weight_limit_per_minute=4, ban_after_refusals=2)
    for _ in range(2):
        with pytest.raises(ccxt.DDoSProtection, match=r'429.*"code":-1003'):
            trader.futures.fetch_balance()
    assert 1 <= int(trader.futures.last_response_headers["Retry-After"]) <= 60
    with pytest.raises(ccxt.DDoSProtection, match=r"418.*banned until"):
        trader.futures.fetch_balance()
    assert 118 <= int(trader.futures.last_response_headers["Retry-After"]) <= 120
    with pytest.raises(ccxt.DDoSProtection, match="418"):
        trader.futures.fetch_time()
    trader.exchange.set(limits_enabled=False)
    assert trader.futures.fetch_balance()["USDT"]["total"] == 10_000


def test_too_many_orders_are_refused_per_account(new_trader: Callable[..., Trader]) -> None:
    busy, quiet = new_trader(), new_trader()
    start_a_minute(busy)
    quiet.futures.load_time_difference()
    busy.exchange.set(order_limit_per_minute=3)
    for number in (1, 2, 3):
        busy.market("buy", 0.01)
        assert busy.futures.last_response_headers["X-MBX-ORDER-COUNT-1M"] == str(number)
    with pytest.raises(ccxt.DDoSProtection, match=r'"code":-1015'):
        busy.market("buy", 0.01)
    assert quiet.market("buy", 0.01)["status"] == "closed"
    assert busy.held() == "0.03"


def test_unpatched_client_sees_market_errors_as_plain_ones(trader: Trader) -> None:
    plain = trader.client(ccxt.binanceusdm)
    with refused(-2019) as caught:
        plain.create_order(BTC, "market", "buy", 100)
    assert type(caught.value) is ccxt.ExchangeError
    with refused(-2019, ccxt.InsufficientFunds):
        trader.client(TranslatingFutures).create_order(BTC, "market", "buy", 100)
