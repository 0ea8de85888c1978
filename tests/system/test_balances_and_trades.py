"""The deployed recorder and importer: their queues, indexes, tables and roles, up to what the admin API shows."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import ccxt

from local.stack.deploy import client
from local.stack.places import STACK_NAME
from shared.clock import utc_now
from tests.integration.paper_exchange.trader import redirect
from tests.system.stack_client import Stack, wait_for


def become_manual(stack: Stack, follower: dict[str, Any]) -> None:
    """Make a follower's key one that its owner trades with by hand."""
    client("dynamodb", stack.running.places).update_item(
        TableName=f"{STACK_NAME}-exchange_keys",
        Key={"id": {"S": follower["api_key_id"]}},
        UpdateExpression="SET strategy_type = :manual",
        ExpressionAttributeValues={":manual": {"S": "MANUAL"}},
    )


def user_of(stack: Stack, follower: dict[str, Any]) -> str:
    item = client("dynamodb", stack.running.places).get_item(
        TableName=f"{STACK_NAME}-exchange_keys", Key={"id": {"S": follower["api_key_id"]}}
    )["Item"]
    return str(item["user_id"]["S"])


def test_balance_of_a_key_is_recorded_on_demand_and_shown(stack: Stack) -> None:
    (follower,) = stack.add_strategy("BALANCES", followers=1).followers
    path = f"/v1/admin/exchange/key/balance/history/{follower['api_key_id']}"
    assert stack.get(path).json()["items"] == []
    stack.wait_for_weight()

    assert stack.invoke("BalanceRecorder", {"user_id": user_of(stack, follower)}) == {"keys": 1}

    (day,) = wait_for("a balance", lambda: stack.get(path).json()["items"])
    assert day["date"] == utc_now().date().isoformat()
    assert Decimal(str(day["totalUSD"])) == Decimal(follower["balance"])


def test_trades_by_hand_are_imported_and_shown(stack: Stack) -> None:
    (follower,) = stack.add_strategy("BYHAND", followers=1).followers
    become_manual(stack, follower)
    keys = {"apiKey": follower["api_key"], "secret": follower["api_secret"], "enableRateLimit": False}
    owner = redirect(ccxt.binanceusdm(keys), stack.session["exchange"])
    for side in ("buy", "sell"):
        owner.create_order("ETH/USDT:USDT", "market", side, 1)
    history = f"/v1/admin/account/user/trade/manual/{user_of(stack, follower)}/history"
    stack.wait_for_weight()

    stack.invoke("ManualTradeImporter", {"api_key_id": follower["api_key_id"]})

    items = wait_for("both trades", lambda: found if len(found := stack.get(history).json()["items"]) == 2 else None)
    assert [(one["symbol"], one["side"], one["amount"]) for one in items] == [
        ("ETH/USDT", "SELL", 1),
        ("ETH/USDT", "BUY", 1),
    ]
    performance = stack.get(history.replace("history", "performance")).json()
    assert performance["totalFee"] > 0
    assert performance["totalProfit"] == -performance["totalFee"], "the price did not move"


def test_rounds_of_both_are_answered_with_what_was_queued(stack: Stack) -> None:
    for function in ("BalanceRecorder", "ManualTradeImporter"):
        answer = stack.invoke(function, {"source": "aws.events", "time": "2026-01-01T00:05:00Z"})
        assert answer["keys"] >= 0
