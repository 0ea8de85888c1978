"""The webhook's answers, to the letter of the documentation."""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from functions.strategy_webhook import app, service
from shared.clock import from_iso
from shared.models.strategy import Strategy
from shared.trading.sides import Side, StopType, StrategySource
from shared.trading.signal import Signal, Trailing
from tests.unit.functions.strategy_webhook.webhook import DOCUMENTED, SELL, STRATEGY_ID, Webhook, save_strategy
from tests.unit.in_process_aws import aws_client

FIVE_FAULTS = {
    "errors": [
        {"msg": "must be UUID", "param": "strategy", "location": "body"},
        {"msg": "must be greater than 0", "param": "orderPrice", "location": "body"},
        {"msg": "must be supported trade side", "param": "type", "location": "body"},
        {"msg": "must be greater than 0", "param": "stop", "location": "body"},
        {"msg": "must be supported order type", "param": "stopType", "location": "body"},
    ]
}
NO_TAKE_PROFIT = {
    "errors": [
        {
            "msg": "must include at least one takeProfit",
            "param": "_error",
            "nestedErrors": [
                {"msg": "must be greater than 0", "param": "takeProfit", "location": "body"},
                {"msg": "must be greater than 0", "param": "takeProfit1", "location": "body"},
                {"msg": "must be greater than 0", "param": "takeProfit2", "location": "body"},
                {"msg": "must be greater than 0", "param": "takeProfit3", "location": "body"},
            ],
        }
    ]
}
UNAUTHORIZED = {"error": "unauthorized"}


def without(fields: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in names}


def faults(webhook: Webhook, fields: dict[str, Any], **changes: object) -> list[dict[str, Any]]:
    answer = webhook.post(fields, **changes)
    assert answer.status == 422
    errors: list[dict[str, Any]] = answer.body["errors"]
    return errors


def test_the_documented_alert_is_stored_and_queued_before_it_is_answered(webhook: Webhook) -> None:
    answer = webhook.post(DOCUMENTED)
    assert answer.status == 200
    [trigger] = webhook.triggers()
    assert answer.body == {"id": trigger.id}
    assert webhook.queued() == [trigger.id]
    assert trigger.signal() == Signal(
        side=Side.BUY,
        order_price=Decimal("19286.5"),
        stop=Decimal("19280.4"),
        stop_type=StopType.LIMIT,
        take_profits=(Decimal(19288), Decimal("19289.5"), Decimal("19291.1")),
        trailing=Trailing(trigger=Decimal(95), callback_rate=Decimal(2)),
    )
    assert (trigger.strategy_source, trigger.strategy_id, trigger.symbol) == (
        StrategySource.TRADINGVIEW,
        STRATEGY_ID,
        "BTC/USDT",
    )
    assert (trigger.seq, trigger.win_rate, trigger.active, trigger.created_at) == (1, "49.55", True, webhook.now)


def test_trigger_keeps_the_rules_that_its_strategy_had_at_the_acceptance(webhook: Webhook) -> None:
    weights = [Decimal(50), Decimal(30), Decimal(20)]
    save_strategy(breakeven_after=1, take_profit_weights=weights, max_chase=Decimal("0.5"))
    webhook.post(DOCUMENTED)
    save_strategy()
    [trigger] = webhook.triggers()
    assert (trigger.breakeven_after, trigger.take_profit_weights, trigger.max_chase) == (1, weights, Decimal("0.5"))
    assert trigger.signal().weights == tuple(weights)


@pytest.mark.parametrize("name", ["alert", "alert_as_text", "alert_in_base64", "rest_api"])
def test_sample_alerts_are_accepted_however_they_are_wrapped(webhook: Webhook, name: str) -> None:
    assert webhook.sample(name).status == 200
    assert len(webhook.triggers()) == 1


