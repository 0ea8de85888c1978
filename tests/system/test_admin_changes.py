"""What admins change, on the deployed stack: orders on the road of alerts, positions closed, plans with their price."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import uuid4

from shared.trading.ids import execution_id
from tests.system.stack_client import Answer, FollowedStrategy, Stack, wait_for

SYMBOL, MARKET = "ETH/USDT", "ETHUSDT"
ORDER = {"side": "buy", "stopType": "Market", "stopPrice": 1970, "takeProfitPrices": [2030, 2060]}


@dataclass(frozen=True, slots=True)
class Ordered:
    """Three followers, of whom an admin's order reached two."""

    strategy: FollowedStrategy
    trigger_id: str
    answers: list[Answer]


def order(stack: Stack, follower_id: str, body: dict[str, Any], *, key: str) -> Answer:
    headers = {"Authorization": stack.session["adminToken"], "Idempotency-Key": key}
    url = f"{stack.session['api']}/v1/admin/strategy/follower/{follower_id}"
    return stack.request("POST", url, headers=headers, body=body)


def order_at_once(stack: Stack) -> Ordered:
    stack.move_price(MARKET, "2000")
    strategy = stack.add_strategy("ADMINORDERS", followers=3, symbol=SYMBOL)
    first, second, _ = strategy.followers
    body, key = ORDER | {"strategyFollowIds": [second["id"]]}, str(uuid4())
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: order(stack, first["id"], body, key=key), range(8)))
    shown = stack.get(f"/v1/admin/strategy/trigger/history/{strategy.strategy_id}").json()
    (trigger,) = shown["StrategyAutomatedTriggers"]["items"]
    return Ordered(strategy, trigger["id"], answers)


def test_eight_orders_under_one_key_at_once_open_one_position_for_each_named_follower(stack: Stack) -> None:
    ordered = order_at_once(stack)
    assert_one_answer(ordered)
    assert_named_followers_alone_hold_protected_positions(ordered)
    assert_closing_one_follower_leaves_the_other_in_position(stack, ordered)


def assert_one_answer(ordered: Ordered) -> None:
    expected = [
        {"id": execution_id(ordered.trigger_id, one["id"]), "strategyFollowId": one["id"], "status": "QUEUED"}
        for one in ordered.strategy.followers[:2]
    ]
    assert [(answer.status, answer.json()) for answer in ordered.answers] == [(200, {"items": expected})] * 8


def assert_named_followers_alone_hold_protected_positions(ordered: Ordered) -> None:
    def protected() -> bool:
        found = ordered.strategy.executions(ordered.trigger_id)
        return [one["state"] for one in found] == ["PROTECTED"] * 2

    wait_for("both followers are protected", protected)
    accounts = ordered.strategy.accounts()
    assert [len(account["positions"]) for account in accounts] == [1, 1, 0]
    for account in accounts[:2]:
        (stop,) = [one for one in account["openOrders"] if one.get("triggerPrice")]
        assert Decimal(stop["triggerPrice"]) == 1970
    trigger = ordered.strategy.trigger(ordered.trigger_id)
    assert (trigger["strategySource"], trigger["price"]) == ("ADMIN", 2000)


def assert_closing_one_follower_leaves_the_other_in_position(stack: Stack, ordered: Ordered) -> None:
    first = ordered.strategy.followers[0]
    closed = stack.api("DELETE", f"/v1/admin/strategy/follower/{first['id']}")
    assert closed.json() == {
        "items": [
            {"id": execution_id(ordered.trigger_id, first["id"]), "strategyFollowId": first["id"], "status": "CLOSING"}
        ]
    }

    def flat() -> bool:
        account = ordered.strategy.accounts()[0]
        return not account["positions"] and not account["openOrders"]

    wait_for("the follower is flat", flat)
    wait_for("it is booked", lambda: ordered.strategy.executions(ordered.trigger_id)[0]["state"] == "CLOSED")
    assert len(ordered.strategy.accounts()[1]["positions"]) == 1
    rest = stack.api("DELETE", f"/v1/admin/strategy/follower/{ordered.strategy.strategy_id}/all")
    assert [item["strategyFollowId"] for item in rest.json()["items"]] == [ordered.strategy.followers[1]["id"]]


def test_wrong_side_of_the_market_is_refused(stack: Stack) -> None:
    stack.move_price(MARKET, "2000")
    (follower,) = stack.add_strategy("WRONGSIDE", followers=1, symbol=SYMBOL).followers
    answer = order(stack, follower["id"], ORDER | {"stopPrice": 2010}, key=str(uuid4()))
    assert answer.status == 422
    assert answer.json() == {
        "errors": [{"value": 2010, "msg": "must be less than market price", "param": "stopPrice", "location": "body"}]
    }


def test_strategy_is_renamed_and_profile_changed(stack: Stack) -> None:
    name = f"RENAMED {uuid4().hex[:8]}"
    strategy = stack.add_strategy("RENAMED", followers=1, symbol=SYMBOL)
    path = f"/v1/admin/setting/strategy/{strategy.strategy_id}"
    changed = stack.api("PUT", path, body={"name": name, "active": False})
    assert (changed.status, changed.json()["name"], changed.json()["active"]) == (200, name, False)
    taken = stack.api("PUT", path, body={"name": "DEMO"})
    assert (taken.status, taken.json()["errors"][0]["msg"]) == (422, "name already exist")
    letters = "".join(chr(ord("A") + int(digit, 16)) for digit in uuid4().hex)
    made = stack.api("POST", "/v1/admin/setting/strategy/profile", body={"name": letters, "percent": 1.5})
    assert (made.status, made.json()["percentage"]) == (200, 1.5)
    path = f"/v1/admin/setting/strategy/profile/{made.json()['id']}"
    assert stack.api("PUT", path, body={"percent": 1.7}).json()["percentage"] == 1.7


def test_plan_gets_a_product_and_a_price_at_stripe(stack: Stack) -> None:
    name = f"ENTERPRISE {uuid4().hex[:8]}"
    body = {"name": name, "monthlyPriceUSD": 500, "maxBalanceUSD": 500000, "maxApiKey": "50"}
    made = stack.api("POST", "/v1/admin/subscription", body=body)
    assert made.status == 200, made.text
    received = stack.request("GET", f"{stack.session['stripe']}/stand-in/requests", headers={}).json()
    (asked,) = [one for one in received if one["form"].get("product_data", {}).get("name") == name]
    assert (asked["form"]["unit_amount"], asked["idempotencyKey"] is not None) == ("50000", True)
    path = f"/v1/admin/subscription/{made.json()['id']}"
    changed = stack.api("PUT", path, body={"stripePriceId": "price_1L4SsSJfOKOw6aMrXZO4ZA96", "maxApiKey": 10})
    assert (changed.status, changed.json()["stripePriceId"]) == (200, "price_1L4SsSJfOKOw6aMrXZO4ZA96")
    # Two plans of one price would keep Stripe's events about it waiting.
    assert stack.api("PUT", path, body={"stripePriceId": made.json()["stripePriceId"]}).status == 200
    unknown = stack.api("PUT", path, body={"stripePriceId": "price_1L4StTJfOKOw6aMrej5IgRJCx"})
    assert (unknown.status, unknown.json()["errors"][0]["msg"]) == (422, "price id does not exist")
    second = stack.api(
        "POST",
        "/v1/admin/subscription",
        body={"name": f"D {name}", "maxBalanceUSD": 1, "maxApiKey": 1, "default": True},
    )
    assert second.json() == {
        "errors": [{"value": True, "msg": "default already exist", "param": "default", "location": "body"}]
    }
