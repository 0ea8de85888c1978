"""One exchange for all tests of the folder; every test has its own accounts and the default settings."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import ccxt
import pytest

from local.paper_exchange.symbols import SYMBOLS
from tests.integration.paper_exchange.exchange_process import ExchangeProcess
from tests.integration.paper_exchange.trader import Trader, redirect


@pytest.fixture(scope="session")
def running_exchange() -> Iterator[ExchangeProcess]:
    exchange = ExchangeProcess().start()
    yield exchange
    assert exchange.stop() == 0
    assert exchange.last_stderr == ""


@pytest.fixture(scope="session")
def first_settings(running_exchange: ExchangeProcess) -> dict[str, Any]:
    settings: dict[str, Any] = running_exchange.control("GET", "/paper/settings")
    return settings


@pytest.fixture(scope="session")
def loaded_markets(running_exchange: ExchangeProcess) -> Any:
    client = redirect(ccxt.binanceusdm({"enableRateLimit": False}), running_exchange.url)
    client.load_markets()
    return client


@pytest.fixture
def exchange(running_exchange: ExchangeProcess, first_settings: dict[str, Any]) -> Iterator[ExchangeProcess]:
    """The exchange at its start prices, without faults, latency or changed settings."""
    running_exchange.control("DELETE", "/paper/limits")
    yield running_exchange
    running_exchange.control("DELETE", "/paper/faults")
    running_exchange.control("DELETE", "/paper/books")
    running_exchange.control("DELETE", "/paper/restrictions")
    running_exchange.control("DELETE", "/paper/funding")
    running_exchange.control("PUT", "/paper/listing", {"full": False})
    running_exchange.control("PUT", "/paper/latency", {"ms": 0})
    running_exchange.control("POST", "/paper/settings", first_settings)
    # After its clock is back: a dated contract is delivered again and again once its time has come.
    running_exchange.control("DELETE", "/paper/symbols")
    for account in running_exchange.control("GET", "/paper/accounts"):
        running_exchange.control("DELETE", f"/paper/accounts/{account['apiKey']}")
    for symbol, quote in running_exchange.control("GET", "/paper/prices").items():
        start = SYMBOLS[symbol].start_price
        if quote["price"] != f"{start:f}" or quote["markPrice"] != f"{start:f}":
            running_exchange.move_price(str(start), symbol)


@pytest.fixture
def new_trader(exchange: ExchangeProcess, loaded_markets: Any) -> Callable[..., Trader]:
    numbers = itertools.count(1)

    def open_one(balance: str = "10000", **also: Any) -> Trader:
        return Trader(exchange, f"key-{next(numbers)}", loaded_markets).open_account(balance, **also)

    return open_one


@pytest.fixture
def trader(new_trader: Callable[..., Trader]) -> Trader:
    return new_trader()