@pytest.mark.parametrize(
    ("name", "status", "body"),
    [
        ("empty_object", 422, FIVE_FAULTS),
        ("without_take_profit", 422, NO_TAKE_PROFIT),
        ("wrong_secret", 401, UNAUTHORIZED),
        ("not_json", 400, {"message": "body must be JSON"}),
        ("unknown_route", 404, {"message": "route not found"}),
    ],
)
def test_sample_refusals(webhook: Webhook, name: str, status: int, body: object) -> None:
    answer = webhook.sample(name)
    assert (answer.status, answer.body) == (status, body)
    assert webhook.triggers() == []


@pytest.mark.parametrize(
    "body",
    [
        None,
        "",
        "null",
        "[]",
        '"text"',
        "1",
        "true",
        "{",
        '{"a": 1} {}',
        "[" * 9000,
        '{"a": ' + "[" * 100 + "]" * 100 + "}",
    ],
)
def test_a_body_that_is_no_json_object_is_400(webhook: Webhook, body: str | None) -> None:
    answer = webhook.send(body)
    assert answer.status == 400
    assert list(answer.body) == ["message"]


def test_16_kib_are_taken_and_a_byte_more_is_400(webhook: Webhook) -> None:
    body = json.dumps(DOCUMENTED)
    filled = body + " " * (16 * 1024 - len(body))
    assert webhook.send(filled).status == 200
    assert webhook.send(filled + " ").status == 400


def test_the_size_counts_in_bytes_after_base64(webhook: Webhook) -> None:
    body = json.dumps({**DOCUMENTED, "note": "é" * 9000}, ensure_ascii=False)
    assert len(body) < 16 * 1024
    assert webhook.send(body).status == 400
    long = base64.b64encode(json.dumps(DOCUMENTED).ljust(16 * 1024).encode()).decode()
    event = {"rawPath": "/v1/webhook/strategy", "requestContext": {"http": {"method": "POST"}}}
    assert webhook.invoke({**event, "body": long, "isBase64Encoded": True}).status == 200


@pytest.mark.parametrize("body", ["%%%", base64.b64encode(b"\xff\xfe{}").decode()])
def test_bad_base64_and_bad_utf_8_are_400(webhook: Webhook, body: str) -> None:
    event = {"rawPath": "/v1/webhook/strategy", "requestContext": {"http": {"method": "POST"}}}
    assert webhook.invoke({**event, "body": body, "isBase64Encoded": True}).status == 400


def test_a_field_named_twice_is_400(webhook: Webhook) -> None:
    body = json.dumps(DOCUMENTED)[:-1] + ', "type": "sell"}'
    answer = webhook.send(body)
    assert (answer.status, answer.body) == (400, {"message": "body must not name a field twice"})


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/webhook/strategy"),
        ("POST", "/"),
        ("POST", "/v1/webhook/strategy/x"),
        ("PUT", "/v1/webhook/strategy"),
    ],
)
def test_other_routes_are_404(webhook: Webhook, method: str, path: str) -> None:
    answer = webhook.send(json.dumps(DOCUMENTED), method=method, path=path)
    assert (answer.status, answer.body) == (404, {"message": "route not found"})


def test_an_empty_event_is_404(webhook: Webhook) -> None:
    assert webhook.invoke({}).status == 404


def test_a_given_value_is_echoed_as_it_was_written(webhook: Webhook) -> None:
    body = (
        '{"strategy": null, "secret": 5, "orderPrice": -1.50, "type": ["buy"], "stop": 1e999999,'
        ' "stopType": {"a": 1.0, "b": [true]}}'
    )
    event = {"rawPath": "/v1/webhook/strategy", "requestContext": {"http": {"method": "POST"}}, "body": body}
    raw = service_answer(webhook, event)
    assert '"value":-1.50' in raw
    assert '"value":1e999999' in raw
    assert '"value":{"a":1.0,"b":[true]}' in raw
    values = [error.get("value", "none") for error in json.loads(raw)["errors"]]
    assert values[0] is None
    assert values[2] == ["buy"]
    assert "secret" not in raw


def service_answer(webhook: Webhook, event: dict[str, Any]) -> str:
    answer = app.lambda_handler(event, webhook.context)  # type: ignore[arg-type]
    assert answer["statusCode"] == 422
    return str(answer["body"])


