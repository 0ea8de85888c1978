"""The admin endpoints on the deployed stack, each in its own function with its own role: they see one alert's work."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest

from local.stack.deploy import WEB_ORIGIN
from tests.system.stack_client import FollowedStrategy, Stack, wait_for

SYMBOL, MARKET = "ETH/USDT", "ETHUSDT"
# A test that moves a price past stops does it here: the positions that tests share are in the other market.
MOVED_SYMBOL, MOVED_MARKET = "SOL/USDT", "SOLUSDT"


@dataclass(frozen=True, slots=True)
class Traded:
    """A strategy whose followers are in position."""

    strategy: FollowedStrategy
    trigger_id: str

    @property
    def follower(self) -> dict[str, Any]:
        """Its first follower."""
        return self.strategy.followers[0]


ALERT = {
    "orderPrice": "2000",
    "stop": "1970",
    "takeProfitPrice1": "2030",
    "takeProfitPrice2": "2060",
    "takeProfitPrice3": None,
}


@pytest.fixture(scope="module")
def traded(stack: Stack) -> Traded:
    return open_positions(stack, "ADMINAPI", followers=2)


def open_positions(stack: Stack, name: str, *, followers: int, symbol: str = SYMBOL, market: str = MARKET) -> Traded:
    stack.move_price(market, "2000")
    strategy = stack.add_strategy(name, followers=followers, symbol=symbol)
    traded = Traded(strategy, strategy.fire(**ALERT))
    strategy.wait_until_all(traded.trigger_id, "PROTECTED")
    return traded


def answer(stack: Stack, method: str, path: str, body: Any = None) -> Any:
    found = stack.api(method, f"/v1/admin/{path}", body=body)
    assert found.status == 200, f"{found.status} {found.text}"
    return found.json()


def test_strategies_profiles_and_plans_are_listed_oldest_first_and_newest_first(stack: Stack) -> None:
    strategies = answer(stack, "GET", "setting/strategy/list")["items"]
    assert strategies[0]["name"] == "DEMO"
    assert "secret" not in json.dumps(strategies).lower()
    # Other tests add to the lists: at the end where the oldest come first, at the beginning of the plans.
    profiles = answer(stack, "GET", "setting/strategy/profile/list")["items"]
    assert [(one["name"], one["percentage"]) for one in profiles[:3]] == [
        ("CONSERVATIVE", 1.5),
        ("MODERATE", 2),
        ("AGGRESSIVE", 3),
    ]
    plans = answer(stack, "GET", "subscription/list")["items"]
    assert [one["name"] for one in plans[-3:]] == ["PRO", "STANDARD", "DEFAULT"]


def test_a_page_ends_with_a_token_that_leads_on(stack: Stack) -> None:
    first = answer(stack, "GET", "setting/strategy/profile/list?limit=2")
    second = answer(stack, "GET", f"setting/strategy/profile/list?limit=2&nextToken={first['nextToken']}")
    assert [one["name"] for one in first["items"]] == ["CONSERVATIVE", "MODERATE"]
    assert second["items"][0]["name"] == "AGGRESSIVE"


def test_followers_of_a_strategy_are_listed(stack: Stack, traded: Traded) -> None:
    items = answer(stack, "GET", f"strategy/follower/{traded.strategy.strategy_id}/list")["items"]
    assert {item["id"] for item in items} == {follower["id"] for follower in traded.strategy.followers}


def test_keys_of_a_user_are_listed_without_their_secret(stack: Stack, traded: Traded) -> None:
    listed = answer(stack, "GET", f"strategy/follower/{traded.strategy.strategy_id}/list")["items"]
    user_id = next(one for one in listed if one["id"] == traded.follower["id"])["ExchangeKey"]["User"]["id"]
    keys = answer(stack, "GET", f"account/user/exchange/key/{user_id}/list")["items"]
    assert [key["id"] for key in keys] == [traded.follower["api_key_id"]]
    assert traded.follower["api_secret"] not in json.dumps(keys)


def test_positions_and_orders_are_read_from_the_exchange(stack: Stack, traded: Traded) -> None:
    key_id = traded.follower["api_key_id"]
    (position,) = answer(stack, "GET", f"exchange/position/{key_id}/list")
    assert position["symbol"] == SYMBOL
    orders = answer(stack, "GET", f"exchange/order/{key_id}/list?symbol={SYMBOL.replace('/', '%2F')}")
    assert sorted(order["type"] for order in orders) == ["limit", "limit", "stop_market"]


def test_triggers_are_shown_with_their_executions(traded: Traded) -> None:
    trigger = traded.strategy.trigger(traded.trigger_id)
    assert trigger["takeProfit"] == [2030, 2060]
    assert len(trigger["StrategyAutomatedHistories"]["items"]) == 2


def test_a_timeline_says_of_each_follower_how_it_went_in_json_and_in_csv(stack: Stack, traded: Traded) -> None:
    path = f"/v1/admin/strategy/trigger/{traded.trigger_id}/timeline"
    first = stack.get(f"{path}?limit=1")
    assert first.headers["Content-Type"] == "application/json"
    rest = stack.get(f"{path}?format=csv&nextToken={first.json()['nextToken']}")
    assert rest.headers["Content-Type"] == "text/csv; charset=utf-8"
    (item,), (row,) = first.json()["items"], csv.DictReader(io.StringIO(rest.text, newline=""))
    assert {item["strategyFollowId"], row["strategyFollowId"]} == {one["id"] for one in traded.strategy.followers}
    # Both bought at the market's price, which was the alert's.
    assert (item["slippage"], row["slippage"], row["Trigger.price"]) == (0, "0", "2000")
    assert 0 <= item["msToFilled"] <= item["msToProtected"]
    assert row["stateTimes.QUEUED"] <= row["stateTimes.UNPROTECTED"] <= row["stateTimes.PROTECTED"]
    whole = stack.api("GET", f"{path}?limit=1", headers={"Accept": "text/csv"})
    headers = {name.lower(): value for name, value in whole.headers.items()}
    assert headers["content-disposition"] == f'attachment; filename="timeline-{traded.trigger_id}.csv"'
    assert stack.get(f"{path}?nextToken={headers['x-next-token']}").json()["items"][0]["id"] == row["id"]


def test_a_new_strategy_can_be_made_and_fired_with_its_own_secret(stack: Stack) -> None:
    api_key, api_secret = uuid4().hex, uuid4().hex
    stack.paper("POST", "accounts", {"apiKey": api_key, "secret": api_secret, "balances": {"USDT": "10"}})
    made = answer(
        stack,
        "POST",
        "setting/strategy",
        {
            "name": f"MADE {uuid4().hex[:8]}",
            "exchangeId": "BINANCE",
            "symbol": SYMBOL,
            "reportExchangeApiKey": api_key,
            "reportExchangeApiSecretKey": api_secret,
        },
    )
    webhook = answer(stack, "POST", f"setting/strategy/{made['id']}/webhook")
    assert webhook["url"] == f"{stack.session['webhook']}/v1/webhook/strategy"
    strategy = FollowedStrategy(stack, made["id"], webhook["secret"], [])
    trigger_id = strategy.fire(**ALERT)
    wait_for("the trigger without followers is over", lambda: not strategy.trigger(trigger_id)["active"])


def test_a_report_key_that_the_exchange_refuses_makes_no_strategy(stack: Stack) -> None:
    refused = stack.api(
        "POST",
        "/v1/admin/setting/strategy",
        body={
            "name": "REFUSED",
            "exchangeId": "BINANCE",
            "symbol": SYMBOL,
            "reportExchangeApiKey": "unknown",
            "reportExchangeApiSecretKey": "unknown",
        },
    )
    assert (refused.status, refused.json()) == (433, {"error": "exchange API authorization failed (1103)"})


def test_maintenance_stops_requests_and_nothing_else(stack: Stack) -> None:
    held = open_positions(stack, "MAINTENANCE", followers=1, symbol=MOVED_SYMBOL, market=MOVED_MARKET)

    def statuses() -> tuple[int, int]:
        listed = stack.get("/v1/admin/setting/strategy/profile/list")
        alert = stack.webhook(held.strategy.alert(secret="wrong"))
        return listed.status, alert.status

    assert statuses() == (200, 401)
    stack.maintenance("on")
    try:
        wait_for("API and webhook are in maintenance", lambda: statuses() == (503, 503), timeout_s=20)
        refused = stack.webhook(held.strategy.alert(**ALERT, type="sell"))
        assert (refused.status, refused.json()) == (503, {"message": "temporarily offline for maintenance"})

        stack.move_price(MOVED_MARKET, "1960")

        def closed_by_stop() -> bool:
            stack.watch()
            return {one["state"] for one in held.strategy.executions(held.trigger_id)} == {"CLOSED"}

        wait_for("the stopped-out position is booked", closed_by_stop, timeout_s=120)
        assert held.strategy.accounts()[0]["openOrders"] == []
        assert statuses() == (503, 503)
    finally:
        stack.maintenance("off")
    wait_for("API and webhook are back", lambda: statuses() == (200, 401), timeout_s=20)


def test_closing_a_strategys_followers_leaves_them_flat(stack: Stack) -> None:
    traded = open_positions(stack, "CLOSEDBYADMIN", followers=2)
    path = f"strategy/follower/{traded.strategy.strategy_id}/all"
    closing = answer(stack, "DELETE", path)["items"]
    assert {item["strategyFollowId"] for item in closing} == {one["id"] for one in traded.strategy.followers}
    traded.strategy.wait_until_all(traded.trigger_id, "CLOSED")
    for account in traded.strategy.accounts():
        assert account["positions"] == []
        assert account["openOrders"] == []
    assert answer(stack, "DELETE", path)["items"] == []


def test_browsers_of_the_one_web_page_are_let_in_whole(stack: Stack) -> None:
    """Preflight, answer and refusal carry the headers; a browser needs all three."""
    path, origin = "/v1/admin/setting/strategy/list", {"Origin": WEB_ORIGIN}
    preflight = stack.api(
        "OPTIONS",
        path,
        token=None,
        headers={**origin, "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"},
    )
    answers = [preflight, stack.api("GET", path, headers=origin), stack.api("GET", path, token=None, headers=origin)]
    assert [one.status for one in answers] == [200, 200, 401]
    for one in answers:
        headers = {name.lower(): value for name, value in one.headers.items()}
        assert headers["access-control-allow-origin"] == WEB_ORIGIN
        assert "access-control-allow-credentials" not in headers
    allowed = {name.lower(): value for name, value in preflight.headers.items()}
    assert allowed["access-control-allow-methods"] == "GET,OPTIONS"
    assert "Authorization" in allowed["access-control-allow-headers"].split(",")
