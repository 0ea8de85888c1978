"""A follower at its limit of losses on the deployed stack: denied, told once, and trading again in time.

The losses of other days are written as a booking writes them; moving them is moving time.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

from local.stack.deploy import client
from local.stack.places import STACK_NAME
from local.telegram.bot import messages
from shared.clock import to_iso, utc_now
from tests.system.stack_client import FollowedStrategy, Stack, wait_for

TABLE = f"{STACK_NAME}-performance_days"


def key_of(strategy: FollowedStrategy) -> dict[str, Any]:
    dynamodb = client("dynamodb", strategy.stack.running.places)
    key = {"id": {"S": strategy.followers[0]["api_key_id"]}}
    found: dict[str, Any] = dynamodb.get_item(TableName=f"{STACK_NAME}-exchange_keys", Key=key)["Item"]
    return found


def book_loss(strategy: FollowedStrategy, *, hours_ago: float) -> None:
    """Replace the follower's recent results by one loss of 90 % of a wallet of 10,000 USDT."""
    dynamodb, key = client("dynamodb", strategy.stack.running.places), key_of(strategy)
    ledger = {"S": f"STRATEGY#{key['user_id']['S']}"}
    now = utc_now()
    for days in range(3):
        day_key = {"S": f"{(now - timedelta(days=days)).date().isoformat()}#{key['id']['S']}"}
        dynamodb.delete_item(TableName=TABLE, Key={"ledger": ledger, "day_key": day_key})
    closed_at = now - timedelta(hours=hours_ago)
    dynamodb.put_item(
        TableName=TABLE,
        Item={
            "ledger": ledger,
            "day_key": {"S": f"{closed_at.date().isoformat()}#{key['id']['S']}"},
            "results": {"L": [{"S": f"{to_iso(closed_at)} USDT -9000 1000"}]},
            "updated_at": {"S": to_iso(closed_at)},
            "schema_version": {"N": "2"},
        },
    )


def test_follower_at_its_limit_is_denied_told_once_and_trades_again_when_the_window_has_passed(stack: Stack) -> None:
    stack.move_price("BTCUSDT", "20000")
    strategy = stack.add_strategy(f"LIMITED{uuid4().hex[:8]}", followers=1)
    path = f"/v1/admin/strategy/follower/{strategy.followers[0]['id']}/settings"
    changed = stack.api("PUT", path, body={"lossLimit": {"day": 5}})
    assert changed.json()["lossLimit"] == {"day": 5, "week": None, "close": False}, changed.text
    book_loss(strategy, hours_ago=1)

    for order_price in ("20000", "20000.1"):
        (denied,) = strategy.wait_until_all(strategy.fire(orderPrice=order_price), "DENIED")
        assert denied["reason"] == "LOSS_LIMIT", denied
        assert denied["detail"].startswith("until ")

    def told() -> list[str]:
        found = messages(stack.session["telegram"], strategy.chat_id)
        return [one["text"] for one in found if "losses have reached the limit" in one["text"]]

    assert len(wait_for("the notice", told)) == 1

    book_loss(strategy, hours_ago=25)
    strategy.wait_until_all(strategy.fire(orderPrice="19999.9"), "PROTECTED")
    assert len(told()) == 1
