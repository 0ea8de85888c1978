"""Two egress lanes on the deployed stack: a stack each, and an alert, a turn and a close that use both addresses."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from local.stack.deploy import client
from local.stack.lanes import address_of, deploy_lanes, register
from local.stack.places import STACK_NAME
from tests.system.stack_client import FollowedStrategy, Stack, wait_for

FOLLOWERS = 6
LANES = ["lane-1", "lane-2"]
SELL = {
    "type": "sell",
    "stop": "20300",
    "takeProfitPrice1": "19700",
    "takeProfitPrice2": "19400",
    "takeProfitPrice3": "19000",
}


@pytest.fixture(scope="module")
def second_lane(stack: Stack) -> Iterator[str]:
    """Deploy the second lane; take it out of use when this module's tests are done."""
    places = stack.running.places
    deploy_lanes(places, len(LANES))
    yield LANES[1]
    main_stack = client("cloudformation", places).describe_stacks(StackName=STACK_NAME)["Stacks"][0]
    register(client("dynamodb", places), main_stack=main_stack, lane=LANES[1], orders_queue_url=None)


@pytest.fixture
def followed(stack: Stack, second_lane: str) -> Iterator[FollowedStrategy]:
    """A strategy whose followers' keys name the lanes in turn, so that both have work whatever weight is left."""
    stack.move_price("BTCUSDT", "20000")
    stack.paper("DELETE", "limits")
    strategy = stack.add_strategy(f"{second_lane}-{secrets.token_hex(3)}", followers=FOLLOWERS)
    for number, follower in enumerate(strategy.followers):
        client("dynamodb", stack.running.places).update_item(
            TableName=f"{STACK_NAME}-exchange_keys",
            Key={"id": {"S": follower["api_key_id"]}},
            UpdateExpression="SET egress_lanes = :lanes",
            ExpressionAttributeValues={":lanes": {"L": [{"S": LANES[number % len(LANES)]}]}},
        )
    yield strategy
    stack.paper("DELETE", "limits")
    for lane in LANES:
        client("dynamodb", stack.running.places).update_item(
            TableName=f"{STACK_NAME}-egress_lanes",
            Key={"lane": {"S": lane}},
            UpdateExpression="REMOVE banned_until, paused_until",
        )


def test_alert_turn_and_close_use_the_addresses_of_both_lanes(stack: Stack, followed: FollowedStrategy) -> None:
    entered = followed.wait_until_all(followed.fire(), "PROTECTED")
    turned = followed.wait_until_all(followed.fire(**SELL), "PROTECTED")

    assert {address_of(lane) for lane in LANES} <= set(stack.paper("GET", "limits"))
    for executions in (entered, turned):
        assert {one["egress_lane"] for one in executions} == set(LANES)
        assert all(one["egress_lanes"] == [one["egress_lane"]] for one in executions)
    assert all(amount(account) < 0 for account in followed.accounts())

    close_all(followed)

    assert flat_within(followed, 60)
    for follower in followed.followers:
        assert stack.account(follower["api_key"])["openOrders"] == []


def test_exits_leave_by_the_other_lane_while_the_exchange_bans_one(stack: Stack, followed: FollowedStrategy) -> None:
    entered = followed.wait_until_all(followed.fire(), "PROTECTED")
    by_lane = {lane: [one for one in entered if one["egress_lane"] == lane] for lane in LANES}
    assert all(by_lane.values())
    stack.paper("PUT", f"bans/{address_of(LANES[1])}", {"seconds": 600})

    close_all(followed)

    # The first close of the banned lane finds the ban; it and the others leave by the first lane.
    assert flat_within(followed, 60)
    assert all(account["openOrders"] == [] for account in followed.accounts())


def close_all(followed: FollowedStrategy) -> None:
    answer = followed.stack.api("DELETE", f"/v1/admin/strategy/follower/{followed.strategy_id}/all")
    assert answer.status == 200, answer.text


def amount(account: dict[str, Any]) -> float:
    return sum(float(position["amount"]) for position in account["positions"])


def flat_within(followed: FollowedStrategy, seconds: float) -> bool:
    def is_flat() -> bool:
        return not any(account["positions"] for account in followed.accounts())

    return wait_for("every position closed", is_flat, timeout_s=seconds)