@pytest.mark.parametrize(
    "value", [0, "0", -1, "-1", "abc", "1_000", "\u0661", True, [], {}, "", None, "NaN", "Infinity", "1e99999"]
)
def test_a_price_that_is_no_positive_number_is_a_fault(webhook: Webhook, value: object) -> None:
    assert faults(webhook, DOCUMENTED, orderPrice=value) == [
        {"value": value, "msg": "must be greater than 0", "param": "orderPrice", "location": "body"}
    ]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("1e13", "must be at most 1000000000000"),
        ("1e9999", "must be at most 1000000000000"),
        ("1e-13", "must be at least 0.000000000001"),
        ("1e-9999", "must be at least 0.000000000001"),
        ("1." + "1" * 34, "must have at most 34 digits"),
    ],
)
def test_a_price_that_cannot_be_stored_exactly_is_a_fault(webhook: Webhook, value: str, message: str) -> None:
    assert [fault["msg"] for fault in faults(webhook, DOCUMENTED, orderPrice=value)] == [message]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("19286.5", "19286.5"),
        ('" 19286.5 "', "19286.5"),
        ("1.92865e4", "19286.5"),
        ("19286.50000000000000000000001", None),
    ],
)
def test_numbers_are_exact_decimals(webhook: Webhook, written: str, value: str | None) -> None:
    body = json.dumps(without(DOCUMENTED, "orderPrice"))[:-1] + f', "orderPrice": {written}}}'
    assert webhook.send(body).status == 200
    assert webhook.triggers()[0].price == Decimal(value or written)


def test_nan_without_quotes_means_absent_and_infinity_is_a_fault(webhook: Webhook) -> None:
    body = json.dumps({**SELL, "takeProfit1": float("nan"), "winRate": float("nan")})
    assert "NaN" in body
    assert webhook.send(body).status == 200
    assert webhook.triggers()[0].win_rate == "NaN"
    assert [error["value"] for error in faults(webhook, SELL, stop=float("inf"))] == ["Infinity"]


@pytest.mark.parametrize(
    ("name", "word"), [("type", "\u017fell"), ("stopType", "mar\u212aet"), ("stopType", "l\u0131mit")]
)
def test_a_word_that_becomes_ascii_in_another_case_is_a_fault(webhook: Webhook, name: str, word: str) -> None:
    assert [(error["param"], error["value"]) for error in faults(webhook, SELL, **{name: word})] == [(name, word)]


@pytest.mark.parametrize(("side", "expected"), [("buy", Side.BUY), ("Buy", Side.BUY), ("BUY", Side.BUY)])
@pytest.mark.parametrize(("stop_type", "expected_type"), [("market", StopType.MARKET), ("LIMIT", StopType.LIMIT)])
def test_side_and_stop_type_in_any_case(
    webhook: Webhook, side: str, expected: Side, stop_type: str, expected_type: StopType
) -> None:
    assert webhook.post(DOCUMENTED, type=side, stopType=stop_type).status == 200
    [trigger] = webhook.triggers()
    assert (trigger.side, trigger.stop_type) == (expected, expected_type)


@pytest.mark.parametrize(
    "absent",
    [None, "", " ", "NaN", "nan", " NAN\t", "na", "NA", " Na ", "N/A", "n/a", "\tN/a\n", "null", "NULL", " Null\r\n"],
)
def test_absent_optional_prices_are_no_fault(webhook: Webhook, absent: object) -> None:
    names = ("takeProfit1", "takeProfit2", "takeProfit3", "trailingTrigger", "callbackRate")
    assert webhook.post(SELL, **dict.fromkeys(names, absent)).status == 200
    [trigger] = webhook.triggers()
    assert trigger.signal().take_profits == (Decimal(19200),)
    assert trigger.signal().trailing is None


def test_take_profits_under_both_names(webhook: Webhook) -> None:
    table = without(SELL, "takeProfit") | {"takeProfit1": "19200", "takeProfit2": "NaN", "takeProfitPrice2": "19100"}
    assert webhook.post(table, takeProfitPrice1="19150").status == 200
    assert webhook.triggers()[0].take_profits == [Decimal(19200), Decimal(19100)]


