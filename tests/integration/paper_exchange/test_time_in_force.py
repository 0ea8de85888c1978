"""How long orders live: what each time in force fills, leaves or refuses, and orders that end at a date."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.integration.paper_exchange.trader import BTC, Trader, refused

MINUTE_MS = 60_000


def now_ms() -> int:
    return int(time.time() * 1000)


def place(trader: Trader, **changed: Any) -> Any:
    request = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "quantity": "0.01", "price": "20000", **changed}
    request = {name: value for name, value in request.items() if value is not None}
    return trader.futures.fapiPrivatePostOrder({**request, "newOrderRespType": "RESULT"})


@pytest.mark.parametrize(
    ("time_in_force", "price", "status"),
    [
        ("GTC", "20000", "FILLED"),
        ("GTC", "19999", "NEW"),
        ("IOC", "20000", "FILLED"),
        ("IOC", "19999", "EXPIRED"),
        ("FOK", "20000", "FILLED"),
        ("GTX", "19999", "NEW"),
    ],
)
def test_time_in_force_decides_what_becomes_of_an_order(
    trader: Trader, time_in_force: str, price: str, status: str
) -> None:
    answer = place(trader, timeInForce=time_in_force, price=price)
    assert (answer["status"], answer["timeInForce"]) == (status, time_in_force)
    assert len(trader.open_regular()) == (status == "NEW")


def test_unfilled_rest_of_an_ioc_order_expires(trader: Trader) -> None:
    trader.exchange.plan_fault("partial")
    answer = place(trader, timeInForce="IOC", quantity="0.1")
    assert (answer["status"], answer["executedQty"]) == ("EXPIRED", "0.050")
    assert trader.held() == "0.05"


def test_market_order_takes_no_time_in_force(trader: Trader) -> None:
    with refused(-1106):
        place(trader, type="MARKET", price=None, timeInForce="IOC")


@pytest.mark.parametrize(
    ("good_till_ms", "code"),
    [
        (None, -1102),
        (lambda: now_ms() + 10 * MINUTE_MS - 2_000, -5040),
        (lambda: 253_402_300_799_000, -5040),
        (lambda: "tomorrow", -1100),
    ],
)
def test_date_of_an_order_is_checked(trader: Trader, good_till_ms: Any, code: int) -> None:
    date = None if good_till_ms is None else good_till_ms()
    with refused(code):
        place(trader, timeInForce="GTD", price="19500", goodTillDate=date)
    assert trader.snapshot()["orders"] == []


def test_order_ends_at_its_date(trader: Trader) -> None:
    date = now_ms() + 11 * MINUTE_MS
    answer = place(trader, timeInForce="GTD", price="19500", goodTillDate=date)
    assert int(answer["goodTillDate"]) == date // 1000 * 1000
    trader.exchange.set(clock_offset_ms=10 * MINUTE_MS)
    assert [order["status"] for order in trader.snapshot()["openOrders"]] == ["NEW"]
    trader.exchange.set(clock_offset_ms=12 * MINUTE_MS)
    assert [order["status"] for order in trader.snapshot()["orders"]] == ["EXPIRED"]
    trader.exchange.set(clock_offset_ms=0)
    trader.exchange.move_price("19000")
    assert trader.held() == "0"


def test_order_with_a_date_fills_before_it(trader: Trader) -> None:
    place(trader, timeInForce="GTD", price="19500", goodTillDate=now_ms() + 11 * MINUTE_MS)
    trader.exchange.move_price("19500")
    trader.exchange.set(clock_offset_ms=12 * MINUTE_MS)
    assert [order["status"] for order in trader.snapshot()["orders"]] == ["FILLED"]


def test_mark_price_moves_alone_and_triggers_what_watches_it(trader: Trader) -> None:
    trader.market("buy", 0.1)
    by_mark = trader.stop("sell", 19_500, 0.05, reduceOnly=True, workingType="MARK_PRICE")
    by_last = trader.stop("sell", 19_500, 0.05, reduceOnly=True, workingType="CONTRACT_PRICE")
    trader.exchange.control("PUT", "/paper/prices/BTCUSDT", {"markPrice": "19400"})
    assert [order["id"] for order in trader.open_algos()] == [by_last["id"]]
    assert trader.algo(by_mark["id"])["info"]["actualPrice"] == "20000.00000"
    assert trader.futures.fapiPublicGetPremiumIndex({"symbol": "BTCUSDT"})["markPrice"] == "19400.00000000"
    assert trader.futures.fapiPublicGetTickerPrice({"symbol": "BTCUSDT"})["price"] == "20000.00"
    [position] = trader.futures.fapiPrivateV3GetPositionRisk({"symbol": "BTCUSDT"})
    assert (position["markPrice"], position["unRealizedProfit"]) == ("19400.00000000", "-30.00000000")
    assert trader.futures.fetch_order(None, BTC, {"trigger": True, "algoId": by_last["id"]})["status"] == "open"
