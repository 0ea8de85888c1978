"""The documented examples of the webhook, on the deployed stack."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.contract.examples import assert_same, load
from tests.contract.world import World

EXAMPLE = load("automated_strategy")
TAKE_PROFITS = ("takeProfit", "takeProfit1", "takeProfit2", "takeProfit3")


@pytest.fixture(scope="module")
def strategy_id(world: World) -> Iterator[str]:
    """Return the documented strategy, which the documented secret fires."""
    wanted = EXAMPLE.request
    world.add_strategy("DOCUMENTED ALERT", strategy_id=wanted["strategy"], webhook_secret=wanted["secret"])
    world.stack.move_price("BTCUSDT", wanted["orderPrice"])
    yield wanted["strategy"]
    world.stack.move_price("BTCUSDT", "20000")


def without(*names: str) -> dict[str, Any]:
    return {name: value for name, value in EXAMPLE.request.items() if name not in names}


@pytest.mark.parametrize("content_type", ["application/json", "text/plain; charset=utf-8"])
def test_alert_is_accepted_to_the_letter(world: World, strategy_id: str, content_type: str) -> None:
    answer = world.stack.webhook(EXAMPLE.request, content_type=content_type)
    assert answer.status == 200, answer.text
    # The example shows nothing here: what tells a repeat from a new alert is its trigger's id.
    assert_same(answer.json(), {"id": "aa51c3f9-5b54-4927-98ef-d30ac182886c"})
    history = world.stack.get(load("list_history").at(strategy_id)).json()
    (trigger,) = history["StrategyAutomatedTriggers"]["items"]
    shown = {name: trigger[name] for name in ("id", "tradeSide", "price", "stop", "stopType", "takeProfit")}
    assert shown == {
        "id": answer.json()["id"],
        "tradeSide": "BUY",
        "price": 19286.5,
        "stop": 19280.4,
        "stopType": "LIMIT",
        "takeProfit": [19288, 19289.5, 19291.1],
    }


@pytest.mark.parametrize("secret", ["wrong", "", None])
def test_wrong_secret(world: World, strategy_id: str, secret: str | None) -> None:
    answer = world.stack.webhook(EXAMPLE.request | {"secret": secret})
    assert (answer.status, answer.json()) == (401, EXAMPLE.response(401))


def test_empty_body(world: World) -> None:
    answer = world.stack.webhook({})
    assert (answer.status, answer.json()) == (422, EXAMPLE.response(422))


def test_without_a_take_profit(world: World) -> None:
    body = without("takeProfit", "takeProfitPrice1", "takeProfitPrice2", "takeProfitPrice3")
    answer = world.stack.webhook(body)
    assert (answer.status, answer.json()) == (422, EXAMPLE.response(422, number=1))
