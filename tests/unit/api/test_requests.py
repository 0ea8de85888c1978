from __future__ import annotations

import base64
import json
from typing import Any, ClassVar, TypedDict

import pytest

from shared.api.fields import UNCHANGED, ApiSecretText, Flag, Name, Percentage, Symbol, TradeTypeName
from shared.api.json_text import write_json
from shared.api.requests import Body, ListQuery, fault, read_body, read_query
from shared.errors import RequestInvalid, RequestUnprocessable


class Thing(TypedDict):
    id: str
    name: str
    active: bool
    createdAt: str


class NewThing(Body):
    answer: ClassVar[type] = Thing

    active: Flag = UNCHANGED
    name: Name
    symbol: Symbol
    api_secret: ApiSecretText


class NewShare(Body):
    answer: ClassVar[type] = Thing

    percentage: Percentage


class ThingQuery(ListQuery):
    trade_type: TradeTypeName | None = None


GOOD = {"name": "x", "symbol": "BTC/USDT", "apiSecret": "s3cret"}


def body_faults(body: object) -> list[dict[str, object]]:
    with pytest.raises(RequestUnprocessable) as raised:
        read_body({"body": json.dumps(body)}, NewThing)
    return raised.value.faults


def query_faults(query: dict[str, str], **options: Any) -> list[dict[str, object]]:
    with pytest.raises(RequestUnprocessable) as raised:
        read_query({"queryStringParameters": query}, ThingQuery, path="/v1/things", **options)
    return raised.value.faults


def test_body_is_read_by_its_documented_names() -> None:
    read = read_body({"body": json.dumps(GOOD | {"active": False})}, NewThing)
    assert (read.name, read.symbol, read.api_secret, read.active) == ("x", "BTC/USDT", "s3cret", False)
    assert read.changes() == {"name": "x", "symbol": "BTC/USDT", "api_secret": "s3cret", "active": False}


def test_every_fault_comes_at_once_in_the_documented_order() -> None:
    assert body_faults({"surprise": 1, "symbol": "BTCUSDT", "active": "yes"}) == [
        {"value": "yes", "msg": "must be boolean", "param": "active", "location": "body"},
        {"msg": "must be text of 1 to 100 characters", "param": "name", "location": "body"},
        {"value": "BTCUSDT", "msg": "must be format BASE/QUOTE", "param": "symbol", "location": "body"},
        {"msg": "must be API secret key", "param": "apiSecret", "location": "body"},
        {"msg": "unknown field", "param": "surprise", "location": "body"},
    ]


@pytest.mark.parametrize("secret", [5, "", "with blank", ["s3cret"], None])
def test_secret_is_never_echoed(secret: object) -> None:
    (only,) = body_faults(GOOD | {"apiSecret": secret})
    assert only == {"msg": "must be API secret key", "param": "apiSecret", "location": "body"}


@pytest.mark.parametrize("name", ["APISecret", "apikey", "key", "\ud800", "", "active.x", "\x00"])
@pytest.mark.parametrize("value", ["s3cret", {"a": ["s3cret"]}, 7, None])
def test_value_of_an_unknown_field_is_never_echoed(name: str, value: object) -> None:
    (only,) = body_faults(GOOD | {name: value})
    assert only == {"msg": "unknown field", "param": name, "location": "body"}


def test_unknown_fields_follow_the_faults_of_the_known_ones_and_of_the_request() -> None:
    first = fault("must be text", param="Idempotency-Key", location="headers", value="x")
    with pytest.raises(RequestUnprocessable) as raised:
        read_body({"body": json.dumps({"b": 1, "a": 1, **GOOD, "active": 0})}, NewThing, faults=[first])
    assert [one["param"] for one in raised.value.faults] == ["Idempotency-Key", "active", "b", "a"]


@pytest.mark.parametrize(
    "body",
    [
        '{"name": "x", "symbol": "BTC/USDT", "apiSecret": "a", "apiSecret": "b"}',
        '{"name": "x", "n\\u0061me": "y"}',
        '{"name": {"a": 1, "a": 1}}',
        '{"id": 1, "id": 1}',
    ],
)
def test_field_that_stands_twice_is_invalid(body: str) -> None:
    with pytest.raises(RequestInvalid, match="must not name a field twice"):
        read_body({"body": body}, NewThing)


@pytest.mark.parametrize("levels", [33, 200, 330])
@pytest.mark.parametrize("name", ["active", "surprise", "id"])
def test_body_with_too_many_levels_is_invalid(levels: int, name: str) -> None:
    value = "[" * (levels - 1) + "]" * (levels - 1)
    with pytest.raises(RequestInvalid, match="nested that deep"):
        read_body({"body": f'{{"{name}": {value}}}'}, NewThing)


def test_body_with_the_most_levels_is_read() -> None:
    value = "[" * 31 + "]" * 31
    with pytest.raises(RequestUnprocessable) as raised:
        read_body({"body": f'{{"active": {value}}}'}, NewThing)
    assert write_json(raised.value.faults[0]["value"]) == value


@pytest.mark.parametrize("encoded", [False, True])
def test_body_may_begin_with_a_byte_order_mark(encoded: bool) -> None:
    text = "\ufeff" + json.dumps(GOOD)
    body = base64.b64encode(text.encode()).decode() if encoded else text
    assert read_body({"body": body, "isBase64Encoded": encoded}, NewThing).name == "x"


