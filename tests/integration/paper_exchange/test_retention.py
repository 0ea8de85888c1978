"""How far back the exchange's histories reach: what is older is left out, without an error."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.integration.paper_exchange.exchange_process import ExchangeProcess
from tests.integration.paper_exchange.trader import BTC, Trader, refused

DAY_MS = 24 * 3600 * 1000


@pytest.fixture
def after_days(exchange: ExchangeProcess, trader: Trader) -> Iterator[Callable[[float], None]]:
    """Set the exchange's clock so many days ahead."""

    def advance(days: float) -> None:
        exchange.set(clock_offset_ms=int(days * DAY_MS))
        trader.futures.load_time_difference()

    yield advance
    exchange.set(clock_offset_ms=0)


def in_week(trader: Trader, *, days_ago: float) -> dict[str, Any]:
    start_ms = int(trader.futures.nonce() - days_ago * DAY_MS)
    return {"symbol": "BTCUSDT", "startTime": start_ms, "endTime": start_ms + 7 * DAY_MS}


@pytest.mark.parametrize(("days", "rows"), [(89, 1), (91, 0)])
def test_fills_are_listed_for_three_months(
    trader: Trader, after_days: Callable[[float], None], days: int, rows: int
) -> None:
    order = trader.market("buy", 0.1)
    fill = trader.snapshot()["trades"][0]
    after_days(days)
    span = in_week(trader, days_ago=days + 1)
    assert len(trader.futures.fapiPrivateGetUserTrades(span)) == rows
    for by_id in ({"fromId": fill["id"]}, {"orderId": order["id"], **span}):
        assert len(trader.futures.fapiPrivateGetUserTrades({"symbol": "BTCUSDT", **by_id})) == rows


@pytest.mark.parametrize(("days", "rows"), [(89, 1), (91, 0)])
def test_incomes_are_listed_for_three_months(
    trader: Trader, after_days: Callable[[float], None], days: int, rows: int
) -> None:
    trader.market("buy", 0.1)
    after_days(days)
    since = {"startTime": trader.futures.nonce() - (days + 1) * DAY_MS}
    assert len(trader.futures.fapiPrivateGetIncome({"incomeType": "COMMISSION", **since})) == rows
    assert trader.futures.fapiPrivateGetIncome({"incomeType": "COMMISSION"}) == []  # without times: seven days


@pytest.mark.parametrize(("days", "found"), [(89, True), (91, False)])
def test_filled_orders_are_found_for_ninety_days(
    trader: Trader, after_days: Callable[[float], None], days: int, found: bool
) -> None:
    order_id = trader.market("buy", 0.1)["id"]
    after_days(days)
    assert bool(trader.futures.fapiPrivateGetAllOrders(in_week(trader, days_ago=days + 1))) is found
    if found:
        assert trader.futures.fapiPrivateGetOrder({"symbol": "BTCUSDT", "orderId": order_id})
        return
    with refused(-2013):
        trader.futures.fapiPrivateGetOrder({"symbol": "BTCUSDT", "orderId": order_id})


def test_cancelled_order_without_a_fill_is_found_for_three_days(
    trader: Trader, after_days: Callable[[float], None]
) -> None:
    order_id = trader.limit("buy", 0.1, 19_000)["id"]
    trader.futures.cancel_order(order_id, BTC)
    after_days(2.9)
    assert trader.futures.fapiPrivateGetOrder({"symbol": "BTCUSDT", "orderId": order_id})["status"] == "CANCELED"
    after_days(3.1)
    with refused(-2013):
        trader.futures.fapiPrivateGetOrder({"symbol": "BTCUSDT", "orderId": order_id})


def test_standing_stop_of_more_than_ninety_days_is_in_the_list_of_open_orders_alone(
    trader: Trader, after_days: Callable[[float], None]
) -> None:
    trader.market("buy", 0.1)
    stop = trader.stop("sell", 19_000)
    after_days(91)
    (open_stop,) = trader.futures.fapiPrivateGetOpenAlgoOrders({"symbol": "BTCUSDT"})
    assert str(open_stop["algoId"]) == stop["id"]
    with refused(-2013):
        trader.futures.fapiPrivateGetAlgoOrder({"algoId": stop["id"]})
