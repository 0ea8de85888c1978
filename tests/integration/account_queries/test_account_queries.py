"""The reads of the admin API through a key, except positions, against the paper exchange."""

from __future__ import annotations

import asyncio
import json
import random
import secrets
import urllib.request
import uuid
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import ccxt
import pytest

from local.paper_exchange.listing import CURRENT_QUARTER
from shared.clock import utc_now
from shared.errors import AddressBanned, ExchangeAuthorizationFailed, ExchangeError, NotFound
from shared.exchange import account_queries, lanes, markets
from shared.exchange.account_fills import AccountFill, FuturesFills
from shared.exchange.server_clock import server_clock
from shared.models.egress_lane import EgressLane
from shared.models.exchange_key import TradeType
from shared.secrets import SecretKind, seal
from shared.trading.symbols import venue_symbol
from shared.views.exchange_account_items import OrderQuery
from tests import builders
from tests.environment import environment
from tests.integration.paper_exchange.exchange_process import ExchangeProcess
from tests.integration.paper_exchange.trader import Trader

BTC = "BTC/USDT"


@pytest.fixture(scope="module")
def running() -> Iterator[ExchangeProcess]:
    with ExchangeProcess.running(limits_enabled=False) as exchange:
        yield exchange


@pytest.fixture
def exchange(running: ExchangeProcess, aws: object) -> Iterator[ExchangeProcess]:
    with environment(EXCHANGE_URL=running.url):
        yield running
    running.control("DELETE", "/paper/faults")
    running.set(clock_offset_ms=0)
    running.move_price("20000")


class Account:
    """An account, its stored key, and the owner's trader."""

    def __init__(self, exchange: ExchangeProcess, trade_type: TradeType = TradeType.FUTURES, **also: Any) -> None:
        self.trader = Trader(exchange, secrets.token_hex(32), None).open_account(**also)
        key_id = str(uuid.uuid4())
        self.key = builders.exchange_key(
            key_id,
            trade_type=trade_type,
            api_key=self.trader.api_key,
            secret_ciphertext=seal(self.trader.secret, kind=SecretKind.EXCHANGE_KEY, owner_id=key_id),
        )


def test_triggered_stop_is_one_order_with_its_fill(exchange: ExchangeProcess) -> None:
    account = Account(exchange)
    account.trader.market("buy", 0.5)
    stop = account.trader.stop("sell", 19_500)
    left = account.trader.conditional("TAKE_PROFIT_MARKET", "sell", 0.5, None, triggerPrice=25_000)
    # Times have whole milliseconds: what happens within one has no order across the two histories.
    exchange.set(clock_offset_ms=1000)
    exchange.move_price("19400")

    orders = account_queries.order_history(account.key, BTC)

    assert [(order["type"], order["side"], order["status"]) for order in orders] == [
        ("market", "sell", "closed"),
        ("take_profit_market", "sell", "open"),
        ("market", "buy", "closed"),
    ]
    hit, waiting, entry = orders
    assert (hit["clientOrderId"], hit["stopPrice"]) == (stop["clientOrderId"], 19500)
    assert (hit["filled"], hit["remaining"]) == (Decimal("0.5"), 0)
    assert waiting["id"] == left["id"]
    trades = account_queries.trade_history(account.key, BTC)
    assert [trade["order"] for trade in trades] == [hit["id"], entry["id"]]
    assert trades[1]["fee"] == {"cost": trades[1]["fees"][0]["cost"], "currency": "USDT"}
    assert trades[1]["price"] == 20000


def test_histories_of_a_spot_key(exchange: ExchangeProcess) -> None:
    account = Account(exchange, TradeType.SPOT)
    owner = account.trader.client(ccxt.binance)
    owner.create_order(BTC, "market", "buy", 0.1)
    owner.create_order(BTC, "limit", "sell", 0.05, 30_000)

    orders = account_queries.order_history(account.key, BTC)
    trades = account_queries.trade_history(account.key, BTC)

    assert [(order["symbol"], order["type"], order["side"]) for order in orders] == [
        (BTC, "limit", "sell"),
        (BTC, "market", "buy"),
    ]
    assert [(trade["symbol"], trade["order"]) for trade in trades] == [(BTC, orders[1]["id"])]


