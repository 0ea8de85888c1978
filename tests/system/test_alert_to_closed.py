"""The main job, end to end on the deployed stack: alert, positions, stops, repeats, the fall, everything booked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal
from typing import Any

import pytest

from tests.system.stack_client import FollowedStrategy, Stack, wait_for

FOLLOWERS = 12
STEP = Decimal("0.001")
BOUND = Decimal(20_010)
"""The alert's price, which is the market's too, and the allowance of 0.05 %."""
STOP = Decimal(19_700)
TAKER_RATE = Decimal("0.0005")
LOSS_OF_ONE = BOUND - STOP + TAKER_RATE * (BOUND + STOP)
"""What one BTC bought at the bound loses at the stop, with the fees of both ways."""


@dataclass
class Road:
    """One alert on its way."""

    strategy: FollowedStrategy
    trigger_id: str


@pytest.fixture
def road(stack: Stack) -> Iterator[Road]:
    stack.move_price("BTCUSDT", "20000")
    strategy = stack.add_strategy("ROAD", followers=FOLLOWERS)
    road = Road(strategy, strategy.fire())
    strategy.wait_until_all(road.trigger_id, "PROTECTED")
    yield road
    stack.move_price("BTCUSDT", "20000")


def test_alert_opens_protected_positions_once_and_a_fall_through_the_stop_books_them(road: Road) -> None:
    assert_amounts_risk_the_profiles_share_of_equity(road)
    assert_each_position_has_one_stop_and_take_profits_that_sum_to_it(road)
    assert_each_follower_has_an_execution(road)
    assert_repeated_alert_answers_the_same_and_trades_nothing(road)
    assert_fall_through_the_stop_leaves_all_flat_and_booked(road)


def stops(account: dict[str, Any]) -> list[dict[str, Any]]:
    return [order for order in account["openOrders"] if order.get("triggerPrice")]


def limits(account: dict[str, Any]) -> list[dict[str, Any]]:
    return [order for order in account["openOrders"] if order.get("type") == "LIMIT"]


def assert_amounts_risk_the_profiles_share_of_equity(road: Road) -> None:
    for follower, account in zip(road.strategy.followers, road.strategy.accounts(), strict=True):
        risked = Decimal(follower["balance"]) * Decimal(follower["percentage"]) / 100
        amount = (risked / LOSS_OF_ONE).quantize(STEP, ROUND_DOWN)
        (position,) = account["positions"]
        assert position["symbol"] == "BTCUSDT"
        assert Decimal(position["amount"]) == amount > 0


def assert_each_position_has_one_stop_and_take_profits_that_sum_to_it(road: Road) -> None:
    for account in road.strategy.accounts():
        (position,) = account["positions"]
        (stop,) = stops(account)
        assert Decimal(stop["triggerPrice"]) == 19700
        assert stop["side"] == "SELL"
        assert str(stop["closePosition"]).lower() == "true"
        take_profits = limits(account)
        assert {Decimal(order["price"]) for order in take_profits} == {Decimal(p) for p in (20300, 20600, 21000)}
        assert all(order["side"] == "SELL" and order["reduceOnly"] for order in take_profits)
        assert sum(Decimal(order["origQty"]) for order in take_profits) == Decimal(position["amount"])
        assert len(account["openOrders"]) == 4


def assert_each_follower_has_an_execution(road: Road) -> None:
    trigger = road.strategy.trigger(road.trigger_id)
    histories = trigger["StrategyAutomatedHistories"]["items"]
    assert trigger["active"] is True
    assert trigger["strategySource"] == "TRADINGVIEW"
    assert len({history["id"] for history in histories}) == FOLLOWERS
    assert all(history["active"] for history in histories)


def assert_repeated_alert_answers_the_same_and_trades_nothing(road: Road) -> None:
    before = [len(account["orders"]) for account in road.strategy.accounts()]
    assert [road.strategy.fire() for _ in range(3)] == [road.trigger_id] * 3
    road.strategy.wait_until_all(road.trigger_id, "PROTECTED")
    assert [len(account["orders"]) for account in road.strategy.accounts()] == before
    shown = road.strategy.stack.get(f"/v1/admin/strategy/trigger/history/{road.strategy.strategy_id}").json()
    assert [one["id"] for one in shown["StrategyAutomatedTriggers"]["items"]] == [road.trigger_id]


def assert_fall_through_the_stop_leaves_all_flat_and_booked(road: Road) -> None:
    stack, strategy = road.strategy.stack, road.strategy
    stack.move_price("BTCUSDT", "19600")
    assert [account["positions"] for account in strategy.accounts()] == [[]] * FOLLOWERS

    def booked() -> list[dict[str, Any]] | None:
        stack.watch()
        executions = strategy.executions(road.trigger_id)
        return executions if all(one["state"] == "CLOSED" for one in executions) else None

    executions = wait_for("every execution booked as CLOSED", booked, timeout_s=200)
    for execution, account in zip(executions, strategy.accounts(), strict=True):
        assert account["openOrders"] == []
        assert execution["profit"] < 0
        # Sold at the market's 19600, a hundred below the stop: the loss is the fill's, not the plan's.
        assert execution["exit_price"] == 19600
        assert "open_shard" not in execution
    trigger = strategy.trigger(road.trigger_id)
    assert trigger["active"] is False
    assert [one["active"] for one in trigger["StrategyAutomatedHistories"]["items"]] == [False] * FOLLOWERS
