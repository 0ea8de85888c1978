"""The documented examples of exchange keys on the deployed stack: an account that has traded as the documented one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from shared.clock import utc_now
from shared.models.balance_day import BalanceDay
from tests.contract.examples import ASIDE, assert_same, assert_shape, load
from tests.contract.world import Key, World
from tests.integration.paper_exchange.trader import BTC

AT_THE_EXCHANGE = ASIDE | {"clientOrderId", "timestamp", "datetime", "order"}

# By the exchange's leverage brackets, which have changed since.
BRACKETS = {"maintenanceMargin", "maintenanceMarginPercentage", "marginRatio"}

# The example is a sum of two fills at unlike prices; the paper exchange fills at one.
FILLED_IN_PARTS = ("price", "average", "cost")


@dataclass(frozen=True, slots=True)
class Account:
    """A user's key, and the client that the user trades with by hand."""

    user_id: str
    key: Key


@pytest.fixture(scope="module")
def traded(world: World) -> Iterator[Account]:
    """Trade as the examples tell: in and out by a stop, in again, with a stop and a take-profit standing."""
    move = world.stack.move_price
    user_id = world.add_user(f"{uuid4().hex}@example.com", "Trader", "Joe")
    key = world.add_key(user_id, balances={"USDT": "30000"}, leverage={"BTCUSDT": 2})
    trader = world.trader(key)
    move("BTCUSDT", "19351.8")
    trader.create_order(BTC, "market", "buy", 2.106)
    stop = {"triggerPrice": 19150, "reduceOnly": True}
    trader.create_order(BTC, "STOP_MARKET", "sell", 2.106, None, stop)
    move("BTCUSDT", "19148.4")
    move("BTCUSDT", "19299.9")
    trader.create_order(BTC, "market", "buy", 0.673)
    take_profit = {"triggerPrice": 19450, "reduceOnly": True}
    trader.create_order(BTC, "TAKE_PROFIT", "sell", 0.224, 19450, take_profit)
    trader.create_order(BTC, "STOP_MARKET", "sell", None, None, {"triggerPrice": 19000, "closePosition": True})
    move("BTCUSDT", "19203.92860662")
    yield Account(user_id, key)
    move("BTCUSDT", "20000")


def get(world: World, path: str) -> Any:
    answer = world.stack.get(path)
    assert answer.status == 200, f"{answer.status} {answer.text}"
    assert answer.headers["Content-Type"] == "application/json"
    return answer.json()


def test_list_exchange_key_balance_history(world: World, traded: Account) -> None:
    example = load("list_exchange_key_balance_history")
    for day in example.response()["items"]:
        record = BalanceDay(traded.key.id, day["date"], total_usd=Decimal(day["totalUSD"]), updated_at=utc_now())
        record.save()
    shown = get(world, example.at(traded.key.id) + "?start=2022-09-11&limit=3")
    assert shown == example.response()
    assert_shape(shown, example.response())


def test_get_exchange_key_balance(world: World, traded: Account) -> None:
    example = load("get_exchange_key_balance")
    key = world.add_key(traded.user_id, balances={"BNB": "0", "USDT": "2637.5428719"})
    assert_same(get(world, example.at(key.id)), example.response())


def test_get_exchange_key_balance_that_the_exchange_refuses(world: World, traded: Account) -> None:
    example = load("get_exchange_key_balance")
    key = world.add_key(traded.user_id, name="unknown at the exchange")
    answer = world.stack.get(example.at(key.id))
    assert (answer.status, answer.json()) == (403, example.response(403))
    listed = get(world, load("list_exchange_keys").at(traded.user_id))["items"]
    (shown,) = [one for one in listed if one["id"] == key.id]
    assert (shown["apiKeyStatus"], shown["active"]) == ("UNAUTHORIZED", False)


def test_get_strategy_follow(world: World, traded: Account) -> None:
    example = load("get_strategy_follow")
    follower_id = world.add_follower(world.add_strategy(f"FOLLOWED {uuid4().hex[:8]}"), traded.user_id, traded.key)
    symbol = example.request["symbol"].replace("/", "%2F")
    shown = get(world, f"{example.at(traded.key.id)}?symbol={symbol}")
    assert_same(shown, example.response())
    assert shown["id"] == follower_id


def test_list_futures_open_positions(world: World, traded: Account) -> None:
    example = load("list_futures_open_positions")
    for query in ("", "?symbol=BTC%2FUSDT"):
        shown = get(world, example.at(traded.key.id) + query)
        assert_same(shown, example.response(), aside=AT_THE_EXCHANGE | BRACKETS)


def test_list_open_orders(world: World, traded: Account) -> None:
    example = load("list_open_orders")
    shown = get(world, f"{example.at(traded.key.id)}?symbol=BTC/USDT")
    assert_same(shown, example.response(), aside=AT_THE_EXCHANGE)


def test_list_order_history(world: World, traded: Account) -> None:
    example = load("list_order_history")
    shown = get(world, f"{example.at(traded.key.id)}?symbol=BTC%2FUSDT")
    done = [order for order in shown if order["status"] == "closed"]
    for number, (order, documented) in enumerate(zip(done, example.response(), strict=True)):
        aside = AT_THE_EXCHANGE.union(FILLED_IN_PARTS) if number == 1 else AT_THE_EXCHANGE
        assert_same(order, documented, aside=aside)


def test_list_trade_history(world: World, traded: Account) -> None:
    example = load("list_trade_history")
    shown = get(world, f"{example.at(traded.key.id)}?symbol=BTC%2FUSDT")
    assert_same(shown[0], example.response()[0], aside=AT_THE_EXCHANGE)
    # Sold whole, where the documented account sold in parts.
    assert_same(shown[1], example.response()[1], aside=AT_THE_EXCHANGE | {"amount", "cost", "fee", "fees"})
    assert_shape(shown, example.response())
