"""Whatever is sent, the webhook answers what the documentation knows: never a fault of ours."""

from __future__ import annotations

import base64
import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.api.alert_json import parse_alert_json
from shared.api.json_text import write_json
from tests.unit.functions.strategy_webhook.webhook import DOCUMENTED, SELL, Webhook

FIELDS = sorted(
    {
        *DOCUMENTED,
        *SELL,
        "takeProfit1",
        "takeProfit2",
        "takeProfit3",
        "alertId",
        "firedAt",
        "keep",
        "position",
        "positionSize",
        "other",
    }
)

# One webhook serves all examples of a test: what was stored before is part of what may go wrong.
many = settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

text = st.text(st.characters(), max_size=40)
numbers = st.one_of(
    st.integers(),
    st.floats(),
    st.decimals().map(str),
    st.from_regex(r"-?[0-9]{1,40}(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,12})?", fullmatch=True),
    st.sampled_from(["19286.5", "19300", "19200", 19250, "0.1", "NaN", "-0", "1e-400", "9" * 200, "", None]),
)
words = st.sampled_from(
    [
        "buy",
        "SELL",
        "close",
        "reduce",
        "update",
        "breakeven",
        "flat",
        "Long",
        "market",
        "Limit",
        DOCUMENTED["strategy"],
        "secret",
        "{{timenow}}",
        "\ud800",
    ]
)
values: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, words, text),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(text, inner, max_size=3)),
    max_leaves=6,
)
wild = st.dictionaries(st.sampled_from(FIELDS), values, max_size=14)
nearly_right = st.builds(
    lambda base, changes: {**base, **changes},
    st.sampled_from([DOCUMENTED, SELL]),
    st.dictionaries(st.sampled_from(FIELDS), values, max_size=2),
)
raw_numbers = st.from_regex(r"-?(0|[1-9][0-9]{0,400})(\.[0-9]{1,400})?([eE][+-]?[0-9]{1,30})?", fullmatch=True)


def check(webhook: Webhook, body: str) -> None:
    answer = webhook.send(body)
    assert answer.status in {200, 400, 401, 422}
    match answer.status:
        case 200:
            assert list(answer.body) == ["id"]
        case 400:
            assert list(answer.body) == ["message"]
        case 401:
            assert answer.body == {"error": "unauthorized"}
        case 422:
            assert answer.body["errors"]
            assert all(error["msg"] for error in answer.body["errors"])
            assert all(error["param"] != "secret" for error in answer.body["errors"])


@many
@given(fields=wild)
def test_any_fields(webhook: Webhook, fields: dict[str, Any]) -> None:
    check(webhook, json.dumps(fields))


@many
@given(fields=nearly_right)
def test_an_alert_with_something_wrong(webhook: Webhook, fields: dict[str, Any]) -> None:
    check(webhook, json.dumps(fields))


@many
@given(name=st.sampled_from(FIELDS), number=raw_numbers)
def test_any_number_that_json_can_spell(webhook: Webhook, name: str, number: str) -> None:
    rest = {key: value for key, value in SELL.items() if key != name}
    check(webhook, json.dumps(rest)[:-1] + f', "{name}": {number}}}')


@many
@given(body=st.one_of(text, st.text(alphabet='{}[]",:0123456789.eE+-ntrufalsNI \\', max_size=60)))
def test_any_text(webhook: Webhook, body: str) -> None:
    check(webhook, body)


@many
@given(body=st.binary(max_size=200), encoded=st.booleans())
def test_any_bytes(webhook: Webhook, body: bytes, encoded: bool) -> None:
    content = base64.b64encode(body).decode() if encoded else body.decode("latin-1")
    event = {"rawPath": "/v1/webhook/strategy", "requestContext": {"http": {"method": "POST"}}}
    assert webhook.invoke({**event, "body": content, "isBase64Encoded": True}).status in {400, 422}


@settings(max_examples=300)
@given(number=raw_numbers)
def test_a_number_is_echoed_digit_for_digit(number: str) -> None:
    assert write_json(parse_alert_json(f'{{"a": [{number}]}}'.encode())) == f'{{"a":[{number}]}}'


@settings(max_examples=300)
@given(fields=st.dictionaries(text, values, max_size=4))
def test_any_value_is_echoed_as_json_of_the_same_value(fields: dict[str, Any]) -> None:
    body = json.dumps(fields)
    assert json.loads(write_json(parse_alert_json(body.encode()))) == json.loads(body, parse_constant=str)
