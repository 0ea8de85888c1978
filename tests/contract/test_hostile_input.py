"""Hostile input on the deployed stack: every field of every body, every query parameter, every id in a path.

Whatever stands there, the answer is the documented 400, 404 or 422, and names the field; a value is taken only where
its field's kind says so.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest

from shared.models.strategy import Strategy
from tests.contract.routes import Route, account_routes, admin_routes
from tests.contract.world import World
from tests.system.stack_client import Answer, Stack

NOT_FOUND = {"message": "route not found"}
DEEP = "[" * 200 + "]" * 200

HOSTILE = [
    *("null", "true", "false", "0", "-1", "1.5", "1e400", "-1e400", "1e-400", "1e999999999999", "NaN", "Infinity"),
    *("12345678901234567890123456789012345678901234567890", "[]", "{}", "[1]", '{"$ne": null}', '[["x"]]', DEEP),
    *(
        f'{{"a": {DEEP}}}',
        '""',
        '" "',
        '"NaN"',
        '"1e999999999"',
        '"-1"',
        '"\\u0661\\u0662"',
        '"\\u0000"',
        '"\\ud800"',
        '"💥"',
    ),
    *('"\'; DROP TABLE users; --"', '"<script>alert(1)</script>"', '"${jndi:ldap://x/y}"', '"{{7*7}}"', '"a/b/c"'),
    *('"../../etc/passwd"', '"%00%0a"', '"\\r\\nSet-Cookie: a=b"', f'"{"a" * 3000}"', '"TRUE"', '"__proto__"'),
]
"""As JSON texts, because some of them no object can stand for."""

Accepts = Callable[[Any], bool]


def never(_: Any) -> bool:
    return False


def flag(value: Any) -> bool:
    return isinstance(value, bool)


def text(value: Any) -> bool:
    return isinstance(value, str) and 1 <= len(value.strip()) <= 100


def description(value: Any) -> bool:
    return value is None or (isinstance(value, str) and len(value) <= 2000)


def key_text(value: Any) -> bool:
    return isinstance(value, str) and value.isascii() and value.isprintable() and " " not in value and len(value) <= 256


def number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 1e-12 <= value <= 1e12


def count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 1e12


def maybe_price(value: Any) -> bool:
    """Return whether the webhook takes it: TradingView writes NaN for an indicator without a value."""
    return value in (None, "", " ", "NaN") or number(value)


def letters(value: Any) -> bool:
    return isinstance(value, str) and value.isascii() and value.isalpha() and len(value) <= 100


def price_id(value: Any) -> bool:
    return value is None or isinstance(value, str)


def prices(value: Any) -> bool:
    return isinstance(value, list) and 1 <= len(value) <= 4 and all(map(number, value))


def anything(_: Any) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Target:
    """An endpoint with a body: a good one, and what each field takes."""

    name: str
    method: str
    path: str
    body: dict[str, Any]
    fields: dict[str, Accepts]
    taken: frozenset[int] = field(default=frozenset({200, 422}))
    """How a value is answered that the field may take; another field or record may still stand against it."""
    lenient: bool = False
    """Whether the body may hold a bare NaN, as TradingView writes it."""


STRATEGY = {
    "name": "HOSTILE",
    "exchangeId": "BINANCE",
    "symbol": "BTC/USDT",
    "reportExchangeApiKey": "unknown",
    "reportExchangeApiSecretKey": "unknown",
}
PLAN = {"name": "HOSTILE", "monthlyPriceUSD": 1, "maxBalanceUSD": 1, "maxApiKey": 1, "stripePriceId": "price_none"}
NEW_KEY = {
    "exchangeId": "BINANCE",
    "tradeType": "FUTURES",
    "strategyType": "AUTOMATED",
    "name": "HOSTILE",
    "apiKey": "unknown",
    "apiSecretKey": "unknown",
}
ORDERS = {"side": "SELL", "stopType": "MARKET", "stopPrice": 1, "takeProfitPrices": [9e9], "strategyFollowIds": ["0"]}
ALERT = {
    "strategy": str(uuid4()),
    "secret": "none",
    "orderPrice": 20000,
    "type": "buy",
    "stop": 19000,
    "stopType": "market",
    "takeProfit": 21000,
}

TARGETS = [
    Target(
        "Create Strategy Automated",
        "POST",
        "/v1/admin/setting/strategy",
        STRATEGY,
        {
            "active": flag,
            "name": text,
            "description": description,
            "exchangeId": never,
            "symbol": never,
            "reportExchangeApiKey": key_text,
            "reportExchangeApiSecretKey": key_text,
        },
        frozenset({422, 433}),
    ),
    Target(
        "Update Strategy Automated",
        "PUT",
        "/v1/admin/setting/strategy/{strategy}",
        {},
        {"active": flag, "name": text, "description": description, "webhookSecret": never},
    ),
    Target(
        "Create Strategy Risk Profile",
        "POST",
        "/v1/admin/setting/strategy/profile",
        {"name": "H0STILE", "percentage": 1},
        {"name": letters, "percentage": number, "percent": number},
    ),
    Target(
        "Update Strategy Risk Profile",
        "PUT",
        "/v1/admin/setting/strategy/profile/{profile}",
        {},
        {"percentage": number, "percent": number},
    ),
    Target(
        "Create Subscription",
        "POST",
        "/v1/admin/subscription",
        PLAN,
        {
            "name": text,
            "stripePriceId": price_id,
            "monthlyPriceUSD": number,
            "maxBalanceUSD": count,
            "maxApiKey": count,
            "private": flag,
            "strategyAutomated": flag,
            "default": flag,
        },
    ),
    Target(
        "Update Subscription",
        "PUT",
        "/v1/admin/subscription/{plan}",
        {},
        {
            "name": text,
            "stripePriceId": never,
            "maxBalanceUSD": count,
            "maxApiKey": count,
            "private": flag,
            "strategyAutomated": flag,
        },
    ),
    Target(
        "Update Notification",
        "PUT",
        "/v1/admin/setting/notification",
        {},
        {
            "notifyUserReachNearMaxBalance": flag,
            "notifyAdminUserReachNearMaxBalance": flag,
            "notifyWeeklyReport": flag,
            "notifyMonthlyReport": flag,
        },
    ),
    # Of a strategy that nobody needs; the lane keeps what others work with.
    Target("Halt Entries", "PUT", "/v1/admin/operation/halt/strategy:{strategy}", {}, {"reason": text}),
    Target(
        "Update Lane",
        "PUT",
        "/v1/admin/operation/lane/lane-1",
        {},
        {"pausedUntil": lambda value: value is None, "bannedUntil": lambda value: value is None},
    ),
    Target("Redrive Dead Letters", "POST", "/v1/admin/operation/dead-letter/redrive", {}, {"queue": never}),
    Target(
        "New Orders",
        "POST",
        "/v1/admin/strategy/follower/{follower}",
        ORDERS,
        {
            "side": never,
            "stopType": never,
            "stopPrice": number,
            "takeProfitPrices": prices,
            "strategyFollowIds": lambda value: value == [],
        },
        frozenset({422}),
    ),
    Target(
        "Connect Exchange Key",
        "POST",
        "/v1/exchange/key",
        NEW_KEY,
        {
            "exchangeId": never,
            "tradeType": never,
            "strategyType": never,
            "name": text,
            "apiKey": key_text,
            "apiSecretKey": key_text,
        },
        frozenset({422}),
    ),
    Target(
        "Update Exchange Key",
        "PUT",
        "/v1/exchange/key/{key}",
        {},
        {"name": text, "apiKey": key_text, "apiSecretKey": key_text, "active": flag},
        frozenset({200, 422}),
    ),
    Target(
        "Follow",
        "POST",
        "/v1/strategy/follower",
        {"strategyId": str(uuid4()), "apiKeyId": str(uuid4()), "riskProfileId": str(uuid4())},
        {"strategyId": never, "apiKeyId": never, "riskProfileId": never},
        frozenset({422}),
    ),
    Target(
        "Update Follower",
        "PUT",
        "/v1/strategy/follower/{own_follower}",
        {},
        {"mode": never, "riskProfileId": never},
    ),
    Target(
        "Automated Strategy",
        "POST",
        "/v1/webhook/strategy",
        ALERT,
        {
            "strategy": never,
            "secret": anything,
            "orderPrice": number,
            "type": never,
            "stop": number,
            "stopType": never,
            "trailingTrigger": maybe_price,
            "callbackRate": maybe_price,
            "takeProfit": maybe_price,
            "takeProfit1": maybe_price,
            "takeProfitPrice3": maybe_price,
            "winRate": anything,
            "alertId": anything,
            "firedAt": lambda value: value in (None, ""),
        },
        frozenset({401, 422}),
        lenient=True,
    ),
]

MARKED = "\ufeff"
NOT_OBJECTS = ["", "null", "[]", '"text"', "1", "{", '{"a": 1,}', "{'a': 1}", "NaN", "[" * 5000, "\x00"]


@pytest.fixture(scope="module")
def records(world: World) -> dict[str, str]:
    """Return records that hostile requests may change."""
    name = uuid4().hex[:12]
    strategy = world.stack.add_strategy(name, followers=1)
    letters = "".join(chr(ord("a") + int(digit, 16)) for digit in name)
    profile = world.stack.api("POST", "/v1/admin/setting/strategy/profile", body={"name": letters, "percent": 1})
    plan = world.stack.api("POST", "/v1/admin/subscription", body=PLAN | {"name": name, "stripePriceId": None})
    made = {"profile": profile.json()["id"], "plan": plan.json()["id"]}
    user_id = world.stack.subject("userToken")
    key = world.add_key(user_id, balances={"USDT": "1000"})
    own = world.add_follower(Strategy.get(strategy.strategy_id), user_id, key)
    made |= {"key": key.id, "own_follower": own}
    return made | {"strategy": strategy.strategy_id, "follower": strategy.followers[0]["id"]}


def send(stack: Stack, target: Target, records: dict[str, str], body: str | bytes) -> Answer:
    if "webhook/strategy" in target.path:
        return stack.webhook(body)
    token = "" if target.path.startswith("/v1/admin/") else stack.session["userToken"]
    return stack.api(
        target.method,
        target.path.format(**records),
        token=token,
        body=body,
        headers={"Content-Type": "application/json"},
    )


def complaint(answer: Answer) -> str:
    """Return what is undocumented about an answer that refuses, "" when nothing is."""
    try:
        body = answer.json()
    except ValueError:
        return f"{answer.status} {answer.text[:300]}"
    match answer.status:
        case 400:
            wrong = list(body) != ["message"] or not body["message"]
        case 404:
            wrong = body != NOT_FOUND
        case 401 | 433:
            wrong = list(body) != ["error"]
        case 422:
            wrong = list(body) != ["errors"] or not body["errors"] or not all(map(is_fault, body["errors"]))
        case _:
            wrong = True
    return f"{answer.status} {answer.text[:300]}" if wrong else ""


def is_fault(found: Any) -> bool:
    if found.get("param") == "_error":
        return list(found) == ["msg", "param", "nestedErrors"] and all(map(is_fault, found["nestedErrors"]))
    names = list(found)
    names = [name for name in names if name not in {"value", "code"}]
    return names == ["msg", "param", "location"] and bool(found["msg"]) and found.get("code") != ""


def names_field(answer: Answer, name: str) -> bool:
    """Return whether a fault is of this field, or of one of its parts; `percent` is `percentage` too."""
    faults = [inner for one in answer.json()["errors"] for inner in one.get("nestedErrors", [one])]
    return any(str(one["param"]).partition("[")[0] in {name, name.replace("Price", "")} for one in faults)


def with_value(body: dict[str, Any], name: str, value: str) -> str:
    others = {key: inner for key, inner in body.items() if key != name and not (name == "percent" and key != "name")}
    return json.dumps(others)[:-1] + (", " if others else "") + f"{json.dumps(name)}: {value}}}"


def read(value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return None


def wrong_answers(stack: Stack, target: Target, records: dict[str, str]) -> Iterator[str]:
    for name, accepts in target.fields.items():
        for value in HOSTILE:
            answer = send(stack, target, records, with_value(target.body, name, value))
            what = f"{name}={value[:40]}: {answer.status} {answer.text[:200]}"
            no_json = not target.lenient and value in {"NaN", "Infinity"}
            if answer.status == 200:
                if no_json or 200 not in target.taken or not accepts(read(value)):
                    yield f"taken: {what}"
            elif complaint(answer):
                yield f"undocumented: {what}"
            elif no_json != (answer.status == 400) and value[:2] not in {"1e", "-1"} and DEEP not in value:
                yield f"no JSON, or JSON: {what}"
            elif answer.status == 422 and not accepts(read(value)) and not names_field(answer, name):
                yield f"not named: {what}"
            elif answer.status not in target.taken | {400}:
                yield f"unexpected: {what}"


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_every_field_of_every_body(stack: Stack, records: dict[str, str], target: Target) -> None:
    wrong = list(wrong_answers(stack, target, records))
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_a_body_that_is_no_object_or_too_large(stack: Stack, records: dict[str, str], target: Target) -> None:
    too_large = json.dumps(target.body | {"unknown": "a" * 70_000})
    for body in [*NOT_OBJECTS, too_large]:
        answer = send(stack, target, records, body)
        assert (answer.status, complaint(answer)) == (400, ""), (body[:50], answer.status, answer.text[:200])


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_a_byte_order_mark_changes_nothing(stack: Stack, records: dict[str, str], target: Target) -> None:
    wrong = json.dumps(target.body | {next(iter(target.fields)): []})
    plain, marked = send(stack, target, records, wrong), send(stack, target, records, MARKED + wrong)
    assert (marked.status, marked.text) == (plain.status, plain.text)
    assert (plain.status, complaint(plain)) == (422, "")


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_a_field_that_stands_twice_is_refused(stack: Stack, records: dict[str, str], target: Target) -> None:
    name = next(iter(target.fields))
    answer = send(stack, target, records, f'{{"{name}": 1, "{name}": 2}}')
    assert (answer.status, complaint(answer)) == (400, "")


@pytest.mark.parametrize("target", [one for one in TARGETS if one.body], ids=lambda target: target.name)
def test_missing_fields_are_all_named_at_once(stack: Stack, records: dict[str, str], target: Target) -> None:
    answer = send(stack, target, records, "{}")
    assert (answer.status, complaint(answer)) == (422, "")
    faults = answer.json()["errors"]
    assert len(faults) >= 2
    assert all("value" not in one for one in faults)


IDS = ["1", "null", "%00", "..%2F..%2Fx", "a" * 3000, "%F0%9F%92%A5", "'%20OR%201=1--", "%7B%7D", "*", "%25", "%C3%28"]


@pytest.mark.parametrize("route", [one for one in admin_routes() if "{" in one.path], ids=str)
def test_every_id_in_every_path(stack: Stack, route: Route) -> None:
    check_ids(stack, route, token=stack.session["adminToken"])


@pytest.mark.parametrize("route", [one for one in account_routes() if "{" in one.path], ids=str)
def test_every_id_in_every_path_of_accounts(stack: Stack, route: Route) -> None:
    check_ids(stack, route, token=stack.session["userToken"])


def check_ids(stack: Stack, route: Route, *, token: str) -> None:
    almost = str(uuid4())
    for record_id in [*IDS, f"{almost}0", almost.replace("-", ""), f"%7B{almost}%7D", f"{almost}%20", f"{almost}%0A"]:
        answer = stack.api(route.method, route.at(record_id), body={}, token=token)
        assert (answer.status, answer.json()) == (404, NOT_FOUND), (record_id[:60], answer.status, answer.text[:200])


TEXTS = [
    "",
    " ",
    "null",
    "true",
    "[]",
    "{}",
    "NaN",
    "-1",
    "0",
    "1e3",
    "1.0",
    "+5",
    "9" * 40,
    "\u0661",
    "\x00",
    "💥",
    "'--",
]
WRONG = {
    "limit": [*TEXTS, "1001", " 5", "5 ", "0x5", "1_0"],
    "nextToken": [*TEXTS[1:], "A" * 4000, "eyJpZCI6ICJ4In0", "../.."],
    "start": ["", "yesterday", "2022-13-01", "2022-02-30", "99999-01-01", "0000-00-00", "2022-06-01T25:00:00Z", "💥"],
    "tradeType": [*TEXTS, "spot", "SPOT,FUTURES"],
    "format": [*TEXTS, "xml", "CSV", "json,csv", "text/csv", "csv\r\nSet-Cookie: a=b"],
    "after": [*TEXTS, "2022-09-09T01:57:36.304Z", "2022-13-09T01:57:36.304Z_927bacee-6c0e-4a50-b920-a95ee5013ae9"],
    "year": [*TEXTS, "99", "1999", "2101", "20222", "2022.0"],
    "zone": [*TEXTS, "Mars/Olympus", "Europe", "/etc/passwd", "../UTC", "A" * 3000],
    "symbol": [*TEXTS, "BTCUSDT", "btc/usdt", "BTC/", "/USDT", "BTC/USDT/X", "A" * 3000, "BTC/USDT:USDT"],
}
QUERIES = {
    "account/user/list": ("limit", "nextToken"),
    "account/user/trade/strategy/{user}/history": ("start", "limit", "nextToken"),
    "account/user/trade/manual/{user}/history": ("start", "limit", "nextToken"),
    "account/user/trade/strategy/{user}/performance": ("start",),
    "account/user/trade/manual/{user}/performance": ("start",),
    "account/user/exchange/key/{user}/list": ("tradeType", "limit", "nextToken"),
    "account/user/notice/{user}/list": ("limit", "nextToken"),
    "operation/alert/{trigger}": ("limit", "nextToken"),
    "exchange/key/balance/history/{key}": ("start", "limit", "nextToken"),
    "exchange/key/strategy/follower/{key}": ("symbol",),
    "exchange/position/{key}/list": ("symbol",),
    "exchange/order/{key}/list": ("symbol",),
    "exchange/order/{key}/history": ("symbol",),
    "exchange/trade/{key}/history": ("symbol",),
    "strategy/follower/{strategy}/list": ("limit", "nextToken"),
    "strategy/trigger/history/{strategy}": ("limit", "nextToken"),
    "strategy/trigger/{trigger}/timeline": ("format", "limit", "nextToken"),
    "setting/strategy/list": ("limit", "nextToken"),
    "setting/strategy/profile/list": ("limit", "nextToken"),
    "subscription/list": ("limit", "nextToken"),
}


@pytest.fixture(scope="module")
def shown(world: World, records: dict[str, str]) -> dict[str, str]:
    """Return records whose lists are asked for."""
    user_id = world.add_user(f"{uuid4().hex}@example.com", "Hostile", "Asker")
    trigger_id = world.stack.add_strategy(uuid4().hex[:12], followers=1).fire()
    key_id = world.add_key(user_id, balances={"USDT": "1"}).id
    return records | {"user": user_id, "key": key_id, "trigger": trigger_id}


ACCOUNT_QUERIES = {
    "account/event/list": ("after", "limit"),
    "exchange/key/list": ("tradeType", "limit", "nextToken"),
    "strategy/list": ("limit", "nextToken"),
    "strategy/profile/list": ("limit", "nextToken"),
    "strategy/follower/list": ("limit", "nextToken"),
    "subscription/list": ("limit", "nextToken"),
    "account/trade/strategy/history": ("start", "limit", "nextToken", "format", "year", "zone"),
    "account/trade/strategy/performance": ("start",),
    "account/trade/manual/history": ("start", "limit", "nextToken", "format", "year", "zone"),
    "account/trade/manual/performance": ("start",),
}


@pytest.mark.parametrize("path", QUERIES)
def test_every_query_parameter(stack: Stack, shown: dict[str, str], path: str) -> None:
    check_query(stack, f"/v1/admin/{path.format(**shown)}", QUERIES[path], token=stack.session["adminToken"])


@pytest.mark.parametrize("path", ACCOUNT_QUERIES)
def test_every_query_parameter_of_accounts(stack: Stack, path: str) -> None:
    check_query(stack, f"/v1/{path}", ACCOUNT_QUERIES[path], token=stack.session["userToken"])


def check_query(stack: Stack, path: str, names: tuple[str, ...], *, token: str) -> None:
    needed = {"symbol": "BTC/USDT"} if names == ("symbol",) else {}
    for name in names:
        for value in WRONG[name]:
            query = "&".join(f"{key}={quote(one, safe='')}" for key, one in (needed | {name: value}).items())
            answer = stack.get(f"{path}?{query}", token=token)
            assert answer.status == 422, f"{name}={value[:60]!r}: {answer.status} {answer.text[:200]}"
            assert not complaint(answer)
            (found,) = answer.json()["errors"]
            assert (found["param"], found["location"], found["value"]) == (name, "query", value)