def test_symbol_that_does_not_trade_has_no_history(exchange: ExchangeProcess) -> None:
    account = Account(exchange)
    with pytest.raises(NotFound):
        account_queries.order_history(account.key, "XYZ/USDT")
    with pytest.raises(NotFound):
        account_queries.trade_history(account.key, "XYZ/USDT")


KINDS = {
    "BTC/USDT": "0.01",
    f"BTC/USDT-{CURRENT_QUARTER}": "0.02",
    "币安人生/USDT": "100",
    "TSLA/USDT": "10",
    "1000PEPE/USDT": "10000",
    "BTC/USDC": "0.03",
}
"""Symbols of every kind that the exchange lists, and an amount of each."""


@pytest.fixture
def full_listing(exchange: ExchangeProcess) -> Iterator[ExchangeProcess]:
    exchange.control("PUT", "/paper/listing", {"full": True})
    account_queries.forget_markets()
    markets.forget()
    yield exchange
    exchange.control("PUT", "/paper/listing", {"full": False})
    account_queries.forget_markets()
    markets.forget()


async def fills_of(symbol: str, client: Any) -> list[AccountFill]:
    """Return the fills of a symbol as the import of trades made by hand reads them."""
    return await FuturesFills(client).fills(venue_symbol(symbol), from_id=0, limit=10)


def test_every_symbol_that_is_shown_is_accepted(full_listing: ExchangeProcess) -> None:
    account = Account(full_listing, balances={"USDT": "10000", "USDC": "10000"})
    for symbol, amount in KINDS.items():
        account.trader.futures.fapiPrivatePostOrder(
            {"symbol": venue_symbol(symbol), "side": "BUY", "type": "MARKET", "quantity": amount}
        )

    shown = account_queries.positions(account.key, None)

    assert {position["symbol"]: position["contracts"] for position in shown} == {
        symbol: Decimal(amount) for symbol, amount in KINDS.items()
    }
    for symbol, amount in KINDS.items():
        assert OrderQuery.model_validate({"symbol": symbol}).symbol == symbol
        (position,) = account_queries.positions(account.key, symbol)
        (order,) = account_queries.order_history(account.key, symbol)
        (trade,) = account_queries.trade_history(account.key, symbol)
        (imported,) = asyncio.run(account_queries.read_through(account.key, partial(fills_of, symbol)))
        assert [position["symbol"], order["symbol"], trade["symbol"], imported.symbol] == [symbol] * 4
        assert trade["amount"] == Decimal(amount)
        assert account_queries.open_orders(account.key, symbol) == []
        account_queries.verify_key(
            exchange_id="BINANCE", api_key=account.key.api_key, secret=account.trader.secret, symbol=symbol
        )
        assert account_queries.market_price(exchange_id="BINANCE", symbol=symbol) == trade["price"]


@pytest.mark.parametrize("trade_type", TradeType)
def test_every_symbol_that_the_exchange_lists_is_one_of_ours(
    full_listing: ExchangeProcess, trade_type: TradeType
) -> None:
    account = Account(full_listing, trade_type)
    path = "/fapi/v1/exchangeInfo" if trade_type is TradeType.FUTURES else "/api/v3/exchangeInfo"
    with urllib.request.urlopen(f"{full_listing.url}{path}", timeout=10) as answer:  # noqa: S310 - 127.0.0.1
        listed = [market["symbol"] for market in json.load(answer)["symbols"]]

    names = account_queries.prices(trade_type)

    assert len(names) == len(listed)
    assert {venue_symbol(name) for name in names} == set(listed)
    for name in random.sample(sorted(names), 12):
        assert OrderQuery.model_validate({"symbol": name}).symbol == name
        assert account_queries.open_orders(account.key, name) == []


