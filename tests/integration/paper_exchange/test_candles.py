"""Candles show what the prices were in each minute; by ccxt and by the official SDK."""

from __future__ import annotations

import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from local.paper_exchange.candles import MINUTE_MS, PriceHistory
from tests.integration.paper_exchange.exchange_process import ExchangeProcess
from tests.integration.paper_exchange.official_client import official_client, parsed
from tests.integration.paper_exchange.trader import BTC, Trader, refused

FIRST_MS = 1_900_000_020_000


@pytest.fixture
def moving() -> Iterator[ExchangeProcess]:
    """An exchange whose clock a test sets."""
    with ExchangeProcess.running() as exchange:
        yield exchange


@pytest.fixture
def trader(moving: ExchangeProcess) -> Trader:
    return Trader(moving, "candles", None).open_account()


def set_clock(exchange: ExchangeProcess, minute: int, *, second: int = 5) -> None:
    """Set the exchange's clock to a second of a minute, counted from the first one."""
    to_ms = FIRST_MS - FIRST_MS % MINUTE_MS + minute * MINUTE_MS + second * 1000
    exchange.set(clock_offset_ms=to_ms - time.time_ns() // 1_000_000)


def opened_ms(minute: int) -> int:
    return FIRST_MS - FIRST_MS % MINUTE_MS + minute * MINUTE_MS


@pytest.fixture
def moved(moving: ExchangeProcess) -> ExchangeProcess:
    """A market that moves in the first, second and fourth minute, its mark price apart from it in the second."""
    set_clock(moving, 0)
    for price in ("20100", "19900"):
        moving.move_price(price)
    set_clock(moving, 1)
    moving.move_price("20050", markPrice="20200")
    set_clock(moving, 3)
    moving.move_price("20400")
    return moving


def rows(answer: list[list[Any]]) -> list[list[float]]:
    return [[float(one) for one in row[:5]] for row in answer]


def test_each_minute_has_its_prices_and_one_without_a_move_is_flat(moved: ExchangeProcess, trader: Trader) -> None:
    found = trader.futures.fapiPublicGetKlines({"symbol": "BTCUSDT", "interval": "1m", "limit": 5})

    assert rows(found) == [
        [opened_ms(-1), 20000, 20000, 20000, 20000],
        [opened_ms(0), 20000, 20100, 19900, 19900],
        [opened_ms(1), 19900, 20050, 19900, 20050],
        [opened_ms(2), 20050, 20050, 20050, 20050],
        [opened_ms(3), 20050, 20400, 20050, 20400],
    ]
    assert [int(row[6]) for row in found] == [opened_ms(minute + 1) - 1 for minute in range(-1, 4)]


def test_mark_price_has_candles_of_its_own(moved: ExchangeProcess, trader: Trader) -> None:
    found = trader.futures.fapiPublicGetMarkPriceKlines({"symbol": "BTCUSDT", "interval": "1m", "limit": 3})

    assert [row[1:] for row in rows(found)] == [
        [19900, 20200, 19900, 20200],
        [20200, 20200, 20200, 20200],
        [20200, 20400, 20200, 20400],
    ]
    trader.futures.load_time_difference()
    trader.futures.load_markets()
    unified = trader.futures.fetch_ohlcv(BTC, "1m", limit=3, params={"price": "mark"})
    assert [row[:5] for row in unified] == rows(found)


def test_longer_candles_hold_the_shorter_ones(moved: ExchangeProcess, trader: Trader) -> None:
    found = trader.futures.fapiPublicGetKlines({"symbol": "BTCUSDT", "interval": "5m", "limit": 2})

    assert rows(found) == [
        [opened_ms(-2), 20000, 20100, 19900, 20050],
        [opened_ms(3), 20050, 20400, 20050, 20400],
    ]


def test_candles_from_a_time_on_are_the_first_ones_and_none_is_of_the_future(
    moved: ExchangeProcess, trader: Trader
) -> None:
    since = {"symbol": "BTCUSDT", "interval": "1m", "startTime": opened_ms(0)}

    assert [row[0] for row in rows(trader.futures.fapiPublicGetKlines({**since, "limit": 2}))] == [
        opened_ms(0),
        opened_ms(1),
    ]
    assert [row[0] for row in rows(trader.futures.fapiPublicGetKlines(since))][-1] == opened_ms(3)
    until = {**since, "endTime": opened_ms(1) + 5}
    assert [row[0] for row in rows(trader.futures.fapiPublicGetKlines(until))] == [opened_ms(0), opened_ms(1)]
    with refused(-1120):
        trader.futures.fapiPublicGetMarkPriceKlines({"symbol": "BTCUSDT", "interval": "7m"})


def test_official_client_reads_both(moved: ExchangeProcess, trader: Trader) -> None:
    client = official_client(trader)

    for candles in (client.kline_candlestick_data, client.mark_price_kline_candlestick_data):
        found = parsed(candles(symbol="BTCUSDT", interval="1m", limit=4))
        assert [int(row[0]) for row in found] == [opened_ms(minute) for minute in range(4)]


def test_candle_includes_the_last_moment_of_its_minute() -> None:
    history = PriceHistory()
    history.record(Decimal(1), Decimal(3), 90_000)
    history.record(Decimal(3), Decimal(2), 119_999)

    (candle,) = history.candles(oldest_ms=60_000, newest_ms=60_000, length_ms=60_000, price=Decimal(9))

    assert [candle.open, candle.high, candle.low, candle.close] == [Decimal(1), Decimal(3), Decimal(1), Decimal(2)]
