from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from functions.admin_strategy import service
from functions.admin_strategy.app import lambda_handler
from shared.models.trigger import Trigger
from shared.trading.execution import ExecutionState
from shared.trading.sides import Side, StopType, StrategySource, TriggerAction
from tests.unit.admin_requests import fault, sample, send
from tests.unit.records import STRATEGY_ID, a_follower, a_strategy, a_trigger, after, an_execution, an_exit, id_of

EVENT = "admin_strategy/list_history"

pytestmark = pytest.mark.usefixtures("admin_api")


def history(**query: str) -> Any:
    answer = send(lambda_handler, sample(EVENT, query=query or None))
    assert answer.status == 200, answer.text
    return answer.body


def triggers_of(body: Any) -> list[str]:
    return [item["id"] for item in body["StrategyAutomatedTriggers"]["items"]]


def with_executions(trigger: Trigger, count: int, *, state: ExecutionState = ExecutionState.CLOSED) -> set[str]:
    return {an_execution(trigger, a_follower(f"{trigger.id} {number}"), state=state).id for number in range(count)}


def test_history_is_shown_as_documented_newest_first() -> None:
    a_strategy()
    older = a_trigger(
        "older",
        seq=1,
        strategy_source=StrategySource.ADMIN,
        side=Side.SELL,
        stop_type=StopType.LIMIT,
        take_profits=[],
    )
    newer = a_trigger("newer", seq=2, at=after(5), updated_at=after(7), active=True)
    ended = an_execution(newer, a_follower("ended"), state=ExecutionState.DENIED)
    open_still = an_execution(newer, a_follower("open"), state=ExecutionState.PROTECTED)
    body = history()
    shown = body["StrategyAutomatedTriggers"]["items"][0]["StrategyAutomatedHistories"]["items"]
    assert sorted(shown, key=lambda item: str(item["id"])) == sorted(
        [{"id": ended.id, "active": False}, {"id": open_still.id, "active": True}], key=lambda item: str(item["id"])
    )
    assert body == {
        "active": True,
        "exchangeId": "BINANCE",
        "symbol": "BTC/USDT",
        "StrategyAutomatedTriggers": {
            "items": [
                {
                    "id": newer.id,
                    "active": True,
                    "strategySource": "TRADINGVIEW",
                    "tradeSide": "BUY",
                    "price": 21600,
                    "stop": 21300,
                    "stopType": "MARKET",
                    "takeProfit": [22300, 22310],
                    "createdAt": "2022-09-09T02:02:36.304Z",
                    "updatedAt": "2022-09-09T02:04:36.304Z",
                    "StrategyAutomatedHistories": {"items": shown},
                },
                {
                    "id": older.id,
                    "active": False,
                    "strategySource": "ADMIN",
                    "tradeSide": "SELL",
                    "price": 21600,
                    "stop": 21300,
                    "stopType": "LIMIT",
                    "takeProfit": [],
                    "createdAt": "2022-09-09T01:57:36.304Z",
                    "updatedAt": "2022-09-09T01:57:36.304Z",
                    "StrategyAutomatedHistories": {"items": []},
                },
            ]
        },
    }


def test_strategy_without_triggers_has_an_empty_history() -> None:
    a_strategy(active=False)
    a_trigger("another's", seq=1, strategy_id=id_of("another"))
    assert history() == {
        "active": False,
        "exchangeId": "BINANCE",
        "symbol": "BTC/USDT",
        "StrategyAutomatedTriggers": {"items": []},
    }


def test_history_is_paged_by_trigger() -> None:
    a_strategy()
    for seq in range(1, 8):
        # Ten comes after nine: the order is that of acceptance, not of text.
        a_trigger(f"trigger {seq}", seq=seq + 5, at=after(seq))
    seen: list[str] = []
    query = {"limit": "3"}
    sizes = []
    while True:
        page = history(**query)
        sizes.append(len(triggers_of(page)))
        seen += triggers_of(page)
        if "nextToken" not in page["StrategyAutomatedTriggers"]:
            break
        query["nextToken"] = page["StrategyAutomatedTriggers"]["nextToken"]
    assert sizes == [3, 3, 1]
    assert seen == [id_of(f"trigger {seq}") for seq in range(7, 0, -1)]