def test_four_take_profits_keep_the_order_of_the_table(webhook: Webhook) -> None:
    assert webhook.post(SELL, takeProfit1=19100, takeProfit2=19000, takeProfit3=18900).status == 200
    assert webhook.triggers()[0].take_profits == [Decimal(19200), Decimal(19100), Decimal(19000), Decimal(18900)]


def test_the_nested_faults_echo_what_was_given(webhook: Webhook) -> None:
    [group] = faults(webhook, without(DOCUMENTED, "takeProfitPrice1"), takeProfitPrice2="NaN", takeProfitPrice3="-1")
    assert group["nestedErrors"] == [
        {"value": "NaN", "msg": "must be greater than 0", "param": "takeProfit", "location": "body"},
        {"msg": "must be greater than 0", "param": "takeProfit1", "location": "body"},
        {"value": "NaN", "msg": "must be greater than 0", "param": "takeProfit2", "location": "body"},
        {"value": "-1", "msg": "must be greater than 0", "param": "takeProfit3", "location": "body"},
    ]


def test_the_take_profit_group_waits_until_the_single_fields_pass(webhook: Webhook) -> None:
    found = faults(webhook, without(SELL, "takeProfit", "stopType"))
    assert [error["param"] for error in found] == ["stopType"]


def test_a_wrong_take_profit_beside_a_good_one_is_a_fault_of_its_own(webhook: Webhook) -> None:
    assert faults(webhook, SELL, takeProfit1="abc", takeProfitPrice2=19300) == [
        {"value": "abc", "msg": "must be greater than 0", "param": "takeProfit1", "location": "body"},
        {"value": 19300, "msg": "must be less than orderPrice", "param": "takeProfitPrice2", "location": "body"},
    ]


@pytest.mark.parametrize(
    ("fields", "stop", "message"),
    [
        (DOCUMENTED, "19286.5", "must be less than orderPrice"),
        (DOCUMENTED, "19300", "must be less than orderPrice"),
        (SELL, "19286.5", "must be greater than orderPrice"),
        (SELL, "19000", "must be greater than orderPrice"),
    ],
)
def test_a_stop_on_the_winning_side_is_a_fault(
    webhook: Webhook, fields: dict[str, Any], stop: str, message: str
) -> None:
    assert faults(webhook, fields, stop=stop) == [
        {"value": stop, "msg": message, "param": "stop", "location": "body"},
    ]


@pytest.mark.parametrize("price", ["19286.5", "19000"])
def test_a_take_profit_on_the_losing_side_is_a_fault(webhook: Webhook, price: str) -> None:
    assert faults(webhook, DOCUMENTED, takeProfit=price) == [
        {"value": price, "msg": "must be greater than orderPrice", "param": "takeProfit", "location": "body"},
    ]


def test_trailing_trigger_and_callback_rate_go_together(webhook: Webhook) -> None:
    assert faults(webhook, without(DOCUMENTED, "callbackRate")) == [
        {"value": "95", "msg": "must use with callbackRate", "param": "trailingTrigger", "location": "body"},
    ]
    assert faults(webhook, DOCUMENTED, trailingTrigger="NaN") == [
        {"value": "2", "msg": "must use with trailingTrigger", "param": "callbackRate", "location": "body"},
    ]


@pytest.mark.parametrize("rate", ["0.09", "10.01", "0", "-1", "abc", True])
def test_a_callback_rate_out_of_bounds_is_a_fault(webhook: Webhook, rate: object) -> None:
    assert faults(webhook, DOCUMENTED, callbackRate=rate) == [
        {"value": rate, "msg": "must be between 0.1 and 10", "param": "callbackRate", "location": "body"},
    ]


@pytest.mark.parametrize("rate", ["0.1", "10", 5])
def test_callback_rates_within_bounds_are_taken(webhook: Webhook, rate: object) -> None:
    assert webhook.post(DOCUMENTED, callbackRate=rate).status == 200


