"""The control interface itself: shapes, conflicts, latency, counts, restarts."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ccxt
import pytest

from tests.integration.paper_exchange.exchange_process import ControlRefusedError, ExchangeProcess
from tests.integration.paper_exchange.trader import BTC, Trader


def test_new_account_is_shown_empty(exchange: ExchangeProcess) -> None:
    shown = exchange.control(
        "POST", "/paper/accounts", {"apiKey": "fresh", "secret": "s", "balances": {"USDT": "10000"}}
    )
    assert shown == {
        "apiKey": "fresh",
        "accountAlias": shown["accountAlias"],
        "walletBalance": "10000.00000000",
        "balances": {"USDT": "10000.00000000"},
        "positions": [],
        "openOrders": [],
        "orders": [],
        "trades": [],
        "requests": {},
    }
    assert exchange.control("GET", "/paper/accounts/fresh") == shown


def test_taken_key_is_a_conflict(trader: Trader) -> None:
    with pytest.raises(ControlRefusedError, match=r"^409 "):
        trader.open_account("5")
    assert trader.wallet() == "10000.00000000"


def test_unknown_account_is_not_found(exchange: ExchangeProcess) -> None:
    for method in ("GET", "PUT", "DELETE"):
        with pytest.raises(ControlRefusedError, match=r"^404 "):
            exchange.control(method, "/paper/accounts/nobody")


@pytest.mark.parametrize(
    "body",
    [
        {"secret": "s"},
        {"apiKey": "k"},
        {"apiKey": "k", "secret": "s", "balances": {"USDT": "lots"}},
        {"apiKey": "k", "secret": "s", "balances": []},
        {"apiKey": "k", "secret": "s", "colour": "blue"},
        {"apiKey": "k", "secret": "s", "permissions": {"fly": True}},
        {"apiKey": "k", "secret": "s", "leverage": "high"},
        {"apiKey": "k", "secret": "s", "permissions": ["canTrade"]},
    ],
)
def test_malformed_account_is_refused_and_not_opened(exchange: ExchangeProcess, body: dict[str, Any]) -> None:
    with pytest.raises(ControlRefusedError, match=r"^400 "):
        exchange.control("POST", "/paper/accounts", body)
    assert exchange.control("GET", "/paper/accounts") == []


def test_requests_are_counted_by_method_and_path(trader: Trader) -> None:
    trader.futures.fetch_balance()
    trader.market("buy", 0.1)
    trader.market("sell", 0.1)
    trader.stop("sell", 19_500)
    assert trader.snapshot()["requests"] == {
        "GET /fapi/v3/account": 1,
        "POST /fapi/v1/order": 2,
        "POST /fapi/v1/algoOrder": 1,
    }


def test_orders_and_trades_are_shown_in_the_exchanges_fields(trader: Trader) -> None:
    trader.market("buy", 0.1, newClientOrderId="entry")
    trader.limit("sell", 0.1, 20_500, reduceOnly=True, newClientOrderId="target")
    trader.stop("sell", 19_500, clientAlgoId="stop")
    shown = trader.snapshot()
    assert [order.get("clientOrderId", order.get("clientAlgoId")) for order in shown["orders"]] == [
        "entry",
        "target",
        "stop",
    ]
    assert [order.get("clientOrderId", order.get("clientAlgoId")) for order in shown["openOrders"]] == [
        "target",
        "stop",
    ]
    entry = shown["orders"][0]
    assert (entry["status"], entry["origQty"], entry["executedQty"], entry["avgPrice"]) == (
        "FILLED",
        "0.100",
        "0.100",
        "20000.00000",
    )
    assert shown["trades"][0]["commission"] == "0.80000000"


def test_balances_can_be_changed_while_trading(trader: Trader) -> None:
    trader.market("buy", 0.1)
    trader.change(balances={"USDT": "123.45"})
    assert trader.wallet() == "123.45000000"
    assert trader.held() == "0.1"


def test_leverage_can_be_changed_for_all_or_one_symbol(trader: Trader) -> None:
    trader.change(leverage=10)
    assert trader.futures.fetch_leverage(BTC)["longLeverage"] == 10
    trader.change(leverage={"BTCUSDT": 3})
    assert trader.futures.fetch_leverage(BTC)["longLeverage"] == 3
    assert trader.futures.fetch_leverage("ETH/USDT:USDT")["longLeverage"] == 10


def test_position_mode_can_be_changed_only_while_flat(trader: Trader) -> None:
    trader.market("buy", 0.1)
    with pytest.raises(ControlRefusedError, match=r"^409 "):
        trader.change(positionMode="hedge")
    trader.market("sell", 0.1)
    trader.change(positionMode="hedge")
    assert trader.futures.fetch_position_mode()["hedged"] is True
    trader.change(positionMode="one-way")
    assert trader.market("buy", 0.1)["status"] == "closed"


def test_key_restrictions_follow_the_control(trader: Trader) -> None:
    trader.change(permissions={"enablePortfolioMarginTrading": True, "ipRestrict": False})
    shown = trader.futures.sapiGetAccountApiRestrictions()
    assert (shown["enablePortfolioMarginTrading"], shown["ipRestrict"], shown["enableReading"]) == (True, False, True)


def test_latency_delays_the_exchange_but_not_its_control(trader: Trader) -> None:
    trader.exchange.control("PUT", "/paper/latency", {"ms": 800})
    started = time.monotonic()
    trader.snapshot()
    assert time.monotonic() - started < 0.8
    started = time.monotonic()
    trader.futures.fetch_time()
    assert 0.8 <= time.monotonic() - started < 4


@pytest.mark.parametrize("latency", [-1, "slow", None])
def test_latency_must_be_a_length_of_time(exchange: ExchangeProcess, latency: Any) -> None:
    with pytest.raises(ControlRefusedError, match=r"^400 "):
        exchange.control("PUT", "/paper/latency", {"ms": latency})


@pytest.mark.parametrize("settings", [{"no_such": True}, {"limits_enabled": "yes"}, {"clock_offset_ms": 1.5}])
def test_malformed_settings_change_nothing(exchange: ExchangeProcess, settings: dict[str, Any]) -> None:
    before = exchange.control("GET", "/paper/settings")
    with pytest.raises(ControlRefusedError, match=r"^400 "):
        exchange.control("POST", "/paper/settings", {"ban_s": 1, **settings})
    assert exchange.control("GET", "/paper/settings") == before


def test_unknown_paths_are_not_found(exchange: ExchangeProcess) -> None:
    for path in ("/paper", "/paper/nothing", "/fapi/v1/nothing", "/"):
        with pytest.raises(ControlRefusedError, match=r"^404 "):
            exchange.control("GET", path)


def test_start_price_of_btc_is_20000(exchange: ExchangeProcess) -> None:
    assert exchange.control("GET", "/paper/prices")["BTCUSDT"] == {
        "symbol": "BTCUSDT",
        "price": "20000",
        "markPrice": "20000",
    }


def test_same_requests_get_the_same_ids(tmp_path: Path, loaded_markets: Any) -> None:
    seen = []
    for _ in range(2):
        process = ExchangeProcess().start()
        trader = Trader(process, "key", loaded_markets).open_account()
        order, stop = trader.market("buy", 0.1), trader.stop("sell", 19_500)
        seen.append((order["id"], stop["id"], trader.snapshot()["trades"][0]["id"]))
        assert process.stop() == 0
    assert seen[0] == seen[1]


@pytest.mark.parametrize("with_signal", [signal.SIGTERM, signal.SIGINT])
def test_restart_with_a_state_file_keeps_money_orders_and_prices(
    tmp_path: Path, loaded_markets: Any, with_signal: signal.Signals
) -> None:
    state_file = tmp_path / "deep" / "exchange.json"
    process = ExchangeProcess(state_file).start()
    trader = Trader(process, "key", loaded_markets).open_account(leverage={"BTCUSDT": 10})
    trader.market("buy", 0.3)
    stop = trader.stop("sell", 19_500)
    trader.limit("sell", 0.1, 20_600, reduceOnly=True)
    trader.conditional(
        "TRAILING_STOP_MARKET", "sell", 0.1, None, trailingPercent=1, activationPrice=20_400, reduceOnly=True
    )
    process.move_price("20500")
    before = trader.snapshot()
    assert process.stop(with_signal) == 0

    process.start()
    assert trader.snapshot() == before
    assert trader.futures.fetch_leverage(BTC)["longLeverage"] == 10
    assert process.control("GET", "/paper/prices")["BTCUSDT"]["price"] == "20500"
    process.move_price("20295")  # the trailing stop still knows its best price, 20500
    assert trader.held() == "0.2"
    process.move_price("19400")
    assert trader.held() == "0"
    assert trader.algo(stop["id"])["status"] == "closed"
    assert trader.market("buy", 0.1)["id"] not in {order.get("orderId") for order in before["orders"]}
    assert process.stop() == 0


def test_state_can_be_saved_on_demand(tmp_path: Path, loaded_markets: Any) -> None:
    state_file = tmp_path / "exchange.json"
    process = ExchangeProcess(state_file).start()
    trader = Trader(process, "key", loaded_markets).open_account()
    trader.market("buy", 0.3)
    assert process.control("POST", "/paper/state") == {"saved": True}
    trader.market("sell", 0.3)
    process.stop(signal.SIGKILL)
    process.start()
    assert trader.held() == "0.3"
    assert process.stop() == 0


def test_stop_does_not_wait_for_hanging_answers(tmp_path: Path, loaded_markets: Any) -> None:
    state_file = tmp_path / "exchange.json"
    process = ExchangeProcess(state_file).start()
    trader = Trader(process, "key", loaded_markets).open_account()
    process.plan_fault("hang")
    trader.futures.timeout = 200
    with pytest.raises(ccxt.RequestTimeout):
        trader.market("buy", 0.1)
    started = time.monotonic()
    assert process.stop() == 0
    assert time.monotonic() - started < 5
    process.start()
    assert trader.held() == "0.1"
    assert process.stop() == 0


def test_taken_port_is_reported_in_one_line(exchange: ExchangeProcess) -> None:
    second = subprocess.run(
        [sys.executable, "-m", "local.paper_exchange", "--port", exchange.url.rpartition(":")[2]],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert second.returncode == 1
    assert second.stderr.startswith("paper exchange: cannot serve on port")
    assert second.stderr.count("\n") == 1


def test_bad_state_file_is_reported_in_one_line(tmp_path: Path) -> None:
    bad = tmp_path / "exchange.json"
    bad.write_text("{}")
    broken = ExchangeProcess(bad)
    with pytest.raises(OSError, match="refused"):
        broken.start()
    assert broken.exit_code() == 1
    assert broken.last_stderr.count("\n") == 1


def test_many_followers_at_once(new_trader: Callable[..., Trader]) -> None:
    traders = [new_trader() for _ in range(12)]
    for trader in traders:
        trader.market("buy", 0.1)
        trader.stop("sell", 19_500)
    traders[0].exchange.move_price("19000")
    assert {trader.held() for trader in traders} == {"0"}
