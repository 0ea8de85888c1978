"""Injected faults: what the client sees, and what the exchange did."""

from __future__ import annotations

import time
from collections.abc import Callable

import ccxt
import pytest

from tests.integration.paper_exchange.exchange_process import ControlRefusedError
from tests.integration.paper_exchange.trader import BTC, Trader

DEADLINE_S = 5.0


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for the condition, at most until the deadline."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, "the condition never came true"
        time.sleep(0.02)


def test_connection_dropped_before_the_order_is_placed(trader: Trader) -> None:
    trader.exchange.plan_fault("drop_before")
    with pytest.raises(ccxt.NetworkError):
        trader.market("buy", 0.1, newClientOrderId="lost")
    assert trader.snapshot()["orders"] == []
    assert trader.snapshot()["requests"]["POST /fapi/v1/order"] == 1
    assert trader.market("buy", 0.1)["status"] == "closed"


def test_connection_dropped_after_the_order_is_placed(trader: Trader) -> None:
    trader.exchange.plan_fault("drop_after")
    with pytest.raises(ccxt.NetworkError):
        trader.market("buy", 0.1, newClientOrderId="kept")
    found = trader.futures.fetch_order(None, BTC, {"origClientOrderId": "kept"})
    assert (found["status"], trader.held()) == ("closed", "0.1")


def test_hanging_answer_is_done_at_once(trader: Trader) -> None:
    trader.exchange.plan_fault("hang", delayMs=2_000)
    trader.futures.timeout = 300
    with pytest.raises(ccxt.RequestTimeout):
        trader.market("buy", 0.1)
    assert trader.held() == "0.1"


def test_hanging_answer_comes_at_last(trader: Trader) -> None:
    trader.exchange.plan_fault("hang", delayMs=300)
    started = time.monotonic()
    assert trader.market("buy", 0.1)["status"] == "closed"
    assert time.monotonic() - started >= 0.3


def test_late_order_is_done_only_after_the_delay(trader: Trader) -> None:
    trader.exchange.plan_fault("late", delayMs=700)
    trader.futures.timeout = 200
    with pytest.raises(ccxt.RequestTimeout):
        trader.market("buy", 0.1, newClientOrderId="late")
    trader.futures.timeout = 5_000
    with pytest.raises(ccxt.OrderNotFound):
        trader.futures.fetch_order(None, BTC, {"origClientOrderId": "late"})
    wait_until(lambda: trader.held() == "0.1")
    assert trader.futures.fetch_order(None, BTC, {"origClientOrderId": "late"})["filled"] == 0.1


def test_late_order_outlives_its_receive_window_unless_switched(trader: Trader) -> None:
    trader.exchange.plan_fault("late", delayMs=300)
    assert trader.market("buy", 0.1, recvWindow=100)["status"] == "closed"
    trader.exchange.set(refuse_late_past_recv_window=True)
    trader.exchange.plan_fault("late", delayMs=300)
    with pytest.raises(ccxt.InvalidNonce, match="-1021"):
        trader.market("buy", 0.1, recvWindow=100)
    assert trader.held() == "0.1"


def test_http_fault_answers_its_status_and_does_nothing(trader: Trader) -> None:
    trader.exchange.plan_fault("http", status=503, msg="Service Unavailable")
    with pytest.raises(ccxt.ExchangeNotAvailable, match="503 Service Unavailable Service Unavailable"):
        trader.market("buy", 0.1)
    trader.exchange.plan_fault("http", status=429, msg="slow down")
    with pytest.raises(ccxt.DDoSProtection, match="slow down"):
        trader.market("buy", 0.1)
    assert trader.snapshot()["orders"] == []


def test_code_fault_answers_the_code_and_does_nothing(trader: Trader) -> None:
    trader.market("buy", 0.1)
    trader.exchange.plan_fault("code", path="/fapi/v1/algoOrder", code=-2021, times=2)
    for _ in range(2):
        with pytest.raises(ccxt.OrderImmediatelyFillable, match="Order would immediately trigger"):
            trader.stop("sell", 19_500)
    assert trader.stop("sell", 19_500)["status"] == "open"


@pytest.mark.parametrize(
    ("code", "status", "error"),
    [
        (-1007, 408, ccxt.RequestTimeout),
        (-1008, 503, ccxt.OperationFailed),
        (-2015, 401, ccxt.AuthenticationError),
        (-1021, 400, ccxt.InvalidNonce),
    ],
)
def test_code_fault_comes_with_the_status_of_its_code(
    trader: Trader, code: int, status: int, error: type[Exception]
) -> None:
    trader.exchange.plan_fault("code", code=code)
    assert trader.exchange.control("GET", "/paper/faults")[0]["status"] == status
    with pytest.raises(error, match=str(code)):
        trader.market("buy", 0.1)


def test_code_fault_takes_its_own_status_and_message(trader: Trader) -> None:
    trader.exchange.plan_fault("code", code=-1000, status=503, msg="Unknown error, please check your request.")
    with pytest.raises(ccxt.BaseError, match="Unknown error, please check your request"):
        trader.market("buy", 0.1)
    assert trader.held() == "0"