@pytest.mark.parametrize(
    "number",
    [
        "1e1000000000000000000",
        "-1E+1000000000000000000",
        "0e999999999999999999999",
        "1e-1000000000000000000",
        "0." + "0" * 5000 + "1",
        "9" * 5000,
        "1e9999",
    ],
)
def test_number_beyond_every_bound_is_a_fault_of_its_field(number: str) -> None:
    with pytest.raises(RequestUnprocessable) as raised:
        read_body({"body": f'{{"percentage": {number}}}'}, NewShare)
    (only,) = raised.value.faults
    assert only["msg"] == "must be greater than 0 and at most 100"
    assert write_json(only["value"]).lower().replace("+", "") == number.lower().replace("+", "")


def test_fields_of_the_answer_that_cannot_be_changed_are_ignored() -> None:
    read = read_body({"body": json.dumps(GOOD | {"id": 7, "createdAt": None})}, NewThing)
    assert read.name == "x"


@pytest.mark.parametrize("value", [None, 1, 0, "true", [], {}])
def test_only_booleans_are_booleans(value: object) -> None:
    (only,) = body_faults(GOOD | {"active": value})
    assert only == {"value": value, "msg": "must be boolean", "param": "active", "location": "body"}


@pytest.mark.parametrize("symbol", ["BTCUSDT", "btc/usdt", "BTC/USDT:USDT", "BTC/", "/USDT", "BTC/USDT\n", 5, None])
def test_symbol_must_be_base_and_quote(symbol: object) -> None:
    (only,) = body_faults(GOOD | {"symbol": symbol})
    assert only["msg"] == "must be format BASE/QUOTE"


@pytest.mark.parametrize("name", ["", "   ", "x" * 101, 5, None])
def test_name_must_be_text(name: object) -> None:
    (only,) = body_faults(GOOD | {"name": name})
    assert only["param"] == "name"
    assert only["value"] == name


@pytest.mark.parametrize("body", [None, "", "{", "nonsense", '{"a": NaN}', "[1", "[" * 60_000])
def test_body_that_is_no_json_is_invalid(body: str | None) -> None:
    with pytest.raises(RequestInvalid, match="must be JSON"):
        read_body({"body": body}, NewThing)


@pytest.mark.parametrize("body", ["[]", "null", "7", '"text"'])
def test_body_that_is_no_object_is_invalid(body: str) -> None:
    with pytest.raises(RequestInvalid, match="must be a JSON object"):
        read_body({"body": body}, NewThing)


def test_body_may_come_in_base64() -> None:
    encoded = base64.b64encode(json.dumps(GOOD).encode()).decode()
    assert read_body({"body": encoded, "isBase64Encoded": True}, NewThing).name == "x"
    with pytest.raises(RequestInvalid):
        read_body({"body": "#" + encoded, "isBase64Encoded": True}, NewThing)
    with pytest.raises(RequestInvalid):
        read_body({"body": base64.b64encode(b'{"name": "\xff"}').decode(), "isBase64Encoded": True}, NewThing)


def test_body_beyond_64_kib_is_invalid() -> None:
    with pytest.raises(RequestInvalid, match="64 KiB"):
        read_body({"body": json.dumps({"name": "x" * 65_536})}, NewThing)


def test_first_page_needs_no_parameter() -> None:
    nothings: list[dict[str, str] | None] = [None, {}]
    for nothing in nothings:
        read = read_query({"queryStringParameters": nothing}, ThingQuery, path="/v1/things")
        assert (read.limit, read.start, read.trade_type) == (100, None, None)


@pytest.mark.parametrize(
    "limit", ["0", "1001", "-1", "+5", "1_0", " 7", "7.0", "1e2", "", "ten", "99999999999", "\u0664"]
)
def test_limit_must_be_from_1_to_1000(limit: str) -> None:
    assert query_faults({"limit": limit}) == [
        {"value": limit, "msg": "must be integer from 1 to 1000", "param": "limit", "location": "query"}
    ]


@pytest.mark.parametrize("limit", ["1", "1000"])
def test_limit_may_be_at_its_bounds(limit: str) -> None:
    assert read_query({"queryStringParameters": {"limit": limit}}, ThingQuery, path="/v1/things").limit == int(limit)


@pytest.mark.usefixtures("admin_api")
def test_paging_faults_follow_those_of_the_endpoint() -> None:
    first = fault("must be API key of tradeType FUTURES", param="API_KEY_ID", location="params", value="x")
    faults = query_faults({"nextToken": "forged", "limit": "0", "tradeType": "spot"}, faults=[first])
    assert [one["param"] for one in faults] == ["API_KEY_ID", "tradeType", "limit", "nextToken"]
    assert [one["location"] for one in faults] == ["params", "query", "query", "query"]
    assert faults[3]["msg"] == "must be nextToken of this list"


@pytest.mark.usefixtures("admin_api")
def test_token_belongs_to_its_path_and_filter_but_to_any_limit() -> None:
    def read(path: str, **query: str) -> ThingQuery:
        return read_query({"queryStringParameters": query}, ThingQuery, path=path)

    token = read("/v1/things", tradeType="SPOT", limit="5").token_after({"id": "7"}) or ""
    assert read("/v1/things", tradeType="SPOT", limit="9", nextToken=token).start == {"id": "7"}
    assert read("/v1/things/", tradeType="SPOT", other="x", nextToken=token).start == {"id": "7"}
    for path, query in [
        ("/v1/things", {"tradeType": "FUTURES"}),
        ("/v1/things", {}),
        ("/v1/other", {"tradeType": "SPOT"}),
    ]:
        with pytest.raises(RequestUnprocessable):
            read(path, nextToken=token, **query)


def test_last_page_has_no_token() -> None:
    assert ThingQuery().token_after(None) is None