@pytest.mark.parametrize(
    "symbol", ["BTCU/SDT", "BTC/USDT-", f"BTC/USDT_{CURRENT_QUARTER}", "BTC/USDT-990101", "币安/USDT"]
)
def test_symbol_that_only_resembles_a_listed_one_is_unknown(full_listing: ExchangeProcess, symbol: str) -> None:
    account = Account(full_listing)
    with pytest.raises(NotFound):
        account_queries.open_orders(account.key, symbol)
    with pytest.raises(NotFound):
        account_queries.verify_key(
            exchange_id="BINANCE", api_key=account.key.api_key, secret=account.trader.secret, symbol=symbol
        )


def test_balance_shows_what_is_free_and_what_is_used(exchange: ExchangeProcess) -> None:
    account = Account(exchange)
    assert account_queries.balance(account.key) == {"USDT": {"free": 10000, "used": 0, "total": 10000}}
    account.trader.market("buy", 0.5)
    usdt = account_queries.balance(account.key)["USDT"]
    assert usdt["used"] > 0
    assert usdt["free"] + usdt["used"] == usdt["total"]


def test_spot_balance_names_assets_of_zero(exchange: ExchangeProcess) -> None:
    account = Account(exchange, TradeType.SPOT, spotBalances={"BNB": "0", "BTC": "0.25", "USDT": "2637.5428719"})
    assert account_queries.balance(account.key) == {
        "BNB": {"free": 0, "used": 0, "total": 0},
        "BTC": {"free": Decimal("0.25"), "used": 0, "total": Decimal("0.25")},
        "USDT": {"free": Decimal("2637.5428719"), "used": 0, "total": Decimal("2637.5428719")},
    }


def test_keys_are_read_concurrently(exchange: ExchangeProcess) -> None:
    accounts = [Account(exchange, balance=str(1000 + number)) for number in range(5)]
    refused = Account(exchange, TradeType.SPOT)
    exchange.control("DELETE", f"/paper/accounts/{refused.trader.api_key}")

    found = account_queries.balances([*(one.key for one in accounts), refused.key])

    assert [one if isinstance(one, ExchangeError) else one["USDT"]["total"] for one in found[:5]] == [
        1000,
        1001,
        1002,
        1003,
        1004,
    ]
    assert isinstance(found[5], ExchangeAuthorizationFailed)


@pytest.mark.parametrize("trade_type", TradeType)
def test_prices_are_the_markets(exchange: ExchangeProcess, trade_type: TradeType) -> None:
    prices = account_queries.prices(trade_type)
    assert prices[BTC] == 20000
    assert all(isinstance(price, Decimal) for price in prices.values())


def test_unreachable_exchange_raises_our_error(exchange: ExchangeProcess) -> None:
    account = Account(exchange)
    exchange.plan_fault("http", "/fapi/v3/account", "GET", status=503, msg="Service Unavailable.")
    with pytest.raises(ExchangeError):
        account_queries.balance(account.key)
    exchange.plan_fault("http", "/fapi/v2/ticker/price", "GET", status=503, msg="Service Unavailable.")
    with pytest.raises(ExchangeError):
        account_queries.prices(TradeType.FUTURES)


def test_no_request_is_sent_while_the_lane_is_banned(exchange: ExchangeProcess) -> None:
    account = Account(exchange)
    lane = EgressLane(lane=account.key.egress_lane, banned_until=utc_now() + timedelta(minutes=1))
    lane.save()
    lanes.forget()
    before = exchange.control("GET", f"/paper/accounts/{account.key.api_key}")["requests"]
    try:
        with pytest.raises(AddressBanned):
            account_queries.balance(account.key)
    finally:
        lane.delete()
        lanes.forget()
    assert exchange.control("GET", f"/paper/accounts/{account.key.api_key}")["requests"] == before


def test_refused_timestamp_is_retried(exchange: ExchangeProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    account = Account(exchange)
    monkeypatch.setattr(server_clock, "offset_ms", -60_000)

    assert account_queries.balance(account.key)["USDT"]["total"] > 0
    assert abs(server_clock.offset_ms) < 1_000
