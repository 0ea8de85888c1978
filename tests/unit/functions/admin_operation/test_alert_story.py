"""The whole story of one alert, follower by follower."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from functions.admin_operation import alert_story
from functions.admin_operation.app import lambda_handler
from shared.clock import to_iso
from shared.models.execution import Execution
from shared.models.execution_event import ExecutionEvent
from shared.models.order import Order, OrderStatus
from shared.models.trigger import Trigger
from shared.models.trigger_count import TriggerCount
from shared.trading.execution import CloseReason, DenialReason, ExecutionState
from shared.trading.ids import Leg
from shared.trading.order_planning import OrderType
from shared.trading.sides import Side, TriggerAction
from tests.builders import execution, follower, saved, trigger
from tests.unit.admin_requests import Answer, fault, pages, sample, send
from tests.unit.records import STARTED_AT, a_strategy, id_of

EVENT = "admin_operation/show_alert"
TRIGGER_ID = "48ea8a32-2c0d-4b1e-9e5f-3c2f6a0f7d10"

pytestmark = pytest.mark.usefixtures("admin_api")


def at(milliseconds: int) -> datetime:
    return STARTED_AT + timedelta(milliseconds=milliseconds)


def the_trigger(**values: Any) -> Trigger:
    strategy = a_strategy()
    values = {"fired_at": at(-700), "alert_id": "bar 17", **values}
    return saved(trigger(TRIGGER_ID, strategy_id=strategy.id, at=STARTED_AT, **values))


def an_execution(of: Trigger, name: str, state: ExecutionState, **values: Any) -> Execution:
    found = execution(of, follower(id_of(name), user_id=id_of("user"), api_key_id=id_of("key")), state=state, **values)
    return saved(found)


def an_event(of: Execution, revision: int, state: ExecutionState, ms: int, **values: Any) -> None:
    saved(ExecutionEvent(of.id, revision, at=at(ms), state=state.value, **values))


def an_order(of: Execution, leg: Leg, ms: int, **values: Any) -> None:
    usual: dict[str, Any] = {
        "attempt": 1,
        "type": OrderType.LIMIT,
        "side": Side.BUY,
        "status": OrderStatus.FILLED,
        "created_at": at(ms),
        "sent_at": at(ms + 5),
        "updated_at": at(ms + 9),
    }
    saved(Order(of.id, f"x-{leg.value}", leg=leg, **(usual | values)))


def show(**query: str) -> Answer:
    event = sample(EVENT)
    return send(lambda_handler, event | {"queryStringParameters": query or None})


def test_the_story_of_a_position_that_was_stopped_out() -> None:
    of = the_trigger(reached=1, left_out=0)
    held = an_execution(
        of,
        "held",
        ExecutionState.CLOSED,
        amount=Decimal("0.7"),
        filled_amount=Decimal("0.673"),
        entry_price=Decimal("20005.4"),
        protected_at=at(530),
        naked_ms=118,
        exit_price=Decimal(19800),
        profit=Decimal("-217.08"),
        close_reason=CloseReason.STOP.value,
    )
    an_event(held, 3, ExecutionState.UNPROTECTED, 412)
    an_event(held, 2, ExecutionState.ENTERING, 120, worker="request-1")
    an_event(held, 10, ExecutionState.CLOSED, 60_000)
    an_event(held, 4, ExecutionState.PROTECTED, 530, detail="second try")
    # Client ids are in no order of time.
    an_order(held, Leg.STOP, 420, type=OrderType.STOP_MARKET, trigger_price=Decimal(19800), side=Side.SELL)
    an_order(held, Leg.ENTRY, 130, amount=Decimal("0.7"), price=Decimal(20010), filled=Decimal("0.673"))
    saved(TriggerCount(of.id, 0, active=0, total=1))

    shown = show().body
    assert shown["Alert"] == {
        "id": TRIGGER_ID,
        "strategyId": of.strategy_id,
        "strategyName": "STRATEGY #1",
        "strategySource": "TRADINGVIEW",
        "alertId": "bar 17",
        "symbol": "BTC/USDT",
        "action": "OPEN",
        "tradeSide": "BUY",
        "price": 20000,
        "stopPrice": 19800,
        "stopType": "MARKET",
        "stopAtBreakeven": False,
        "takeProfitPrices": [20200, 20300, 20400],
        "breakevenAfter": None,
        "keep": None,
        "positionSize": None,
        "firedAt": to_iso(at(-700)),
        "createdAt": to_iso(STARTED_AT),
        "msToReceived": 700,
        "superseded": False,
        "active": True,
        "fanoutState": "DONE",
        "executions": 1,
        "executionsActive": 0,
        "reached": 1,
        "leftOut": 0,
    }
    (item,) = shown["items"]
    assert (item["status"], item["closeReason"], item["profit"]) == ("CLOSED", "STOP", Decimal("-217.08"))
    assert (item["msToProtected"], item["nakedMs"], item["complete"]) == (530, 118, True)
    assert [(one["msAfter"], one["status"]) for one in item["events"]] == [
        (120, "ENTERING"),
        (412, "UNPROTECTED"),
        (530, "PROTECTED"),
        (60_000, "CLOSED"),
    ]
    assert (item["events"][0]["worker"], item["events"][2]["detail"]) == ("request-1", "second try")
    entry, stop = item["orders"]
    assert (entry["leg"], entry["filled"], entry["sentAt"]) == ("ENTRY", Decimal("0.673"), to_iso(at(135)))
    assert (stop["leg"], stop["triggerPrice"], stop["side"]) == ("STOP", 19800, "SELL")


def test_the_story_of_a_follower_who_was_denied_is_the_reason() -> None:
    denied = an_execution(the_trigger(), "denied", ExecutionState.DENIED, reason=DenialReason.HALTED, detail="ALL")
    (item,) = show().body["items"]
    assert (item["id"], item["status"], item["reason"], item["detail"]) == (denied.id, "DENIED", "HALTED", "ALL")
    assert item["msToProtected"] is item["nakedMs"] is item["entryPrice"] is None
    assert item["events"] == item["orders"] == []


def test_a_reduction_and_an_update_are_told_as_they_were_accepted() -> None:
    the_trigger(action=TriggerAction.REDUCE, keep_share=Decimal("0.25"), position_size=Decimal(3))
    shown = show().body["Alert"]
    assert (shown["action"], shown["keep"], shown["positionSize"], shown["price"]) == ("REDUCE", 25, 3, None)
    the_trigger(action=TriggerAction.UPDATE, stop_at_breakeven=True)
    shown = show().body["Alert"]
    assert (shown["action"], shown["stopAtBreakeven"], shown["keep"]) == ("UPDATE", True, None)


def test_every_follower_is_on_one_page() -> None:
    of = the_trigger()
    expected = {an_execution(of, str(number), ExecutionState.QUEUED).id for number in range(25)}
    found = pages(lambda_handler, sample(EVENT), limit=7)
    assert [len(page) for page in found] == [7, 7, 7, 4]
    assert {item["id"] for page in found for item in page} == expected
    assert len(show().body["items"]) == 20


def test_an_execution_with_more_events_than_are_shown_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alert_story, "MOST_EVENTS", 3)
    held = an_execution(the_trigger(), "held", ExecutionState.PROTECTED)
    for revision in range(3):
        an_event(held, revision, ExecutionState.PROTECTED, revision)
    assert show().body["items"][0]["complete"] is True
    an_event(held, 3, ExecutionState.CLOSED, 3)
    (item,) = show().body["items"]
    assert (len(item["events"]), item["complete"]) == (3, False)


def test_a_page_ends_once_it_has_as_many_events_and_orders_as_an_answer_may_have(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(alert_story, "MOST_SHOWN", 6)
    of = the_trigger()
    expected = set()
    for number in range(9):
        one = an_execution(of, str(number), ExecutionState.PROTECTED)
        expected.add(one.id)
        an_event(one, 1, ExecutionState.PROTECTED, 1)
        an_order(one, Leg.ENTRY, 1)
    found = pages(lambda_handler, sample(EVENT), limit=4)
    assert [len(page) for page in found] == [3, 3, 3]
    assert {item["id"] for page in found for item in page} == expected


@pytest.mark.parametrize(("age", "complete"), [(timedelta(days=399), True), (timedelta(days=400), False)])
def test_an_execution_whose_events_may_have_expired_says_so(
    monkeypatch: pytest.MonkeyPatch, age: timedelta, complete: bool
) -> None:
    held = an_execution(the_trigger(), "held", ExecutionState.CLOSED)
    an_event(held, 1, ExecutionState.CLOSED, 1)
    monkeypatch.setattr(alert_story, "utc_now", lambda: held.created_at + age)
    assert [item["complete"] for item in show().body["items"]] == [complete]


@pytest.mark.parametrize("limit", ["0", "101", "x"])
def test_a_page_has_100_followers_at_most(limit: str) -> None:
    the_trigger()
    answer = show(limit=limit)
    expected = fault("must be integer from 1 to 100", "limit", "query", value=limit)
    assert (answer.status, answer.body) == (422, {"errors": [expected]})


def test_an_alert_that_is_none_is_not_found() -> None:
    assert show().status == 404
