"""The documented examples of strategies' followers and triggers, on the deployed stack."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from shared.clock import utc_now
from shared.models.follower_performance import FollowerPerformance
from tests.contract.examples import Example, assert_same, load
from tests.contract.world import World
from tests.system.stack_client import FollowedStrategy, wait_for

AN_ID = "464f7da5-51cb-42e5-9e27-5f20e6abdea9"

FOLLOWERS = 3


@pytest.fixture
def followed(world: World) -> Iterator[FollowedStrategy]:
    """Return a strategy whose followers are as many as the examples have, and flat."""
    yield world.stack.add_strategy(f"DOCUMENTED-{uuid4().hex[:8]}", followers=FOLLOWERS)
    world.stack.move_price("BTCUSDT", "20000")


def answered(world: World, example: Example, record_id: str, body: Any = None) -> Any:
    answer = world.stack.api(example.method, example.at(record_id), body=body)
    assert answer.status == 200, f"{answer.status} {answer.text}"
    assert answer.headers["Content-Type"] == "application/json"
    return answer.json()


def items_of(status: str, followers: list[str]) -> dict[str, Any]:
    """Return what the documentation leaves open: which followers were asked for, and how that stands."""
    return {"items": [{"id": AN_ID, "strategyFollowId": one, "status": status} for one in followers]}


def by_follower(answer: Any) -> Any:
    return {"items": sorted(answer["items"], key=lambda item: str(item["strategyFollowId"]))}


def test_list_followers(world: World) -> None:
    example = load("list_followers")
    strategy = world.add_strategy(f"FOLLOWED {uuid4().hex[:8]}")
    user_id = world.add_user(f"{uuid4().hex}@example.com", "John", "Doetwo", plan_id=world.plan("STANDARD").id)
    key = world.add_key(user_id, balances={"USDT": "1"})
    follower_id = world.add_follower(strategy, user_id, key, balance="13371.62664883")
    FollowerPerformance(
        follower_id,
        id=str(uuid4()),
        total_profit=Decimal("-78.7057"),
        closed_balance=Decimal("13235.62718128"),
        updated_at=utc_now(),
    ).save()
    shown = answered(world, example, strategy.id)
    assert_same(shown, example.response())
    assert shown["items"][0]["id"] == follower_id


def test_followers_without_a_balance_or_performance_have_null_there(world: World) -> None:
    example = load("list_followers")
    strategy = world.add_strategy(f"FOLLOWED {uuid4().hex[:8]}")
    user_id = world.add_user(f"{uuid4().hex}@example.com", "John", "Doetwo", plan_id=world.plan("STANDARD").id)
    world.add_follower(strategy, user_id, world.add_key(user_id))
    documented = example.response()
    documented["items"][0]["ExchangeKey"]["ExchangeKeyBalance"] = None
    documented["items"][0]["StrategyAutomatedFollowPerformance"] = None
    assert_same(answered(world, example, strategy.id), documented)


def test_list_history(world: World, followed: FollowedStrategy) -> None:
    example = load("list_history")
    world.stack.move_price("BTCUSDT", "21600")
    trigger_id = followed.fire(
        orderPrice="21600",
        stop="21300",
        takeProfitPrice1="22300",
        takeProfitPrice2="22310",
        takeProfitPrice3=None,
    )
    followed.wait_until_all(trigger_id, "PROTECTED")
    all_ids = sorted(one["id"] for one in followed.followers)
    closing = answered(world, load("close_all_orders"), followed.strategy_id)
    assert_same(by_follower(closing), items_of("CLOSING", all_ids))
    assert [item["strategyFollowId"] for item in by_follower(closing)["items"]] == all_ids
    followed.wait_until_all(trigger_id, "CLOSED")
    wait_for("the trigger's end", lambda: not followed.trigger(trigger_id)["active"])
    assert_same(answered(world, example, followed.strategy_id), example.response())


def test_new_orders_close_order_close_all_orders(world: World, followed: FollowedStrategy) -> None:
    world.stack.move_price("BTCUSDT", "19400")
    example = load("new_orders")
    first, *others = [one["id"] for one in followed.followers]
    body = example.request | {"strategyFollowIds": others}
    assert list(body) == list(example.request)
    queued = answered(world, example, first, body)
    assert_same(queued, items_of("QUEUED", [first, *others]))
    trigger_id = world.stack.get(load("list_history").at(followed.strategy_id)).json()
    newest = trigger_id["StrategyAutomatedTriggers"]["items"][0]
    assert (newest["strategySource"], newest["tradeSide"], newest["price"]) == ("ADMIN", "BUY", 19400)
    assert newest["takeProfit"] == example.request["takeProfitPrices"]
    executions = followed.wait_until_all(newest["id"], "PROTECTED")
    assert [one["id"] for one in executions] == [item["id"] for item in queued["items"]]

    closing = answered(world, load("close_order"), first)
    assert_same(closing, items_of("CLOSING", [first]))
    assert closing["items"][0]["id"] == queued["items"][0]["id"]
    wait_for("the first follower is flat", lambda: not followed.accounts()[0]["positions"])
    assert all(account["positions"] for account in followed.accounts()[1:])
    rest = answered(world, load("close_all_orders"), followed.strategy_id)
    assert set(others) <= {item["strategyFollowId"] for item in rest["items"]}
    followed.wait_until_all(newest["id"], "CLOSED")
    assert answered(world, load("close_order"), first) == {"items": []}
    assert answered(world, load("close_all_orders"), followed.strategy_id) == {"items": []}
