"""An admin learns what a message for TradingView would do, by the webhook's own reader; nothing is traded or stored."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from functions.admin_setting_strategy.app import lambda_handler
from shared.acceptance import accept_alert
from shared.api.alert_fields import parse_alert
from shared.api.alert_json import parse_alert_json
from shared.api.redaction import REMOVED
from shared.clock import to_iso, utc_now
from shared.errors import RequestUnprocessable
from shared.models.base import Table
from shared.models.strategy import Strategy
from tests.unit.admin_requests import Answer, sample, send, with_body
from tests.unit.in_process_aws import Queues
from tests.unit.records import STRATEGY_ID, a_strategy

EVENT = "admin_setting_strategy/check_message"
ENTRY: dict[str, Any] = {
    "strategy": STRATEGY_ID,
    "secret": "s3cret",
    "type": "buy",
    "position": "long",
    "orderPrice": "20000",
    "stop": "19800",
    "stopType": "market",
    "takeProfit1": "20400",
    "takeProfit2": 20200,
    "takeProfit3": "NaN",
}
EXIT = {"strategy": STRATEGY_ID, "type": "sell", "position": "flat", "stop": "NaN"}

pytestmark = pytest.mark.usefixtures("admin_api")


def check(message: Any, **changes: Any) -> Answer:
    text = message if isinstance(message, str) else json.dumps(message | changes)
    return send(lambda_handler, with_body(sample(EVENT), {"message": text}))


def effects(message: dict[str, Any], **changes: Any) -> dict[str, str]:
    answer = check(message, **changes)
    assert answer.status == 200, answer.text
    assert [one["field"] for one in answer.body["fields"]] == list(message | changes)
    return {one["field"]: one["effect"] for one in answer.body["fields"]}


def everything_stored() -> list[dict[str, Any]]:
    return [record.to_dynamodb_dict() for table in Table.__subclasses__() for record in table.scan()]


def test_entry_is_told_field_by_field() -> None:
    a_strategy()
    assert check(ENTRY).body["action"] == "OPEN"
    assert check(ENTRY).body["effect"] == "Closes a short position, and opens a long one where there is none."
    assert effects(ENTRY, comment="mine", firedAt=to_iso(utc_now())) | {"firedAt": ""} == {
        "strategy": "names the strategy",
        "secret": "is not the strategy's: the webhook answers 401",
        "type": "opens a long position",
        "position": "agrees with type",
        "orderPrice": "opens nothing once the market is more than 60 away from here",
        "stop": "at this price a follower loses the percentage of their risk profile",
        "stopType": "once triggered, the stop closes at the market",
        "takeProfit1": "closes one of 2 equal parts at this price",
        "takeProfit2": "closes one of 2 equal parts at this price",
        "takeProfit3": "counts as absent",
        "comment": "is not read",
        "firedAt": "",
    }


def test_strategys_own_rules_are_part_of_it() -> None:
    a_strategy(take_profit_weights=[Decimal(60), Decimal(30), Decimal(10)], max_chase=Decimal("0.5"), breakeven_after=1)
    told = effects(ENTRY, trailingTrigger=100, callbackRate=1, breakevenAfter=2)
    assert told["takeProfit2"] == "closes 66.67 % of the position at this price"
    assert told["takeProfit1"] == "closes 33.33 % of the position at this price"
    assert told["orderPrice"] == "opens nothing once the market is more than 100 away from here"
    assert told["trailingTrigger"] == "a trailing stop is active from 20100 on"
    assert told["callbackRate"] == "it triggers when the price turns back by 1 %"
    assert told["breakevenAfter"].startswith("moves the stop to break-even once take-profit 2,")
    assert check(ENTRY).body["rules"] == {
        "breakevenAfter": 1,
        "takeProfitWeights": [60, 30, 10],
        "maxChase": Decimal("0.5"),
        "expectEvery": None,
    }


def test_exit_reads_little() -> None:
    a_strategy()
    answer = check(EXIT)
    assert (answer.body["action"], answer.body["effect"]) == ("CLOSE", "Closes an open position, and opens nothing.")
    assert effects(EXIT) == {
        "strategy": "names the strategy",
        "type": "with position, says what the alert is",
        "position": "the strategy is flat",
        "stop": "is not read",
    }


def test_reduction_says_what_remains() -> None:
    a_strategy()
    told = effects({"strategy": STRATEGY_ID, "type": "reduce", "keep": "40", "position": "long"})
    assert told["keep"] == "of the entry's amount 40 % remain"
    assert told["position"] == "means long positions only"
    answer = check({"strategy": STRATEGY_ID, "type": "sell", "position": "long", "positionSize": "0.5"})
    assert (answer.body["action"], answer.body["effect"]) == (
        "REDUCE",
        "Closes a part of a long position, and opens nothing.",
    )


def test_update_says_where_the_stop_is_to_be() -> None:
    a_strategy()
    update = {"strategy": STRATEGY_ID, "type": "update", "takeProfit1": "NaN"}
    answer = check(update, stop="19900", position="long", orderPrice="20100", breakevenAfter="2")
    assert (answer.body["action"], answer.body["effect"]) == (
        "UPDATE",
        "Moves the stop of a long position towards the market, and opens and closes nothing.",
    )
    assert effects(update, stop="19900", position="long", orderPrice="20100", breakevenAfter="2") == {
        "strategy": "names the strategy",
        "type": "with position, says what the alert is",
        "takeProfit1": "counts as absent",
        "stop": "moves the stop here, unless it is nearer to the market already",
        "position": "means long positions only",
        "orderPrice": "with position, the stop must be on its losing side, take-profits on the other",
        "breakevenAfter": "moves the stop to break-even once take-profit 2, counted from the nearest, has filled",
    }
    targets = check(update, takeProfit1="20300")
    assert targets.body["effect"] == "Replaces the take-profits of an open position, and opens and closes nothing."
    told = effects(update, takeProfit1="20300")
    assert told["takeProfit1"] == "takes the place of the old take-profits, with the others of this alert"
    assert (
        effects(update, stop="breakeven")["stop"] == "moves the stop to the entry's price, with the fees of both ways"
    )


# Of every kind of alert, and with every field that the reader asks for in it.
KINDS = [
    ENTRY | {"trailingTrigger": "5", "callbackRate": "1", "breakevenAfter": "1", "winRate": "50", "positionSize": "2"},
    {"type": "close", "position": "flat"},
    {"type": "sell", "position": "flat"},
    {"type": "reduce", "keep": "40", "position": "long", "positionSize": "1"},
    {"type": "sell", "position": "long", "positionSize": "1"},
    {"type": "update", "stop": "19900", "position": "long", "orderPrice": "20000", "breakevenAfter": "2"},
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind["type"])
def test_every_field_that_is_read_has_words(kind: dict[str, Any]) -> None:
    a_strategy()
    message = {"strategy": STRATEGY_ID, "secret": "s3cret", "alertId": "1", "firedAt": to_iso(utc_now())} | kind
    told = effects(message, nonsense="1")
    assert [name for name, effect in told.items() if effect == "is not read"] == ["nonsense"]


def test_entry_after_which_less_is_left_is_a_reduction_as_at_the_webhook() -> None:
    strategy, message = a_strategy(), ENTRY | {"positionSize": "1"}
    entry = parse_alert(parse_alert_json(json.dumps(ENTRY | {"positionSize": "2"}).encode()))
    accept_alert(strategy, entry.instruction, alerts=None, received_at=utc_now() - timedelta(minutes=1))
    assert check(message, positionSize="2").body["action"] == "OPEN"
    assert check(message).body["action"] == "REDUCE"
    assert effects(message)["positionSize"].startswith("is less than at the strategy's latest entry")


def test_old_alert_is_said_to_open_nothing() -> None:
    a_strategy()
    answer = check(ENTRY, firedAt="2022-09-09T01:57:36Z")
    assert answer.body["effect"].endswith("It is too old and opens nothing.")
    assert effects(ENTRY, firedAt="2022-09-09T01:57:36Z")["firedAt"].endswith("more than 60 s ago")


def test_secret_is_compared_and_not_shown() -> None:
    a_strategy(webhook_secret_hash=hashlib.sha256(b"s3cret").hexdigest())
    assert effects(ENTRY)["secret"] == "is the strategy's"
    assert effects(ENTRY, secret="wrong")["secret"] == "is not the strategy's: the webhook answers 401"
    answer = check(ENTRY)
    assert "s3cret" not in answer.text
    assert {one["field"]: one["value"] for one in answer.body["fields"]} == ENTRY | {"secret": REMOVED}
    without = {name: value for name, value in ENTRY.items() if name != "secret"}
    assert check(without).status == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"stop": "20100", "type": "hold"},
        {"takeProfit1": None, "takeProfit2": None},
        {"takeProfit1": "1", "takeProfit2": "2"},
        {"position": "short"},
        {"orderPrice": "{{close}}"},
        {"trailingTrigger": "5"},
        {"strategy": "x"},
    ],
)
def test_faults_are_those_of_the_webhook(changes: dict[str, Any]) -> None:
    a_strategy()
    answer = check(ENTRY, **changes)
    with pytest.raises(RequestUnprocessable) as raised:
        parse_alert(parse_alert_json(json.dumps(ENTRY | changes).encode()))
    assert (answer.status, answer.body["errors"]) == (422, json.loads(json.dumps(raised.value.faults)))


def test_message_of_another_strategy_or_an_inactive_one_is_a_fault() -> None:
    other = "00000000-0000-4000-8000-000000000000"
    a_strategy(active=False)
    assert check(ENTRY).body["errors"] == [
        {"value": STRATEGY_ID, "msg": "must be active", "param": "strategy", "location": "body"}
    ]
    assert check(ENTRY, strategy=other).body["errors"] == [
        {"value": other, "msg": "must be the strategy of this address", "param": "strategy", "location": "body"}
    ]


def test_text_is_read_as_tradingview_writes_it() -> None:
    a_strategy()
    text = json.dumps(ENTRY | {"comment": "two\nlines"}).replace('"NaN"', "NaN").replace("\\n", "\n")
    assert check(text).status == 200


@pytest.mark.parametrize("text", ["", "no json", "[]", '{"a": 1, "a": 2}'])
def test_text_that_is_no_json_object_is_refused_as_at_the_webhook(text: str) -> None:
    a_strategy()
    answer = check(text)
    assert answer.status == 400
    assert answer.body["message"].startswith("message must")


@pytest.mark.parametrize("value", [None, 1, ENTRY, "x" * 16_385, "ä" * 9_000])
def test_message_must_be_text_that_the_webhook_takes(value: Any) -> None:
    a_strategy()
    answer = send(lambda_handler, with_body(sample(EVENT), {"message": value}))
    assert answer.status == 422
    assert [one["msg"] for one in answer.body["errors"]] == ["must be text of at most 16384 bytes"]


def test_nothing_is_stored_or_queued(admin_api: Queues) -> None:
    a_strategy()
    before = everything_stored()
    for message in (ENTRY, EXIT, ENTRY | {"type": "hold"}):
        check(message)
    assert everything_stored() == before
    assert admin_api.sent_to(admin_api.triggers) == []


def test_unknown_strategy_is_404() -> None:
    assert check(ENTRY).status == 404
    assert Strategy.find(STRATEGY_ID) is None
