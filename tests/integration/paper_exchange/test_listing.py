"""What is listed: the full listing, changes of filters and status on command, delisting, exchangeInfo that fails."""

from __future__ import annotations

import itertools
import json
import time
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Any

import ccxt
import pytest

from local.paper_exchange import settlement
from local.paper_exchange.account_responses import account_v3_json
from local.paper_exchange.accounts import Account
from local.paper_exchange.listing import CURRENT_QUARTER, EVERY_SYMBOL, LISTED, NEXT_QUARTER, quarters_from
from local.paper_exchange.position_responses import account_v2_rows, position_risk_v2_rows, position_sides
from local.paper_exchange.venue import Quote, Venue
from tests.integration.paper_exchange.exchange_process import ControlRefusedError, ExchangeProcess
from tests.integration.paper_exchange.official_client import official_client, parsed
from tests.integration.paper_exchange.trader import BTC, Trader, redirect, refused

DATED = f"BTCUSDT_{CURRENT_QUARTER}"


@pytest.fixture
def full(exchange: ExchangeProcess) -> ExchangeProcess:
    assert exchange.control("PUT", "/paper/listing", {"full": True}) == {"full": True, "symbols": LISTED}
    return exchange


def change(exchange: ExchangeProcess, symbol: str = "BTCUSDT", **what: str) -> Any:
    return exchange.control("PUT", f"/paper/symbols/{symbol}", what)


def place(trader: Trader, **changed: Any) -> Any:
    request = {
        "symbol": "BTCUSDT",
        "side": "BUY",
        "type": "LIMIT",
        "timeInForce": "GTC",
        "quantity": "0.01",
        "price": "19800.1",
        **changed,
    }
    return trader.futures.fapiPrivatePostOrder({name: value for name, value in request.items() if value is not None})


def listed(trader: Trader, name: str) -> Any:
    rows = trader.futures.fapiPublicGetExchangeInfo()["symbols"]
    return next(row for row in rows if row["symbol"] == name)


def test_full_listing_has_the_size_and_the_kinds_of_the_real_one(full: ExchangeProcess, trader: Trader) -> None:
    with urllib.request.urlopen(f"{full.url}/fapi/v1/exchangeInfo", timeout=10) as answer:  # noqa: S310 - 127.0.0.1
        body = answer.read()
    rows = json.loads(body)["symbols"]
    assert len(rows) == LISTED
    assert len(body) > 700_000
    kinds = {row["contractType"] for row in rows}
    assert kinds == {"PERPETUAL", "TRADIFI_PERPETUAL", "CURRENT_QUARTER", "NEXT_QUARTER"}
    assert {row["symbol"] for row in rows} > {DATED, f"ETHUSDT_{NEXT_QUARTER}", "币安人生USDT", "TSLAUSDT"}
    account = trader.futures.fapiPrivateV2GetAccount()
    assert len(account["positions"]) == LISTED


@pytest.mark.parametrize("hedged", [False, True])
@pytest.mark.parametrize("rows_of", [account_v2_rows, partial(position_risk_v2_rows, symbol=None)])
def test_row_that_is_kept_for_an_untouched_symbol_is_the_row_of_a_flat_one(rows_of: Any, hedged: bool) -> None:
    venue = Venue()
    venue.list_symbols(full=True)
    venue.quotes["币安人生USDT"].mark = Decimal("0.2")
    account = Account("key", "secret", 0, is_hedge_mode=hedged, isolated_symbols={"ETHUSDT"}, leverages={"BTCUSDT": 7})
    untouched = rows_of(venue, account)
    for name in venue.listed():
        for side in position_sides(account):
            account.position(name, side)
    assert rows_of(venue, account) == untouched
    assert len(untouched) == LISTED * (2 if hedged else 1)


def test_both_clients_read_the_full_listing(full: ExchangeProcess, trader: Trader) -> None:
    info = parsed(official_client(trader).exchange_information())
    assert len(info.symbols) == LISTED
    client = redirect(ccxt.binanceusdm({"enableRateLimit": False}), full.url)
    client.load_markets()
    assert len(client.markets) == LISTED
    dated = client.market(f"BTC/USDT:USDT-{CURRENT_QUARTER}")
    assert (dated["id"], dated["future"], dated["expiryDatetime"]) == (
        DATED,
        True,
        f"20{CURRENT_QUARTER[:2]}-{CURRENT_QUARTER[2:4]}-{CURRENT_QUARTER[4:]}T08:00:00.000Z",
    )


