"""No body gets a 5xx: thousands of hostile ones, to every endpoint that takes a body, at its handler."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from functions.admin_operation.app import lambda_handler as operation
from functions.admin_setting_notification.app import lambda_handler as notification
from functions.admin_setting_strategy.app import lambda_handler as setting_strategy
from functions.admin_strategy_follower.app import lambda_handler as follower
from functions.admin_subscription.app import lambda_handler as subscription
from functions.exchange import key_reading
from functions.exchange.app import lambda_handler as exchange
from functions.strategy_follower.app import lambda_handler as strategy_follower
from functions.strategy_webhook import app as strategy_webhook
from functions.strategy_webhook.refusals import note_now
from functions.stripe_webhook import app as stripe_webhook
from functions.stripe_webhook import service as stripe_service
from functions.subscription.app import lambda_handler as own_subscription
from functions.telegram_webhook import app as telegram_webhook
from functions.user.app import lambda_handler as user
from shared.api.refused_alerts import keep_refused_alert
from shared.billing import prices
from shared.errors import ExchangeUnavailable
from shared.exchange import account_queries
from shared.models.unique_name import NameKind, UniqueName
from tests.lambda_context import FakeContext
from tests.unit.admin_requests import Handler, sample
from tests.unit.functions.hostile_json import CANARY, hostile_bodies
from tests.unit.in_process_aws import Queues
from tests.unit.records import a_follower, a_plan, a_risk_profile, a_strategy, a_user, an_exchange_key

FOLLOWER_ID = "af42792c-b48e-4322-9716-07050cec48c8"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An endpoint that takes a body: its function, a sample event, and a good body."""

    event: str
    handler: Handler
    good: Mapping[str, object]
    more: tuple[str, ...] = ()
    """Fields that it takes beside those of the good body."""


STRATEGY = {
    "name": "Momentum",
    "exchangeId": "BINANCE",
    "symbol": "BTC/USDT",
    "reportExchangeApiKey": "key",
    "reportExchangeApiSecretKey": "secret",
}
PROFILE = {"name": "low", "percentage": 1}
PLAN = {"name": "PRO", "monthlyPriceUSD": 10, "maxBalanceUSD": 1000, "maxApiKey": 3}
ORDERS = {
    "side": "BUY",
    "stopType": "MARKET",
    "stopPrice": 19350,
    "takeProfitPrices": [19500],
    "strategyFollowIds": [FOLLOWER_ID],
}
REDUCTION = {"type": "reduce", "keep": 50, "strategyFollowIds": [FOLLOWER_ID]}
UPDATE = {"type": "update", "stop": 19350, "takeProfit1": 19500}
ALERT = {
    "strategy": "61b79e6d-7e22-4f91-b508-ef5be6a21419",
    "secret": "none",
    "orderPrice": 20000,
    "type": "buy",
    "stop": 19000,
    "stopType": "market",
    "takeProfit": 21000,
}
ENDPOINTS = [
    Endpoint("admin_setting_strategy/create_strategy", setting_strategy, STRATEGY, ("active", "description")),
    Endpoint("admin_setting_strategy/update_strategy", setting_strategy, {}, ("active", "name", "description")),
    Endpoint(
        "admin_setting_strategy/create_risk_profile", setting_strategy, {"name": "low", "percentage": 1}, ("percent",)
    ),
    Endpoint("admin_setting_strategy/update_risk_profile", setting_strategy, {"percentage": 1}, ("percent",)),
    Endpoint(
        "admin_subscription/create_subscription",
        subscription,
        PLAN,
        ("stripePriceId", "private", "strategyAutomated", "default"),
    ),
    Endpoint(
        "admin_subscription/update_subscription",
        subscription,
        {},
        ("name", "stripePriceId", "maxBalanceUSD", "maxApiKey"),
    ),
    Endpoint("admin_setting_notification/update_notification", notification, {}, ("notifyWeeklyReport",)),
    Endpoint("admin_strategy_follower/new_orders", follower, ORDERS),
    Endpoint("admin_strategy_follower/reduce_positions", follower, REDUCTION, ("allFollowers",)),
    Endpoint(
        "admin_strategy_follower/update_exits",
        follower,
        UPDATE,
        ("takeProfit", "takeProfit3", "takeProfitPrice1", "breakevenAfter", "strategyFollowIds", "allFollowers"),
    ),
    Endpoint("admin_operation/halt_entries", operation, {"reason": "exchange incident"}, ("why",)),
    Endpoint("admin_operation/set_maintenance", operation, {"active": False}, ("on",)),
    Endpoint("admin_operation/update_lane", operation, {}, ("address", "weightLimit", "pausedUntil", "bannedUntil")),
    Endpoint("admin_operation/redrive_dead_letters", operation, {"queue": "orders.fifo"}, ("limit",)),
    Endpoint(
        "admin_strategy_follower/change_settings",
        follower,
        {},
        ("mode", "sizing", "maxNotional", "maxLeverage", "belowMinimum", "lossLimit"),
    ),
]