@pytest.mark.parametrize("delay_ms", [0, 300])
def test_refused_order_may_be_done_all_the_same(trader: Trader, delay_ms: int) -> None:
    trader.exchange.plan_fault("http", status=503, msg="Unknown error", doneAfterMs=delay_ms)
    with pytest.raises(ccxt.ExchangeNotAvailable):
        trader.market("buy", 0.1, newClientOrderId="done")
    wait_until(lambda: trader.held() == "0.1")
    assert trader.futures.fetch_order(None, BTC, {"origClientOrderId": "done"})["status"] == "closed"


def test_truncated_answer_is_done(trader: Trader) -> None:
    trader.exchange.plan_fault("truncate")
    with pytest.raises(ccxt.BaseError):
        trader.market("buy", 0.1)
    assert trader.held() == "0.1"
    assert trader.futures.fetch_balance()["USDT"]["total"] > 0


def test_partial_market_order_ends_with_a_part(trader: Trader) -> None:
    trader.exchange.plan_fault("partial")
    order = trader.market("buy", 0.101)
    assert (order["status"], order["filled"], order["amount"]) == ("expired", 0.05, 0.101)
    assert trader.held() == "0.05"
    assert trader.market("buy", 0.1)["filled"] == 0.1


def test_partial_limit_order_stays_open_for_the_rest(trader: Trader) -> None:
    trader.exchange.plan_fault("partial", times=2)
    resting = trader.limit("buy", 0.1, 19_500)
    assert (resting["status"], resting["filled"], resting["average"]) == ("open", 0.05, 19_500)
    crossing = trader.limit("buy", 0.1, 20_500)
    assert (crossing["status"], crossing["filled"], crossing["average"]) == ("open", 0.05, 20_000)
    assert len(trader.open_regular()) == 2


def test_partial_stop_leaves_a_part_of_the_position(trader: Trader) -> None:
    trader.market("buy", 0.1)
    trader.exchange.plan_fault("partial", path="/fapi/v1/algoOrder")
    stop = trader.stop("sell", 19_500)
    trader.exchange.move_price("19000")
    assert trader.held() == "0.05"
    assert trader.algo(stop["id"])["status"] == "closed"


def test_answer_without_average_leaves_it_to_the_lookup(trader: Trader) -> None:
    trader.exchange.plan_fault("no_average")
    order = trader.market("buy", 0.1)
    # The exchange sends 0 for "none", which ccxt passes on.
    assert (order["status"], order["filled"], order["average"]) == ("closed", 0.1, 0)
    assert trader.futures.fetch_order(order["id"], BTC)["average"] == 20_000


def test_fault_hits_only_its_method_path_and_key(new_trader: Callable[..., Trader]) -> None:
    struck, spared = new_trader(), new_trader()
    struck.exchange.plan_fault("code", code=-1001, apiKey=struck.api_key, status=500)
    assert spared.market("buy", 0.1)["status"] == "closed"
    assert struck.futures.fetch_balance()["USDT"]["total"] == 10_000
    with pytest.raises(ccxt.BaseError, match="-1001"):
        struck.market("buy", 0.1)
    assert struck.market("buy", 0.1)["status"] == "closed"


def test_fault_hits_only_requests_with_its_parameters(trader: Trader) -> None:
    trader.exchange.plan_fault("code", code=-1008, parameters={"side": "SELL", "reduceOnly": "true"})

    trader.market("buy", 0.2)
    trader.market("sell", 0.1)
    with pytest.raises(ccxt.OperationFailed, match="-1008"):
        trader.market("sell", 0.1, reduceOnly=True)

    assert trader.held() == "0.1"


def test_faults_are_used_in_the_order_they_were_planned(trader: Trader) -> None:
    trader.exchange.plan_fault("code", code=-1001, status=500)
    trader.exchange.plan_fault("code", code=-1006, status=500)
    for code in ("-1001", "-1006"):
        with pytest.raises(ccxt.BaseError, match=code):
            trader.market("buy", 0.1)


def test_cleared_faults_have_no_effect(trader: Trader) -> None:
    trader.exchange.plan_fault("drop_before", times=100)
    trader.exchange.control("DELETE", "/paper/faults")
    assert trader.market("buy", 0.1)["status"] == "closed"


@pytest.mark.parametrize(
    "wrong", [{"kind": "explode"}, {"times": 0}, {"path": "no-slash"}, {"status": "many"}, {"delayMs": None}]
)
def test_malformed_fault_is_refused(trader: Trader, wrong: dict[str, object]) -> None:
    with pytest.raises(ControlRefusedError, match=r"^400 "):
        trader.exchange.control("POST", "/paper/faults", {"kind": "hang", "method": "GET", "path": "/x", **wrong})


def test_fault_applies_to_a_batch_as_well(trader: Trader) -> None:
    trader.market("buy", 0.1)
    trader.exchange.plan_fault("drop_after", path="/fapi/v1/batchOrders")
    legs = [
        {
            "symbol": BTC,
            "type": "limit",
            "side": "sell",
            "amount": 0.05,
            "price": price,
            "params": {"reduceOnly": True},
        }
        for price in (20_500, 20_600)
    ]
    with pytest.raises(ccxt.NetworkError):
        trader.futures.create_orders(legs)
    assert len(trader.open_regular()) == 2