@pytest.mark.parametrize("name", [DATED, "币安人生USDT", "TSLAUSDT"])
def test_every_kind_of_symbol_trades(full: ExchangeProcess, trader: Trader, name: str) -> None:
    quantity = "0.01" if name == DATED else "100"
    place(trader, symbol=name, type="MARKET", quantity=quantity, price=None, timeInForce=None)
    assert [(row["symbol"], row["amount"]) for row in trader.snapshot()["positions"]] == [(name, quantity)]
    [position] = trader.futures.fapiPrivateV3GetPositionRisk({"symbol": name})
    assert position["symbol"] == name
    [trade] = trader.futures.fapiPrivateGetUserTrades({"symbol": name})
    assert trade["symbol"] == name
    full.move_price(str(EVERY_SYMBOL[name].start_price * 2), name)
    shown = Decimal(full.control("GET", "/paper/prices")[name]["price"])
    assert shown == EVERY_SYMBOL[name].start_price * 2


def test_symbols_of_the_full_listing_are_unknown_without_it(exchange: ExchangeProcess, trader: Trader) -> None:
    with refused(-1121):
        place(trader, symbol="TSLAUSDT")
    with pytest.raises(ControlRefusedError, match=r"^404 "):
        exchange.move_price("250", "TSLAUSDT")


@pytest.mark.usefixtures("full")
def test_traditional_assets_need_a_signed_agreement(trader: Trader) -> None:
    trader.change(tradfiSigned=False)
    with refused(-4411):
        place(trader, symbol="TSLAUSDT", quantity="10", price="240")
    place(trader)
    trader.change(tradfiSigned=True)
    place(trader, symbol="TSLAUSDT", quantity="10", price="240")


def test_tick_changes_and_standing_orders_keep_the_old_one(exchange: ExchangeProcess, trader: Trader) -> None:
    trader.market("buy", 0.1)
    standing = place(trader)
    stop = trader.stop("sell", 19_800.1)
    assert change(exchange, tickSize="0.5")["tickSize"] == "0.5"
    with refused(-4014):
        place(trader)
    with refused(-4014):
        trader.stop("sell", 19_700.1, 0.1, reduceOnly=True)
    place(trader, price="19800.5")
    assert trader.futures.fetch_order(standing["orderId"], BTC)["price"] == 19_800.1
    assert [order["triggerPrice"] for order in trader.open_algos()] == [19_800.1]
    sizes = {row["filterType"]: row for row in listed(trader, "BTCUSDT")["filters"]}
    assert sizes["PRICE_FILTER"]["tickSize"] == "0.5"
    exchange.move_price("19800.1")
    assert trader.algo(stop["id"])["info"]["algoStatus"] == "FINISHED"
    exchange.control("DELETE", "/paper/symbols")
    exchange.move_price("20000")
    place(trader)


def test_step_and_minimum_notional_change(exchange: ExchangeProcess, trader: Trader) -> None:
    change(exchange, stepSize="0.01", minNotional="300")
    with refused(-4004):
        place(trader, quantity="0.005", price="20000")
    with refused(-4023):
        place(trader, quantity="0.015", price="20000")
    with refused(-4164):
        place(trader, quantity="0.01")
    place(trader, quantity="0.02")
    sizes = {row["filterType"]: row for row in listed(trader, "BTCUSDT")["filters"]}
    assert (sizes["LOT_SIZE"]["stepSize"], sizes["MARKET_LOT_SIZE"]["stepSize"]) == ("0.01", "0.01")
    assert sizes["MIN_NOTIONAL"]["notional"] == "300"


@pytest.mark.parametrize(
    "what", [{"tickSize": "0.001"}, {"stepSize": "0"}, {"status": "GONE"}, {"tick": "1"}, {"minNotional": "much"}]
)
def test_unfit_change_is_refused(exchange: ExchangeProcess, what: dict[str, str]) -> None:
    with pytest.raises(ControlRefusedError, match=r"^400 "):
        change(exchange, **what)


@pytest.mark.parametrize("status", ["PENDING_TRADING", "SETTLING", "CLOSE"])
def test_symbol_that_does_not_trade_takes_no_order(exchange: ExchangeProcess, trader: Trader, status: str) -> None:
    trader.market("buy", 0.1)
    change(exchange, status=status)
    assert listed(trader, "BTCUSDT")["status"] == status
    with refused(-4108):
        place(trader)
    with refused(-4108):
        trader.market("sell", 0.1)
    with refused(-4108):
        trader.stop("sell", 19_500)


def test_symbol_before_its_settlement_takes_what_reduces(exchange: ExchangeProcess, trader: Trader) -> None:
    trader.market("buy", 0.1)
    change(exchange, status="PRE_SETTLE")
    with refused(-4140):
        place(trader)
    trader.stop("sell", 19_500)
    trader.market("sell", 0.1, reduceOnly=True)
    assert trader.held() == "0"


