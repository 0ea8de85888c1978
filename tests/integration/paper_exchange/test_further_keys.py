"""One account behind several keys, and the account's name and fee rates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ccxt
import pytest

from tests.integration.paper_exchange.exchange_process import ControlRefusedError, ExchangeProcess
from tests.integration.paper_exchange.trader import BTC, Trader, refused


def second_key(trader: Trader, loaded_markets: Any, **also: Any) -> Trader:
    second = Trader(trader.exchange, f"{trader.api_key}-second", loaded_markets)
    body = {"apiKey": second.api_key, "secret": second.secret, **also}
    trader.exchange.control("POST", f"/paper/accounts/{trader.api_key}/keys", body)
    return second


def alias(trader: Trader) -> str:
    rows = trader.futures.fapiPrivateV3GetBalance()
    [name] = {row["accountAlias"] for row in rows}
    return str(name)


def spot_account(trader: Trader) -> int:
    return int(trader.futures.privateGetAccount()["uid"])


def test_each_account_has_an_alias_of_its_own_the_same_in_every_row(new_trader: Callable[..., Trader]) -> None:
    first, second = new_trader(balances={"USDT": "10", "BNB": "1"}), new_trader()
    assert alias(first) != alias(second)
    assert spot_account(first) != spot_account(second)
    assert {row["accountAlias"] for row in first.futures.fapiPrivateV2GetBalance()} == {alias(first)}
    assert first.snapshot()["accountAlias"] == alias(first)


def test_two_keys_lead_to_one_account(trader: Trader, loaded_markets: Any) -> None:
    second = second_key(trader, loaded_markets)
    assert alias(second) == alias(trader)
    assert spot_account(second) == spot_account(trader)
    second.market("buy", 0.1)
    assert trader.held() == "0.1"
    trader.limit("sell", 0.1, 20_500, reduceOnly=True, newClientOrderId="target")
    [order] = second.open_regular()
    assert order["clientOrderId"] == "target"
    second.futures.cancel_order(order["id"], BTC)
    assert trader.open_regular() == []


def test_permissions_and_secret_belong_to_the_key(trader: Trader, loaded_markets: Any) -> None:
    second = second_key(trader, loaded_markets, enableFutures=False)
    with refused(-2015, ccxt.AuthenticationError):
        second.market("buy", 0.1)
    trader.market("buy", 0.1)
    assert second.futures.sapiGetAccountApiRestrictions()["enableFutures"] is False
    assert trader.futures.sapiGetAccountApiRestrictions()["enableFutures"] is True
    second.change(enableFutures=True, canTrade=True)
    second.market("sell", 0.1)
    assert trader.held() == "0"
    second.secret = "another"
    with refused(-1022, ccxt.AuthenticationError):
        second.client(type(second.futures)).fetch_balance()


def test_orders_are_counted_by_account(trader: Trader, loaded_markets: Any) -> None:
    second = second_key(trader, loaded_markets)
    trader.exchange.set(order_limit_per_minute=2)
    trader.market("buy", 0.01)
    second.market("buy", 0.01)
    with refused(-1015, ccxt.DDoSProtection):
        second.market("buy", 0.01)


def test_deleted_further_key_leaves_the_account(trader: Trader, loaded_markets: Any) -> None:
    second = second_key(trader, loaded_markets)
    trader.exchange.control("DELETE", f"/paper/accounts/{second.api_key}")
    with refused(-2015, ccxt.AuthenticationError):
        second.futures.fetch_balance()
    trader.market("buy", 0.01)


def test_deleted_account_takes_its_keys_along(trader: Trader, loaded_markets: Any) -> None:
    second = second_key(trader, loaded_markets)
    trader.exchange.control("DELETE", f"/paper/accounts/{trader.api_key}")
    with refused(-2015, ccxt.AuthenticationError):
        second.futures.fetch_balance()
    assert trader.exchange.control("GET", "/paper/accounts") == []


def test_taken_or_unfit_further_keys_are_refused(trader: Trader, exchange: ExchangeProcess) -> None:
    path = f"/paper/accounts/{trader.api_key}/keys"
    with pytest.raises(ControlRefusedError, match=r"^409 "):
        exchange.control("POST", path, {"apiKey": trader.api_key, "secret": "s"})
    for body in ({"apiKey": "k"}, {"secret": "s"}, {"apiKey": "k", "secret": "s", "balances": {}}):
        with pytest.raises(ControlRefusedError, match=r"^400 "):
            exchange.control("POST", path, body)
    with pytest.raises(ControlRefusedError, match=r"^404 "):
        exchange.control("POST", "/paper/accounts/nobody/keys", {"apiKey": "k", "secret": "s"})


def test_fee_rates_are_the_accounts_own(trader: Trader) -> None:
    trader.change(makerFee="0.00016", takerFee="0.0005")
    rates = trader.futures.fapiPrivateGetCommissionRate({"symbol": "BTCUSDT"})
    assert (rates["makerCommissionRate"], rates["takerCommissionRate"]) == ("0.00016", "0.0005")
    trader.market("buy", 0.1)
    trader.limit("sell", 0.1, 20_100)
    trader.exchange.move_price("20100")
    fees = [trade["commission"] for trade in trader.snapshot()["trades"]]
    assert fees == ["1.00000000", "0.32160000"]