def test_every_fault_comes_at_once_in_the_order_of_the_table(webhook: Webhook) -> None:
    found = faults(webhook, {"firedAt": "noon", "alertId": [], "callbackRate": 11, "trailingTrigger": -1, "stop": 0})
    assert [error["param"] for error in found] == [
        "strategy",
        "orderPrice",
        "type",
        "stop",
        "stopType",
        "trailingTrigger",
        "callbackRate",
        "alertId",
        "firedAt",
    ]


@pytest.mark.parametrize("absent", ["na", "N/A", "null", "NaN"])
@pytest.mark.parametrize("name", ["orderPrice", "stop"])
def test_a_price_that_every_alert_needs_must_not_be_absent(webhook: Webhook, name: str, absent: str) -> None:
    assert faults(webhook, SELL, **{name: absent}) == [
        {"value": absent, "msg": "must be greater than 0", "param": name, "location": "body"}
    ]


@pytest.mark.parametrize("almost", ["nana", "n a", "n//a", "nul", "nulll", "none", "-", "nan0", "NaN NaN", "#N/A"])
def test_other_texts_do_not_mean_absent(webhook: Webhook, almost: str) -> None:
    assert [error["param"] for error in faults(webhook, SELL, trailingTrigger=almost)] == ["trailingTrigger"]


@pytest.mark.parametrize("blanks", [" {} ", "\t{}\r\n", "\n{}", "\u00a0{}\u2003"])
def test_texts_are_stripped_as_numbers_are(webhook: Webhook, blanks: str) -> None:
    texts = {
        **SELL,
        "orderPrice": "19286.5",
        "stop": "19299.9",
        "takeProfit": "19200",
        "alertId": "alert 7",
        "firedAt": "2022-09-09T01:57:35Z",
        "winRate": "49.55",
    }
    answer = webhook.post({name: blanks.format(value) for name, value in texts.items()})
    assert answer.status == 200
    [trigger] = webhook.triggers()
    assert (trigger.side, trigger.stop_type, trigger.price) == (Side.SELL, StopType.MARKET, Decimal("19286.5"))
    assert (trigger.win_rate, trigger.fired_at) == ("49.55", from_iso("2022-09-09T01:57:35Z"))
    assert webhook.post(texts).body == answer.body


@pytest.mark.parametrize("control", ["\n", "\r\n", "\t", "\x00", "\x1f", "\x0b"])
@pytest.mark.parametrize("name", ["comment", "winRate", "message\nof the script"])
def test_a_control_character_in_a_text_that_is_not_used_costs_no_entry(
    webhook: Webhook, name: str, control: str
) -> None:
    assert webhook.send(json.dumps(SELL)[:-1] + f', "{name}": "first{control}second"}}').status == 200
    assert len(webhook.triggers()) == 1


@pytest.mark.parametrize("encoded", [False, True])
def test_a_byte_order_mark_costs_no_entry(webhook: Webhook, encoded: bool) -> None:
    text = "\ufeff" + json.dumps(SELL)
    body = base64.b64encode(text.encode()).decode() if encoded else text
    http = {"method": "POST", "path": "/v1/webhook/strategy"}
    event = {"rawPath": http["path"], "requestContext": {"http": http}, "body": body, "isBase64Encoded": encoded}
    assert webhook.invoke(event).status == 200


@pytest.mark.parametrize("value", ["NaN", None, True, [], {}, "", "x" * 1000, "\ud800", 49.55])
def test_win_rate_is_never_a_fault(webhook: Webhook, value: object) -> None:
    assert webhook.post(DOCUMENTED, winRate=value).status == 200


def test_unknown_fields_are_ignored(webhook: Webhook) -> None:
    assert webhook.post(DOCUMENTED, note="x", nested={"a": [1]}).status == 200


def test_the_firing_time_is_stored(webhook: Webhook) -> None:
    assert webhook.post(DOCUMENTED, firedAt="2022-09-09T01:57:35Z").status == 200
    fired_at = webhook.triggers()[0].fired_at
    assert fired_at is not None
    assert fired_at.isoformat() == "2022-09-09T01:57:35+00:00"