def test_delisting_closes_positions_by_orders_of_the_exchange(
    exchange: ExchangeProcess, new_trader: Callable[..., Trader]
) -> None:
    long, short, idle = new_trader(), new_trader(), new_trader()
    long.market("buy", 0.1)
    long.stop("sell", 19_500)
    long.limit("sell", 0.1, 20_500, reduceOnly=True)
    short.market("sell", 0.2)
    exchange.control("PUT", "/paper/prices/BTCUSDT", {"markPrice": "20010"})
    assert exchange.control("POST", "/paper/settlements/BTCUSDT")["status"] == "SETTLING"
    for trader, side, price in ((long, "SELL", "20010.00"), (short, "BUY", "20010.00")):
        assert trader.held() == "0"
        assert trader.snapshot()["openOrders"] == []
        orders = trader.futures.fapiPrivateGetAllOrders({"symbol": "BTCUSDT"})
        [closing] = [order for order in orders if order["clientOrderId"].startswith("settlement_autoclose-")]
        assert (closing["side"], closing["status"]) == (side, "FILLED")
        assert trader.snapshot()["trades"][-1]["price"] == price
    assert idle.snapshot()["orders"] == []
    with refused(-4108):
        place(long)


def test_quarters_end_with_the_last_friday_of_their_last_month() -> None:
    dates = itertools.islice(quarters_from(datetime(2025, 12, 25, 9, tzinfo=UTC)), 5)
    assert list(dates) == ["260327", "260626", "260925", "261225", "270326"], "the first one has less than a day left"


def test_dated_contract_is_delivered_when_its_time_has_come(full: ExchangeProcess, trader: Trader) -> None:
    delivery_ms = EVERY_SYMBOL[DATED].delivery_ms
    place(trader, symbol=DATED, type="MARKET", quantity="0.1", price=None, timeInForce=None)
    trader.market("buy", 0.1)
    full.control("PUT", f"/paper/prices/{DATED}", {"markPrice": "20100"})

    set_clock(trader, delivery_ms - 60_000)
    resting = place(trader, symbol=DATED, price="19000")
    assert trader.held(DATED) == "0.1"
    set_clock(trader, delivery_ms)

    assert (trader.held(DATED), trader.held()) == ("0", "0.1")
    orders = trader.futures.fapiPrivateGetAllOrders({"symbol": DATED})
    assert {order["orderId"]: order["status"] for order in orders}[resting["orderId"]] == "EXPIRED"
    assert orders[-1]["clientOrderId"] == f"settlement_autoclose-{delivery_ms}"
    assert (orders[-1]["avgPrice"], orders[-1]["updateTime"]) == ("20100.00000", delivery_ms)
    assert listed(trader, DATED)["status"] == "DELIVERED"
    with refused(-4108):
        place(trader, symbol=DATED)
    place(trader, symbol=f"BTCUSDT_{NEXT_QUARTER}")


def set_clock(trader: Trader, time_ms: int) -> None:
    trader.exchange.set(clock_offset_ms=time_ms + 1 - int(time.time() * 1000))
    trader.futures.load_time_difference()


def test_contract_of_an_earlier_quarter_is_delivered_at_the_start() -> None:
    venue = Venue()
    venue.list_symbols(full=True)
    account = Account("key", "secret", 0)
    venue.accounts["key"] = account
    account.position("BTCUSDT_250926").amount = Decimal("0.1")
    venue.quotes["BTCUSDT_250926"] = Quote(Decimal(30_000), Decimal(30_000))
    venue.deliveries["BTCUSDT_250926"] = EVERY_SYMBOL["BTCUSDT_250926"].delivery_ms
    assert account_v3_json(venue, account)["positions"][0]["symbol"] == "BTCUSDT_250926"
    settlement.deliver_due(venue, int(time.time() * 1000))
    assert account.held_positions() == []
    assert "BTCUSDT_250926" not in venue.listed()


def test_exchange_info_can_fail_while_trading_goes_on(exchange: ExchangeProcess, trader: Trader) -> None:
    exchange.plan_fault("http", "/fapi/v1/exchangeInfo", "GET", status=503, times=2)
    for _ in range(2):
        with pytest.raises(ccxt.ExchangeNotAvailable):
            trader.futures.fapiPublicGetExchangeInfo()
    assert trader.market("buy", 0.1)["status"] == "closed"
    trader.futures.fapiPublicGetExchangeInfo()
