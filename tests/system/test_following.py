"""A user connects a key and follows over HTTP, is in the next alert, and leaves: on the deployed stack."""

from __future__ import annotations

import secrets
from typing import Any

from tests.system.stack_client import Answer, Stack, wait_for


class Account:
    """The demo's user, at the Account API."""

    def __init__(self, stack: Stack) -> None:
        self.stack, self.token = stack, stack.session["userToken"]

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.stack.api(method, path, token=self.token, body=body, headers=named)

    def connect(self, **account: Any) -> tuple[Answer, str]:
        """Open an account at the exchange and connect its key; return the answer and the API key."""
        api_key, secret = secrets.token_hex(32), secrets.token_hex(32)
        self.stack.heard.secrets.add(secret)
        self.stack.wait_for_weight()
        self.stack.paper("POST", "accounts", {"apiKey": api_key, "secret": secret, "balances": {"USDT": "10000"}})
        if account:
            self.stack.paper("PUT", f"accounts/{api_key}", account)
        body = {
            "exchangeId": "BINANCE",
            "tradeType": "FUTURES",
            "strategyType": "AUTOMATED",
            "name": "Mine",
            "apiKey": api_key,
            "apiSecretKey": secret,
        }
        return self.call("POST", "/v1/exchange/key", body, Idempotency_Key=secrets.token_hex(8)), api_key


def a_profile(stack: Stack) -> str:
    answer = stack.api("GET", "/v1/admin/setting/strategy/profile/list")
    return str(answer.json()["items"][0]["id"])


def test_user_connects_follows_is_in_the_next_alert_and_leaves(stack: Stack) -> None:
    me, strategy = Account(stack), stack.add_strategy("FOLLOWED", followers=1)
    strategy.wait_until_all(strategy.fire(), "PROTECTED")  # shows the strategy's usual stop
    connected, api_key = me.connect()
    assert connected.status == 200, connected.text
    key_id = connected.json()["id"]
    requirement = me.call("GET", "/v1/exchange/requirement/BINANCE?limit=1000").json()
    shown = next(one for one in requirement["items"] if one["id"] == strategy.strategy_id)
    assert shown["stopPercentage"] == 1.5
    assert 0 < shown["StrategyRiskProfiles"][0]["leastEquity"] < 10_000

    body = {"strategyId": strategy.strategy_id, "apiKeyId": key_id, "riskProfileId": a_profile(stack)}
    followed = me.call("POST", "/v1/strategy/follower", body, Idempotency_Key="once")
    assert followed.status == 200, followed.text
    assert me.call("POST", "/v1/strategy/follower", body, Idempotency_Key="once").json() == followed.json()
    follower = f"/v1/strategy/follower/{followed.json()['id']}"
    ready = me.call("GET", f"{follower}/readiness").json()
    assert (ready["ready"], ready["reasons"]) == (True, [])
    assert ready["amountAt"]["amount"] > 0

    targets = {"takeProfitPrice1": "19700", "takeProfitPrice2": "19400", "takeProfitPrice3": "19000"}
    strategy.fire(type="sell", orderPrice="20000", stop="20300", **targets)
    wait_for("a position", lambda: stack.account(api_key)["positions"] or None)
    assert me.call("DELETE", f"/v1/exchange/key/{key_id}").status == 409

    ended = me.call("DELETE", f"{follower}?positions=CLOSE")
    assert ended.json()["status"] == "ENDING", ended.text
    wait_for("the follower's end", lambda: me.call("GET", f"{follower}/readiness").status == 404)
    account = stack.account(api_key)
    assert (account["positions"], account["openOrders"]) == ([], [])

    deleted = me.call("DELETE", f"/v1/exchange/key/{key_id}")
    assert (deleted.status, deleted.json()) == (200, {"id": key_id, "deleted": True})


def test_unfit_key_is_refused_by_its_codes(stack: Stack) -> None:
    answer, _ = Account(stack).connect(canWithdraw=True, dualSidePosition=True)

    assert answer.status == 422
    assert [one["code"] for one in answer.json()["errors"]] == ["WITHDRAWALS_ENABLED", "HEDGE_MODE"]