@pytest.mark.parametrize("count", [99, 100, 101, 250])
def test_executions_of_a_trigger_come_a_hundred_at_a_time(count: int) -> None:
    a_strategy()
    a_trigger("older", seq=1)
    trigger = a_trigger("newer", seq=2)
    expected = with_executions(trigger, count)
    seen: list[str] = []
    page = history()
    assert triggers_of(page) == [trigger.id, id_of("older")]
    histories = page["StrategyAutomatedTriggers"]["items"][0]["StrategyAutomatedHistories"]
    while True:
        seen += [item["id"] for item in histories["items"]]
        assert len(histories["items"]) <= 100
        if "nextToken" not in histories:
            break
        page = history(nextToken=histories["nextToken"])
        assert triggers_of(page) == [trigger.id]
        assert "nextToken" not in page["StrategyAutomatedTriggers"]
        histories = page["StrategyAutomatedTriggers"]["items"][0]["StrategyAutomatedHistories"]
    assert len(seen) == count
    assert set(seen) == expected


def test_page_with_too_many_executions_ends_early_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "_ENOUGH_HISTORIES", 4)
    monkeypatch.setattr(service, "_CHUNK", 2)
    a_strategy()
    for seq in range(1, 6):
        with_executions(a_trigger(f"trigger {seq}", seq=seq), 2)
    first = history()
    assert triggers_of(first) == [id_of("trigger 5"), id_of("trigger 4")]
    second = history(nextToken=first["StrategyAutomatedTriggers"]["nextToken"])
    third = history(nextToken=second["StrategyAutomatedTriggers"]["nextToken"])
    assert triggers_of(second) + triggers_of(third) == [id_of(f"trigger {seq}") for seq in (3, 2, 1)]
    assert "nextToken" not in third["StrategyAutomatedTriggers"]


def test_forged_token_is_a_fault() -> None:
    a_strategy()
    answer = send(lambda_handler, sample(EVENT, query={"nextToken": "eyJiZWZvcmVfc2VxIjo5fQ"}))
    assert answer.status == 422
    assert answer.body == {
        "errors": [fault("must be nextToken of this list", "nextToken", "query", value="eyJiZWZvcmVfc2VxIjo5fQ")]
    }


def test_token_of_another_strategy_is_a_fault() -> None:
    a_strategy()
    other = id_of("another")
    a_strategy(other)
    for seq in (1, 2):
        a_trigger(f"trigger {seq}", seq=seq)
    token = history(limit="1")["StrategyAutomatedTriggers"]["nextToken"]
    answer = send(lambda_handler, sample(EVENT, path=(STRATEGY_ID, other), query={"nextToken": token}))
    assert answer.status == 422


def test_unknown_strategy_is_not_found() -> None:
    answer = send(lambda_handler, sample(EVENT))
    assert (answer.status, answer.body) == (404, {"message": "route not found"})


def test_exit_is_shown_with_its_action_and_without_side_and_prices() -> None:
    a_strategy()
    a_trigger("entry", seq=1)
    close = an_exit("close", seq=2)
    answered = an_execution(close, a_follower("Ada"), state=ExecutionState.DONE)
    shown, entry = history()["StrategyAutomatedTriggers"]["items"]
    assert (shown["id"], shown["action"]) == (close.id, "CLOSE")
    assert [shown[name] for name in ("tradeSide", "price", "stop", "stopType", "takeProfit")] == [None] * 4 + [[]]
    assert shown["StrategyAutomatedHistories"] == {"items": [{"id": answered.id, "active": False}]}
    assert "action" not in entry


def test_entry_shows_the_target_that_moves_its_stop_only_if_it_names_one() -> None:
    a_strategy()
    a_trigger("without", seq=1)
    a_trigger("with", seq=2, breakeven_after=2)
    shown = history()["StrategyAutomatedTriggers"]["items"]
    assert [item.get("breakevenAfter") for item in shown] == [2, None]


def test_reduction_is_shown_with_what_it_asks_for() -> None:
    a_strategy()
    an_exit("close", seq=1)
    an_exit("part", seq=2, action=TriggerAction.REDUCE, keep_share=Decimal("0.25"))
    reduction, close = history()["StrategyAutomatedTriggers"]["items"]
    assert (reduction["action"], reduction["keep"], reduction["positionSize"]) == ("REDUCE", 25, None)
    assert "keep" not in close