ACCOUNT_ENDPOINTS = [
    Endpoint("user/update_profile", user, {"firstName": "Ada"}, ("lastName",)),
    Endpoint("user/update_notification", user, {}, ("weeklyReport", "monthlyReport")),
    Endpoint("exchange/connect_key", exchange, json.loads(sample("exchange/connect_key")["body"])),
    Endpoint("exchange/change_key", exchange, {}, ("name", "apiKey", "apiSecretKey", "active")),
    Endpoint("strategy_follower/follow", strategy_follower, json.loads(sample("strategy_follower/follow")["body"])),
    Endpoint(
        "strategy_follower/change_follower",
        strategy_follower,
        {},
        ("mode", "sizing", "maxNotional", "maxLeverage", "belowMinimum", "lossLimit", "riskProfileId"),
    ),
    Endpoint("subscription/open_checkout", own_subscription, {"subscriptionId": FOLLOWER_ID}),
]


def a_named(kind: NameKind, record: Any) -> None:
    UniqueName(UniqueName.claim_key(kind, record.name), owner_id=record.id).save()


@pytest.fixture
def records(admin_api: Queues, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make what the sample events name, and stand in for the exchange and for Stripe."""
    a_named(NameKind.STRATEGY, a_strategy(sample("admin_setting_strategy/update_strategy")["path"].rpartition("/")[2]))
    a_strategy()
    a_named(
        NameKind.RISK_PROFILE,
        a_risk_profile(sample("admin_setting_strategy/update_risk_profile")["path"].rpartition("/")[2]),
    )
    a_named(NameKind.PLAN, a_plan(sample("admin_subscription/update_subscription")["path"].rpartition("/")[2]))
    a_follower(FOLLOWER_ID, id=FOLLOWER_ID)
    monkeypatch.setattr(account_queries, "verify_key", lambda **_: None)
    monkeypatch.setattr(account_queries, "market_price", lambda **_: Decimal(19400))
    monkeypatch.setattr(prices, "price_exists", lambda _: False)
    monkeypatch.setattr(prices, "create_monthly_price", lambda **_: "price_made")


def refuse_constant(name: str) -> None:
    raise AssertionError(f"{name} is no JSON")


def wrong_in(raw: dict[str, Any]) -> str:
    """Return what is wrong with an answer, "" if nothing is."""
    try:
        # The digits are those of the request, and may be more than Python makes a number of.
        json.loads(raw["body"].encode("ascii"), parse_int=str, parse_constant=refuse_constant)
    except (ValueError, RecursionError) as error:
        return f"no JSON: {error!r}"
    headers = raw.get("headers") or {name.lower(): value for name, value in raw["multiValueHeaders"].items()}
    if not headers.get("x-request-id"):
        return "no request id"
    if CANARY in raw["body"]:
        return "the value of an unknown field is echoed"
    return f"status {raw['statusCode']}" if raw["statusCode"] >= 500 else ""


def complaints(answer: Callable[[str], dict[str, Any]], bodies: list[str]) -> list[str]:
    found = []
    for body in bodies:
        try:
            wrong = wrong_in(answer(body))
        except Exception as error:  # noqa: BLE001 - the Lambda would crash
            wrong = f"raised {error!r:.100}"
        if wrong:
            found.append(f"{wrong}: {body[:120]!r}")
    return found


@pytest.fixture
def account(account_api: Queues, monkeypatch: pytest.MonkeyPatch, settings_from: Callable[..., None]) -> None:
    """Make a user with a key and a follower, those of the sample events; no exchange and no Stripe answer."""

    def unreachable(**_: object) -> None:
        raise ExchangeUnavailable("not in this test")

    settings_from(ACCOUNT_PAGE_URL="https://example.com/account")
    a_plan(max_api_key=1)
    a_user()
    an_exchange_key(sample("exchange/change_key")["path"].rpartition("/")[2])
    a_risk_profile(json.loads(sample("strategy_follower/follow")["body"])["riskProfileId"])
    a_strategy(json.loads(sample("strategy_follower/follow")["body"])["strategyId"])
    follower_id = sample("strategy_follower/change_follower")["path"].rpartition("/")[2]
    a_follower(follower_id, id=follower_id)
    monkeypatch.setattr(key_reading, "read_credentials", unreachable)


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize("endpoint", ACCOUNT_ENDPOINTS, ids=lambda one: one.event)
def test_no_body_breaks_an_account_endpoint(endpoint: Endpoint) -> None:
    test_no_body_breaks_an_admin_endpoint(endpoint)


@pytest.mark.usefixtures("records")
@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda one: one.event)
def test_no_body_breaks_an_admin_endpoint(endpoint: Endpoint) -> None:
    event = sample(endpoint.event)

    def answer(body: str) -> dict[str, Any]:
        return endpoint.handler(event | {"body": body}, FakeContext())

    bodies = list(hostile_bodies(endpoint.good, [*endpoint.good, *endpoint.more]))
    assert len(bodies) > 150
    assert complaints(answer, bodies) == []


def post(handler: Handler, path: str, headers: dict[str, str]) -> Callable[[str], dict[str, Any]]:
    http = {"method": "POST", "path": path}
    event = {"rawPath": path, "requestContext": {"http": http}, "headers": headers, "isBase64Encoded": False}
    return lambda body: handler(event | {"body": body}, FakeContext())


@pytest.mark.usefixtures("records")
def test_no_body_breaks_the_webhook_of_alerts(monkeypatch: pytest.MonkeyPatch) -> None:
    def note(fields: dict[str, Any], *, status: int, at: datetime, faults: Any = (), **_: Any) -> None:
        note_now(fields, status=status, at=at, faults=faults)
        keep_refused_alert(fields, strategy_id=str(ALERT["strategy"]), status=status, faults=faults, at=at)

    monkeypatch.setattr(strategy_webhook, "REFUSAL_S", 0)
    # No thread outlives the test, and what fails in it is a failure.
    monkeypatch.setattr(strategy_webhook, "note_refusal", note)
    fields = [*ALERT, "trailingTrigger", "callbackRate", "takeProfitPrice3", "winRate", "alertId", "firedAt", "other"]
    answer = post(strategy_webhook.lambda_handler, "/v1/webhook/strategy", {})
    assert complaints(answer, list(hostile_bodies(ALERT, fields))) == []


@pytest.mark.usefixtures("records")
def test_no_body_breaks_the_webhook_of_telegram(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telegram_webhook, "_check_secret", lambda _: None)
    answer = post(telegram_webhook.lambda_handler, "/", {})
    message: dict[str, object] = {"chat": {"id": 1, "type": "private"}, "text": "/status"}
    good: dict[str, object] = {"update_id": 1, "message": message}
    bodies = list(hostile_bodies(good, good))
    for body in hostile_bodies(message, message):
        bodies.append(f'{{"update_id":{len(bodies)},"message":{body}}}')
    bodies += [
        f'{{"update_id":{number},"message":{{"chat":{{"id":1,"type":"private"}},"text":"{text}"}}}}'
        for number, text in enumerate(["/start \\ud800", "/start \\udfffx", "/stop \\ud800", "\\ud800"], start=90_000)
    ]
    assert complaints(answer, bodies) == []


@pytest.mark.usefixtures("records")
def test_no_body_breaks_the_webhook_of_stripe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stripe_service, "check_signature", lambda *_, **__: None)
    monkeypatch.setattr(stripe_service, "_signing_secrets", lambda: ())
    answer = post(stripe_webhook.lambda_handler, "/v1/webhook/stripe", {"stripe-signature": "t=1"})
    good: dict[str, object] = {
        "id": "evt_1",
        "type": "customer.subscription.updated",
        "created": 1,
        "data": {"object": {}},
    }
    bodies = list(hostile_bodies(good, good))
    for body in hostile_bodies(
        {"id": "sub_1", "customer": "cus_1", "status": "active"}, ["id", "customer", "metadata"]
    ):
        bodies.append(json.dumps(good)[:-2] + f',"object":{body}}}}}')
    assert complaints(answer, bodies) == []