@pytest.mark.parametrize(
    "value", ["{{timenow}}", "2022-09-09", "2022-13-09T01:57:35Z", "9999-12-31T23:59:59-14:00", 1662688655, True]
)
def test_a_malformed_firing_time_is_a_fault(webhook: Webhook, value: object) -> None:
    assert faults(webhook, DOCUMENTED, firedAt=value) == [
        {"value": value, "msg": "must be ISO 8601 time", "param": "firedAt", "location": "body"},
    ]


@pytest.mark.parametrize("value", ["x" * 129, "\ud800", True, []])
def test_an_alert_id_that_cannot_be_stored_is_a_fault(webhook: Webhook, value: object) -> None:
    assert faults(webhook, DOCUMENTED, alertId=value) == [
        {"value": value, "msg": "must be text of at most 128 characters", "param": "alertId", "location": "body"},
    ]


@pytest.mark.parametrize("secret", ["wrong", "", None, 5, ["secret"], "\ud800", "SECRET"])
def test_a_wrong_secret_is_401(webhook: Webhook, secret: object) -> None:
    answer = webhook.post(DOCUMENTED, secret=secret)
    assert (answer.status, answer.body) == (401, UNAUTHORIZED)


def test_a_number_as_secret_does_not_pass_for_its_digits(webhook: Webhook) -> None:
    save_strategy(secret="5")
    assert webhook.post(DOCUMENTED, secret=5).status == 401
    assert webhook.post(DOCUMENTED, secret="5").status == 200


def test_missing_secret_unknown_strategy_and_strategy_without_secret_are_401_alike(webhook: Webhook) -> None:
    without_secret = "8f14e45f-ceea-467f-a0c1-7e9f0b1f2a33"
    save_strategy(without_secret, secret=None)
    answers = [
        webhook.post(without(DOCUMENTED, "secret")),
        webhook.post(DOCUMENTED, strategy="00000000-0000-4000-8000-000000000000"),
        webhook.post(DOCUMENTED, strategy=without_secret),
        webhook.post(DOCUMENTED, strategy=without_secret, secret=""),
        webhook.post(DOCUMENTED, strategy=without_secret, secret="-" * 64),
    ]
    assert {(answer.status, json.dumps(answer.body)) for answer in answers} == {(401, json.dumps(UNAUTHORIZED))}
    assert webhook.triggers() == []


def test_every_refused_secret_is_hashed_and_compared(webhook: Webhook, monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[int, int]] = []

    def compare(given: str, expected: str) -> bool:
        compared.append((len(given), len(expected)))
        return given == expected

    monkeypatch.setattr(hmac, "compare_digest", compare)
    webhook.post(DOCUMENTED, secret="wrong")
    webhook.post(without(DOCUMENTED, "secret"))
    webhook.post(DOCUMENTED, strategy="00000000-0000-4000-8000-000000000000")
    assert compared == [(64, 64)] * 3


@pytest.mark.parametrize(
    "changes", [{"secret": "wrong"}, {"secret": None}, {"strategy": "00000000-0000-4000-8000-000000000000"}]
)
def test_no_401_comes_sooner_than_any_other(webhook: Webhook, changes: dict[str, object]) -> None:
    started = time.monotonic()
    assert webhook.post(DOCUMENTED, **changes).status == 401
    assert time.monotonic() - started >= app.REFUSAL_S


def test_faults_come_before_401(webhook: Webhook) -> None:
    assert webhook.post(DOCUMENTED, secret="wrong", type="hold").status == 422
    assert webhook.post(without(SELL, "takeProfit", "secret")).status == 422


def test_an_inactive_strategy_is_422_after_the_secret(webhook: Webhook) -> None:
    save_strategy(active=False)
    assert faults(webhook, DOCUMENTED) == [
        {"value": STRATEGY_ID, "msg": "must be active", "param": "strategy", "location": "body"},
    ]
    assert webhook.post(DOCUMENTED, secret="wrong").status == 401
    assert webhook.triggers() == []


def test_a_strategy_id_in_capitals_is_the_same_strategy(webhook: Webhook) -> None:
    assert webhook.post(DOCUMENTED, strategy=STRATEGY_ID.upper()).status == 200
    assert webhook.triggers()[0].strategy_id == STRATEGY_ID


