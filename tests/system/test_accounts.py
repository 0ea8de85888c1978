"""What a key holds and did, and what its user's trades came to, on the deployed stack, after one stopped-out alert."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pytest

from tests.system.stack_client import FollowedStrategy, Stack

SYMBOL, MARKET = "SOL/USDT", "SOLUSDT"
QUERY = f"symbol={quote(SYMBOL, safe='')}"


@dataclass(frozen=True, slots=True)
class StoppedOut:
    """A strategy of one follower whose position the stop has closed."""

    strategy: FollowedStrategy
    execution: dict[str, Any]

    @property
    def key_id(self) -> str:
        """The follower's key."""
        return str(self.execution["api_key_id"])

    @property
    def user_id(self) -> str:
        """The follower's user."""
        return str(self.execution["user_id"])


@pytest.fixture(scope="module")
def stopped_out(stack: Stack) -> StoppedOut:
    stack.move_price(MARKET, "100")
    strategy = stack.add_strategy("ACCOUNTS", followers=1, symbol=SYMBOL)
    alert = {"orderPrice": "100", "stop": "98", "takeProfitPrice1": "103", "takeProfitPrice2": None}
    trigger_id = strategy.fire(**alert, takeProfitPrice3=None)
    strategy.wait_until_all(trigger_id, "PROTECTED")
    stack.move_price(MARKET, "97.5")
    # Sooner than the watcher's next look: an admin's closing finds the account flat, and books the stop.
    assert stack.api("DELETE", f"/v1/admin/strategy/follower/{strategy.strategy_id}/all").status == 200
    (execution,) = strategy.wait_until_all(trigger_id, "CLOSED")
    return StoppedOut(strategy, execution)


def answer(stack: Stack, path: str) -> Any:
    found = stack.get(f"/v1/admin/{path}")
    assert found.status == 200, f"{found.status} {found.text}"
    return found.json()


def test_balance_of_the_key_and_of_its_user_are_the_exchange_s(stack: Stack, stopped_out: StoppedOut) -> None:
    wallet = float(stack.account(stopped_out.strategy.followers[0]["api_key"])["walletBalance"])
    usdt = answer(stack, f"exchange/key/balance/{stopped_out.key_id}")["USDT"]
    assert usdt == {"free": pytest.approx(wallet), "used": 0, "total": pytest.approx(wallet)}
    assert answer(stack, f"account/user/exchange/balance/{stopped_out.user_id}") == {"USD": pytest.approx(wallet)}


def test_histories_of_orders_and_trades_tell_the_stop_once(stack: Stack, stopped_out: StoppedOut) -> None:
    orders = answer(stack, f"exchange/order/{stopped_out.key_id}/history?{QUERY}")
    closed = [(order["type"], order["side"]) for order in orders if order["status"] == "closed"]
    assert closed == [("market", "sell"), ("limit", "buy")]
    stop = next(order for order in orders if order["side"] == "sell" and order["status"] == "closed")
    assert stop["stopPrice"] == 98
    trades = answer(stack, f"exchange/trade/{stopped_out.key_id}/history?{QUERY}")
    assert trades[0]["order"] == stop["id"]
    assert {trade["symbol"] for trade in trades} == {SYMBOL}


def test_follower_of_the_key_is_found(stack: Stack, stopped_out: StoppedOut) -> None:
    path = f"exchange/key/strategy/follower/{stopped_out.key_id}"
    assert answer(stack, f"{path}?{QUERY}")["id"] == stopped_out.strategy.followers[0]["id"]
    assert stack.get(f"/v1/admin/{path}?symbol=BTC%2FUSDT").status == 404
    assert stack.get(f"/v1/admin/{path}").status == 422


def test_balance_history_of_a_new_key_is_a_list_with_its_token(stack: Stack, stopped_out: StoppedOut) -> None:
    found = answer(stack, f"exchange/key/balance/history/{stopped_out.key_id}?start=2022-06-01&limit=1000")
    assert found == {"items": [], "nextToken": None}


def test_history_and_performance_of_the_user_agree(stack: Stack, stopped_out: StoppedOut) -> None:
    history = answer(stack, f"account/user/trade/strategy/{stopped_out.user_id}/history")
    (item,) = history["items"]
    assert history["nextToken"] is None
    assert (item["id"], item["status"]) == (stopped_out.execution["id"], "CLOSED")
    assert item["profit"] < 0

    found = answer(stack, f"account/user/trade/strategy/{stopped_out.user_id}/performance")

    assert (found["trades"], found["losingTrades"], found["profitFactor"]) == (1, 1, 0)
    assert found["totalProfit"] == item["profit"]
    assert found["totalFee"] == item["fee"]
    assert found["maxDrawdown"] == -item["profit"]
    (day,) = found["items"]
    assert day["profit"] == item["profit"]
    assert day["closedBalance"] == found["closedBalance"]


def test_user_who_never_traded_by_hand_has_an_empty_history(stack: Stack, stopped_out: StoppedOut) -> None:
    path = f"account/user/trade/manual/{stopped_out.user_id}"
    assert answer(stack, f"{path}/history") == {"items": [], "nextToken": None}
    assert answer(stack, f"{path}/performance")["trades"] == 0
