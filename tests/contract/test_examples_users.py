"""The documented examples of users and their keys, on the deployed stack."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from shared.clock import from_iso
from shared.models.exchange_key import StrategyType
from shared.models.manual_trade import ManualTrade
from shared.trading.sides import Side
from tests import builders
from tests.contract.examples import assert_same, load
from tests.contract.world import Key, World

PRICE = "price_1M2yg4Do02xBK2h5WLRRmZlR"

PERFORMANCE: dict[str, Any] = {
    "totalProfit": 0,
    "totalFee": 0,
    "trades": 0,
    "winningTrades": 0,
    "losingTrades": 0,
    "winRate": None,
    "profitFactor": None,
    "expectancy": None,
    "maxDrawdown": 0,
    "maxDrawdownPercentage": None,
    "sharpe": None,
    "sortino": None,
    "calmar": None,
    "closedBalance": None,
    "items": [],
}
"""What the documentation leaves open: of somebody who has never traded."""


@dataclass(frozen=True, slots=True)
class Person:
    """A user with a key."""

    id: str
    key: Key


@pytest.fixture(scope="module")
def somebody(world: World) -> Person:
    return add_person(world)


def add_person(world: World) -> Person:
    user_id = world.add_user(f"{uuid4().hex}@example.com", "Some", "Body")
    key = world.add_key(user_id, strategy_type=StrategyType.MANUAL, balances={"USDT": "12345.12"})
    return Person(user_id, key)


def get(world: World, path: str) -> Any:
    answer = world.stack.get(path)
    assert answer.status == 200, f"{answer.status} {answer.text}"
    assert answer.headers["Content-Type"] == "application/json"
    return answer.json()


def test_list_users(world: World) -> None:
    example = load("list_users")
    world.add_user("johndoe@gmail.com", "John", "Doe")
    listed = get(world, f"{example.path}?limit=1")
    assert listed.pop("nextToken")
    assert_same(listed, example.response())


def test_get_user_overview(world: World) -> None:
    example = load("get_user_overview")
    plan = builders.plan(
        listed="OF THE EXAMPLE", name="PROFESSIONAL", stripe_price_id=PRICE, max_balance_usd=15000, max_api_key=20
    )
    plan.save()
    user_id = world.add_user("janedoe@example.com", "jane", "doe", plan_id=plan.id, customer="cus_MmYKZgS50gQgsm")
    assert_same(get(world, example.at(user_id)), example.response())


def test_get_exchange_total_balance(world: World, somebody: Person) -> None:
    example = load("get_exchange_total_balance")
    assert_same(get(world, example.at(somebody.id)), example.response())


@pytest.mark.parametrize("name", ["list_strategy_automated_history", "list_manual_trading_history"])
def test_histories_of_somebody_who_never_traded(world: World, somebody: Person, name: str) -> None:
    assert get(world, load(name).at(somebody.id)) == {"items": [], "nextToken": None}


def test_list_manual_trading_history(world: World) -> None:
    trader = add_person(world)
    moment = from_iso("2022-10-21T18:12:09.485Z")
    ManualTrade(
        trader.key.id,
        ManualTrade.key_of(moment, "244289655"),
        id=str(uuid4()),
        user_id=trader.id,
        exchange_trade_id="244289655",
        exchange_order_id="3240579942",
        symbol="BTC/USDT",
        side=Side.BUY,
        amount=Decimal("0.673"),
        price=Decimal("19299.9"),
        cost=Decimal("12988.8327"),
        fee=Decimal("5.19553307"),
        fee_currency="USDT",
        realized_pnl=Decimal(0),
        created_at=moment,
    ).save()
    (item,) = get(world, load("list_manual_trading_history").at(trader.id) + "?start=2022-10-21&limit=1")["items"]
    documented = {
        "id": "00000000-0000-0000-0000-000000000000",
        "ExchangeKey": {"id": trader.key.id, "name": "Default"},
        "symbol": "BTC/USDT",
        "side": "BUY",
        "amount": 0.673,
        "price": 19299.9,
        "cost": 12988.8327,
        "fee": 5.19553307,
        "feeCurrency": "USDT",
        "realizedPnl": 0,
        "createdAt": "2022-10-21T18:12:09.485Z",
    }
    assert_same(item, documented)
    assert item["createdAt"] == documented["createdAt"]


@pytest.mark.parametrize("name", ["get_strategy_performance", "get_manual_trade_performance"])
def test_performance_of_somebody_who_never_traded(world: World, somebody: Person, name: str) -> None:
    assert_same(get(world, load(name).at(somebody.id)), PERFORMANCE)


@pytest.mark.parametrize(
    ("name", "active"),
    [("disable_user", False), ("enable_user", True), ("reset_mfa", None), ("reset_telegram_link", None)],
)
def test_actions(world: World, somebody: Person, name: str, active: bool | None) -> None:
    example = load(name)
    answer = world.stack.api(example.method, example.at(somebody.id))
    assert answer.status == 200, answer.text
    documented = {"id": somebody.id} | ({} if active is None else {"active": active})
    assert_same(answer.json(), documented | {"updatedAt": "2022-09-09T01:57:36.304Z"})


def test_list_exchange_keys(world: World) -> None:
    example = load("list_exchange_keys")
    user_id = world.add_user(f"{uuid4().hex}@example.com", "Two", "Keys")
    # Newest first: of the example's two keys, which were created in the same moment, the first is added last.
    for documented in reversed(example.response()["items"]):
        world.add_key(
            user_id,
            name=documented["name"],
            api_key=documented["apiKey"],
            strategy_type=StrategyType(documented["strategyType"]),
        )
    assert_same(get(world, example.at(user_id) + "?tradeType=FUTURES"), example.response())
    assert get(world, example.at(user_id) + "?tradeType=SPOT") == {"items": []}