def test_maintenance_is_503_and_stores_nothing(webhook: Webhook, maintenance: Callable[[str], None]) -> None:
    maintenance("on")
    answer = webhook.post(DOCUMENTED)
    assert answer.status == 503
    assert list(answer.body) == ["message"]
    assert webhook.triggers() == []
    maintenance("off")
    assert webhook.post(DOCUMENTED).status == 200


@pytest.mark.rings("AlertFailedAlarm")
def test_a_fault_of_ours_is_500_with_the_request_id_and_nothing_else(
    webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError("table secrets at 10.0.0.1")

    monkeypatch.setattr(service, "accept_alert", fail)
    answer = webhook.post(DOCUMENTED)
    assert (answer.status, answer.body) == (500, {"message": "internal server error"})
    assert answer.headers["x-request-id"] == webhook.context.aws_request_id


SENDER = {"x-edge-secret": "s" * 43, "cloudfront-viewer-address": "52.89.214.238:46532"}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (SENDER, 200),
        (SENDER | {"cloudfront-viewer-address": "203.0.113.9:46532"}, 403),
        (SENDER | {"cloudfront-viewer-address": "2001:db8::1:46532"}, 403),
        ({"x-edge-secret": "s" * 43}, 403),
        ({"cloudfront-viewer-address": "52.89.214.238:46532"}, 403),
    ],
)
@pytest.mark.parametrize("encoded", [False, True])
def test_behind_cloudfront_only_known_senders_fire_a_strategy(
    webhook: Webhook, settings_from: Callable[..., None], headers: dict[str, str], status: int, encoded: bool
) -> None:
    aws_client("ssm").put_parameter(Name="/lockstep/edge-secret", Type="SecureString", Value="s" * 43)
    settings_from(EDGE_SECRET_PARAMETER="/lockstep/edge-secret", ALERT_SENDERS="52.89.214.238/32,34.212.75.30/32")
    body = json.dumps(DOCUMENTED)
    text = base64.b64encode(body.encode()).decode() if encoded else body
    answer = webhook.invoke(
        {
            "rawPath": "/v1/webhook/strategy",
            "requestContext": {"http": {"method": "POST", "path": "/v1/webhook/strategy"}},
            "headers": headers,
            "body": text,
            "isBase64Encoded": encoded,
        }
    )
    assert answer.status == status
    if status == 403:
        assert answer.body == {"message": "forbidden"}
    assert len(webhook.triggers()) == (status == 200)


@pytest.mark.parametrize(
    ("value", "kept"),
    [(1, 1), ("4", 4), (" 2 ", 2), ("3.0", 3), ("NaN", None), ("", None), (None, None)],
)
def test_break_even_waits_for_the_target_that_the_alert_names(
    webhook: Webhook, value: object, kept: int | None
) -> None:
    assert webhook.post(DOCUMENTED, breakevenAfter=value).status == 200
    [trigger] = webhook.triggers()
    assert (trigger.breakeven_after, trigger.signal().breakeven_after) == (kept, kept)


@pytest.mark.parametrize("value", [0, 5, -1, 1.5, "1e1", "first", True, [1], {"target": 1}, "Infinity"])
def test_break_even_after_no_target_is_refused(webhook: Webhook, value: object) -> None:
    found = [(fault["param"], fault["msg"]) for fault in faults(webhook, DOCUMENTED, breakevenAfter=value)]
    assert found == [("breakevenAfter", "must be integer from 1 to 4")]


@pytest.mark.parametrize(("value", "kept"), [("3", 3), (None, 2)])
def test_break_even_of_the_alert_goes_before_the_strategys(webhook: Webhook, value: object, kept: int) -> None:
    Strategy.get(STRATEGY_ID).update(actions=[Strategy.breakeven_after.set(2)])
    assert webhook.post(DOCUMENTED, breakevenAfter=value).status == 200
    assert [trigger.breakeven_after for trigger in webhook.triggers()] == [kept]
