"""What an operator changes and sees while the business runs, on the deployed stack."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

from local.stack.deploy import client
from local.stack.places import STACK_NAME
from shared.messages import VERSION
from tests.system.stack_client import Answer, FollowedStrategy, Stack, wait_for

HALT = "/v1/admin/operation/halt"


def overview(stack: Stack) -> dict[str, Any]:
    answer = stack.get("/v1/admin/operation/overview")
    assert answer.status == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def halt(stack: Stack, scope: str, reason: str) -> Answer:
    return stack.api("PUT", f"{HALT}/{scope}", body={"reason": reason})


def scopes_halted(stack: Stack) -> dict[str, str]:
    return {one["scope"]: one["reason"] for one in overview(stack)["halts"]}


def test_a_halted_strategy_enters_nothing_until_it_is_resumed(stack: Stack) -> None:
    stack.move_price("BTCUSDT", "20000")
    strategy = stack.add_strategy("HALTED", followers=1)
    scope = f"strategy:{strategy.strategy_id}"
    assert halt(stack, scope, "its alerts contradict each other").status == 200
    try:
        wait_for("the overview shows the halt", lambda: scope in scopes_halted(stack))
        assert scopes_halted(stack)[scope] == "its alerts contradict each other"
        (denied,) = strategy.wait_until_all(strategy.fire(), "DENIED")
        assert denied["reason"] == "HALTED"
    finally:
        answer = stack.api("DELETE", f"{HALT}/{scope}")
    assert (answer.status, answer.json()["halted"]) == (200, False)
    wait_for("the overview shows no halt", lambda: scope not in scopes_halted(stack))
    assert_next_alert_enters_and_an_exit_is_never_halted(stack, strategy)


def assert_next_alert_enters_and_an_exit_is_never_halted(stack: Stack, strategy: FollowedStrategy) -> None:
    trigger_id = strategy.fire(orderPrice="20000.1")
    strategy.wait_until_all(trigger_id, "PROTECTED")
    (shown,) = [one for one in overview(stack)["alerts"] if one["id"] == trigger_id]
    assert (shown["strategyId"], shown["fanoutState"], shown["active"]) == (strategy.strategy_id, "DONE", True)
    scope = f"strategy:{strategy.strategy_id}"
    assert halt(stack, scope, "exits go on").status == 200
    try:
        closed = stack.api("DELETE", f"/v1/admin/strategy/follower/{strategy.strategy_id}/all")
        assert closed.status == 200, closed.text
        strategy.wait_until_all(trigger_id, "CLOSED")
    finally:
        assert stack.api("DELETE", f"{HALT}/{scope}").status == 200


def test_the_overview_shows_lanes_queues_and_open_executions(stack: Stack) -> None:
    shown = overview(stack)
    lanes = {lane["lane"]: lane for lane in shown["lanes"]}
    assert 0 < lanes["lane-1"]["Weight"]["left"]["NAKED"] <= lanes["lane-1"]["Weight"]["limit"]
    queues = {queue["queue"]: queue for queue in shown["queues"]}
    for name in ("triggers.fifo", "orders.fifo", "stripe-events.fifo", "notices"):
        assert all(isinstance(queues[name][count], int) for count in ("waiting", "inFlight", "deadLetters")), name
    assert isinstance(queues["trade-events"]["deadLetters"], int)
    assert shown["Attention"]["open"].keys() >= {"QUEUED", "PROTECTED"}


def test_operations_go_on_during_maintenance_and_end_it(stack: Stack) -> None:
    path = "/v1/admin/operation/maintenance"
    assert stack.api("PUT", path, body={"active": True}).json() == {"active": True}
    try:
        wait_for(
            "the API is in maintenance",
            lambda: stack.get("/v1/admin/setting/notification").status == 503,
            timeout_s=20,
        )
        wait_for("the overview says so", lambda: overview(stack)["maintenance"], timeout_s=20)
    finally:
        answer = stack.api("PUT", path, body={"active": False})
    assert answer.json() == {"active": False}
    wait_for("the API is back", lambda: stack.get("/v1/admin/setting/notification").status == 200, timeout_s=20)


def test_a_lane_is_configured(stack: Stack) -> None:
    path = "/v1/admin/operation/lane/lane-1"
    before = stack.api("PUT", path, body={}).json()
    try:
        answer = stack.api("PUT", path, body={"weightLimit": 2399})
        assert (answer.status, answer.json()["weightLimit"]) == (200, 2399)
        lanes = {lane["lane"]: lane for lane in overview(stack)["lanes"]}
        assert lanes["lane-1"]["Weight"]["limit"] == 2399
    finally:
        stack.api("PUT", path, body={"weightLimit": before["weightLimit"]})
    assert stack.api("PUT", path, body={"weightLimit": 1}).status == 422
    assert stack.api("PUT", "/v1/admin/operation/lane/lane-17", body={}).status == 404


def test_dead_letters_are_shown_and_sent_back(stack: Stack) -> None:
    sqs = client("sqs", stack.running.places)
    dead = sqs.get_queue_url(QueueName=f"{STACK_NAME}-reconcile-dead-letters")["QueueUrl"]
    # About nothing, so that its reader drops it.
    body = json.dumps({"version": VERSION, "execution_id": str(uuid4())})
    sqs.send_message(QueueUrl=dead, MessageBody=body)
    path = "/v1/admin/operation/dead-letter"
    for _ in range(2):
        shown = stack.get(f"{path}/list?queue=reconcile").json()["items"]
        assert body in [one["body"] for one in shown]
    answer = stack.api("POST", f"{path}/redrive", body={"queue": "reconcile"})
    assert (answer.status, answer.json()["left"]) == (200, 0)
    assert answer.json()["sent"] == len(shown)
    assert stack.get(f"{path}/list?queue=reconcile").json() == {"items": []}


def test_an_admin_looks_at_one_alert_one_key_and_what_its_owner_was_told(stack: Stack) -> None:
    stack.move_price("BTCUSDT", "20000")
    strategy = stack.add_strategy("ONEALERT", followers=1)
    (follower,) = strategy.followers
    trigger_id = strategy.fire()
    (execution,) = strategy.wait_until_all(trigger_id, "PROTECTED")

    story = stack.get(f"/v1/admin/operation/alert/{trigger_id}").json()
    assert (story["Alert"]["strategyName"], story["Alert"]["fanoutState"]) == ("ONEALERT", "DONE")
    (item,) = story["items"]
    assert (item["strategyFollowId"], item["status"]) == (follower["id"], "PROTECTED")
    assert [one["status"] for one in item["events"]][-1] == "PROTECTED"
    assert {"ENTRY", "STOP"} <= {one["leg"] for one in item["orders"]}
    assert item["msToProtected"] > 0

    key = f"/v1/admin/exchange/key/{execution['api_key_id']}"
    stack.wait_for_weight()
    inspected = stack.api("POST", f"{key}/inspect")
    assert (inspected.status, inspected.json()["reasons"]) == (200, []), inspected.text
    verdict = stack.get(f"{key}/readiness").json()
    assert (verdict["ready"], verdict["current"]) == (True, True)
    assert verdict["checkedAt"] >= inspected.json()["checkedAt"]

    def told() -> bool:
        notices = stack.get(f"/v1/admin/account/user/notice/{execution['user_id']}/list").json()["items"]
        return any(one["kind"] == "POSITION_OPENED" and one["Telegram"]["outcome"] != "PENDING" for one in notices)

    wait_for("the owner is told of the position", told)
    assert stack.api("DELETE", f"/v1/admin/strategy/follower/{strategy.strategy_id}/all").status == 200
    strategy.wait_until_all(trigger_id, "CLOSED")
