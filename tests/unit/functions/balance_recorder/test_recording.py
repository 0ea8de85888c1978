"""The records and notices of a recording, with a fake exchange."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from functions.admin_exchange.app import lambda_handler as admin_exchange
from functions.balance_recorder import app, maximum, service
from shared import rounds
from shared.clock import from_iso, to_iso
from shared.errors import ExchangeAuthorizationFailed, ExchangeError, ExchangeUnavailable
from shared.exchange import account_queries
from shared.models.balance_day import BalanceDay
from shared.models.exchange_key import ApiKeyStatus, ExchangeKey, StrategyType, TradeType, listed_shard_of
from shared.models.key_balance import KeyBalance
from shared.models.notice import Notice
from shared.models.notification_setting import NotificationSetting
from shared.notifications.notice_types import NoticeKind
from shared.notifications.recipients import ADMINS, to_user
from shared.pacing import IntervalPacer
from shared.trading.valuation import UsdValue
from tests.lambda_context import FakeContext
from tests.unit.admin_requests import sample, send
from tests.unit.in_process_aws import Queues
from tests.unit.records import KEY_ID, STARTED_AT, USER_ID, a_plan, a_user, an_exchange_key, id_of

MORNING = from_iso("2026-01-01T00:05:00Z")
NEXT_MORNING = from_iso("2026-01-02T00:05:00Z")


class Exchange:
    """A fake exchange: each key's holdings or error, the prices, and the time."""

    def __init__(self) -> None:
        self.held: dict[str, dict[str, str] | ExchangeError] = {}
        self.prices: dict[str, str] | ExchangeError = {}
        self.spot_prices: dict[str, str] | ExchangeError = {}
        self.asked = 0
        self.prices_asked = 0
        self.now = MORNING

    async def read_balance(self, key: ExchangeKey) -> dict[str, dict[str, Any]]:
        self.asked += 1
        held = self.held[key.id]
        if isinstance(held, ExchangeError):
            raise held
        return {asset: {"free": 0, "used": 0, "total": Decimal(total)} for asset, total in held.items()}

    async def read_prices(self, trade_type: TradeType) -> dict[str, Decimal]:
        self.prices_asked += 1
        prices = self.prices if trade_type is TradeType.FUTURES else self.spot_prices
        if isinstance(prices, ExchangeError):
            raise prices
        return {symbol: Decimal(price) for symbol, price in prices.items()}


@pytest.fixture
def exchange(tables: Queues, monkeypatch: pytest.MonkeyPatch) -> Exchange:
    exchange = Exchange()
    monkeypatch.setattr(account_queries, "read_balance", exchange.read_balance)
    monkeypatch.setattr(account_queries, "read_prices", exchange.read_prices)
    monkeypatch.setattr(service, "utc_now", lambda: exchange.now)
    monkeypatch.setattr(service, "pacer", lambda: IntervalPacer(0.0))
    a_user(email="john@example.com")
    a_plan(max_balance_usd=1000)
    NotificationSetting(
        notify_user_reach_near_max_balance=True,
        notify_admin_user_reach_near_max_balance=True,
        created_at=STARTED_AT,
        updated_at=STARTED_AT,
    ).save()
    return exchange


def record(key_id: str = KEY_ID, *, asked_at: datetime = MORNING, delivery: int = 1) -> bool:
    """Deliver one message, and return whether it was handled."""
    body = json.dumps({"api_key_id": key_id, "asked_at": to_iso(asked_at)})
    attributes = {"ApproximateReceiveCount": str(delivery)}
    event = {"Records": [{"messageId": "1", "body": body, "attributes": attributes}]}
    return app.lambda_handler(event, FakeContext()) == {"batchItemFailures": []}


def record_total(exchange: Exchange, total: str, at: datetime) -> None:
    exchange.held = {KEY_ID: {"USDT": total}}
    exchange.now = at
    assert record(asked_at=at)


def balance() -> KeyBalance:
    found = KeyBalance.find(KEY_ID)
    assert found is not None
    return found


def days() -> dict[str, Decimal]:
    return {day.date: day.total_usd for day in BalanceDay.query(KEY_ID)}


def recipients(kind: NoticeKind) -> list[str]:
    return sorted(notice.recipient for notice in Notice.scan() if notice.kind == kind)


def test_every_asset_counts_at_its_price(exchange: Exchange) -> None:
    an_exchange_key(trade_type=TradeType.SPOT)
    exchange.held = {KEY_ID: {"USDT": "100", "USDC": "1.5", "BTC": "0.5", "ETH": "2", "BNB": "0"}}
    exchange.spot_prices = {"BTC/USDT": "20000", "ETH/BTC": "0.075"}

    assert record()

    assert balance().total_usd == Decimal("13101.5")
    assert days() == {"2026-01-01": Decimal("13101.5")}
    assert balance().unpriced is None
    assert exchange.prices_asked == 1


def test_asset_that_one_market_does_not_trade_has_the_price_of_the_other(exchange: Exchange) -> None:
    an_exchange_key()
    exchange.held = {KEY_ID: {"USDT": "100", "LDUSDT": "8000", "RWUSD": "1000", "USDE": "500", "BTC": "0.01"}}
    exchange.prices = {"BTC/USDT": "20000"}
    exchange.spot_prices = {"BTC/USDT": "19000", "USDE/USDT": "0.999"}

    assert record()

    assert balance().total_usd == Decimal("9799.5"), "bitcoin at the price of the account's own market"
    assert balance().unpriced is None


def test_asset_without_any_price_is_named_in_the_record_the_day_and_the_notices(exchange: Exchange) -> None:
    an_exchange_key()
    exchange.held = {KEY_ID: {"USDT": "1200", "XYZ": "7", "OLD": "3"}}

    assert record()

    (day,) = BalanceDay.query(KEY_ID)
    assert (balance().total_usd, balance().unpriced) == (Decimal(1200), ["XYZ", "OLD"])
    assert (day.total_usd, day.unpriced) == (Decimal(1200), ["XYZ", "OLD"])
    contents = {one.kind: json.loads(one.content) for one in Notice.scan()}
    assert contents.keys() == {NoticeKind.NEAR_MAXIMUM, NoticeKind.USER_NEAR_MAXIMUM, NoticeKind.ABOVE_MAXIMUM}
    assert all(content["unpriced"] == ["XYZ", "OLD"] for content in contents.values())

    exchange.held = {KEY_ID: {"USDT": "1200"}}
    exchange.now = NEXT_MORNING
    assert record(asked_at=NEXT_MORNING)
    assert balance().unpriced is None


def test_market_out_of_reach_whose_price_is_needed_is_asked_again(exchange: Exchange) -> None:
    an_exchange_key()
    exchange.held = {KEY_ID: {"USDT": "100", "USDE": "500"}}
    exchange.spot_prices = ExchangeUnavailable()

    assert not record()
    assert KeyBalance.find(KEY_ID) is None

    exchange.spot_prices = {"USDE/USDT": "1"}
    assert record(delivery=2)
    assert balance().total_usd == 600


def test_last_record_of_a_day_wins_and_each_day_has_its_own(exchange: Exchange) -> None:
    an_exchange_key()
    record_total(exchange, "100", MORNING)
    record_total(exchange, "120.5", MORNING.replace(hour=23))
    record_total(exchange, "90", NEXT_MORNING)

    assert days() == {"2026-01-01": Decimal("120.5"), "2026-01-02": Decimal(90)}
    assert (balance().total_usd, balance().updated_at) == (Decimal(90), NEXT_MORNING)


def test_late_reading_does_not_replace_a_newer_one(exchange: Exchange) -> None:
    key = an_exchange_key()
    record_total(exchange, "100", MORNING.replace(minute=10))

    stored = service._save(key, UsdValue(Decimal(99)), MORNING)

    assert stored.total_usd == 100
    assert days() == {"2026-01-01": Decimal(100)}


def test_latest_of_many_readings_at_once_is_stored_however_many_are_stored_before_it(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = an_exchange_key()
    earlier = iter([MORNING + timedelta(seconds=number) for number in range(8)])
    replace = KeyBalance.replace

    def lose_to_an_earlier_reading(self: KeyBalance, before: KeyBalance | None) -> None:
        if (at := next(earlier, None)) is not None:
            replace(KeyBalance(KEY_ID, total_usd=Decimal(1), updated_at=at), before)
        replace(self, before)

    monkeypatch.setattr(KeyBalance, "replace", lose_to_an_earlier_reading)
    stored = service._save(key, UsdValue(Decimal(99)), MORNING + timedelta(minutes=1))

    assert stored.total_usd == balance().total_usd == 99
    assert days() == {"2026-01-01": Decimal(99)}


def test_repeated_message_reads_and_notifies_once(exchange: Exchange) -> None:
    an_exchange_key()
    exchange.held = {KEY_ID: {"USDT": "950"}}

    assert record()
    before = balance().serialize()
    assert record()

    assert exchange.asked == 1
    assert balance().serialize() == before
    assert recipients(NoticeKind.NEAR_MAXIMUM) == [to_user(USER_ID)]
    assert recipients(NoticeKind.USER_NEAR_MAXIMUM) == [ADMINS]


def test_repeat_after_a_crash_queues_the_notices(exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    an_exchange_key()
    exchange.held = {KEY_ID: {"USDT": "1000.01"}}

    def crash(*_: object) -> None:
        raise RuntimeError

    with monkeypatch.context() as patched:
        patched.setattr(maximum, "notify_crossings", crash)
        assert not record()
    assert recipients(NoticeKind.ABOVE_MAXIMUM) == []

    assert record(delivery=2)

    assert recipients(NoticeKind.ABOVE_MAXIMUM) == [to_user(USER_ID)]
    assert exchange.asked == 1


def test_crossing_is_notified_once_until_the_balance_was_clearly_below(exchange: Exchange) -> None:
    an_exchange_key()
    for hour, total in enumerate(("899", "900", "890", "905", "870", "900")):
        record_total(exchange, total, MORNING.replace(hour=hour))

    assert recipients(NoticeKind.NEAR_MAXIMUM) == [to_user(USER_ID)] * 2
    assert recipients(NoticeKind.USER_NEAR_MAXIMUM) == [ADMINS] * 2
    assert recipients(NoticeKind.ABOVE_MAXIMUM) == []


def test_user_is_notified_above_the_maximum(exchange: Exchange) -> None:
    an_exchange_key()
    record_total(exchange, "950", MORNING)
    record_total(exchange, "1200.25", NEXT_MORNING)

    assert recipients(NoticeKind.ABOVE_MAXIMUM) == [to_user(USER_ID)]
    assert recipients(NoticeKind.NEAR_MAXIMUM) == [to_user(USER_ID)]
    (notice,) = [one for one in Notice.scan() if one.kind == NoticeKind.ABOVE_MAXIMUM]
    content = json.loads(notice.content)
    assert content["plan_name"] == "STANDARD"
    assert [Decimal(content[name]) for name in ("balance_usd", "max_balance_usd")] == [Decimal("1200.25"), 1000]


@pytest.mark.parametrize(
    ("switch", "silent"),
    [
        ("notify_user_reach_near_max_balance", NoticeKind.NEAR_MAXIMUM),
        ("notify_admin_user_reach_near_max_balance", NoticeKind.USER_NEAR_MAXIMUM),
    ],
)
def test_notice_is_sent_only_if_its_setting_is_on(exchange: Exchange, switch: str, silent: NoticeKind) -> None:
    an_exchange_key()
    setting = NotificationSetting.get("default")
    setting.update(actions=[getattr(NotificationSetting, switch).set(False)])

    record_total(exchange, "950", MORNING)

    kinds = {NoticeKind.NEAR_MAXIMUM, NoticeKind.USER_NEAR_MAXIMUM}
    assert {one.kind for one in Notice.scan() if one.open} == kinds - {silent}


@pytest.mark.parametrize("change", [{"trade_type": TradeType.SPOT}, {"strategy_type": StrategyType.MANUAL}])
def test_key_without_automatic_entries_is_recorded_without_a_notice(exchange: Exchange, change: dict[str, Any]) -> None:
    an_exchange_key(**change)

    record_total(exchange, "5000", MORNING)

    assert balance().total_usd == 5000
    assert list(Notice.scan()) == []


def test_refused_key_becomes_inactive_and_is_not_read_again(exchange: Exchange) -> None:
    an_exchange_key()
    exchange.held = {KEY_ID: ExchangeAuthorizationFailed(code=-2015)}

    assert record()
    assert record(delivery=2)

    key = ExchangeKey.get(KEY_ID)
    assert (key.api_key_status, key.active) == (ApiKeyStatus.UNAUTHORIZED, False)
    assert exchange.asked == 1
    assert KeyBalance.find(KEY_ID) is None


@pytest.mark.rings("BalancesNotRecordedAlarm")
def test_unreachable_exchange_is_retried_until_the_last_try(exchange: Exchange) -> None:
    an_exchange_key()
    exchange.held = {KEY_ID: ExchangeUnavailable()}

    assert not record()
    assert ExchangeKey.get(KEY_ID).api_key_status is ApiKeyStatus.FAILED
    assert record(delivery=service.MAX_TRIES), "the next day comes anyway"

    exchange.held = {KEY_ID: {"USDT": "5"}}
    assert record()
    assert ExchangeKey.get(KEY_ID).api_key_status is ApiKeyStatus.AUTHORIZED
    assert balance().total_usd == 5


def test_missing_prices_do_not_change_the_keys_status(exchange: Exchange) -> None:
    an_exchange_key()
    exchange.held = {KEY_ID: {"BTC": "1"}}
    exchange.prices = ExchangeUnavailable()

    assert not record()

    assert ExchangeKey.get(KEY_ID).api_key_status is ApiKeyStatus.AUTHORIZED
    assert KeyBalance.find(KEY_ID) is None


def test_prices_are_read_once_for_many_keys(exchange: Exchange) -> None:
    ids = [an_exchange_key(id_of(f"key-{number}")).id for number in range(4)]
    exchange.held = {key_id: {"BTC": "1"} for key_id in ids}
    exchange.prices = {"BTC/USDT": "20000"}

    assert all(record(key_id) for key_id in ids)

    assert exchange.prices_asked == 1
    assert {one.total_usd for one in KeyBalance.scan()} == {Decimal(20000)}


def test_recorded_days_are_what_the_api_shows(
    exchange: Exchange, admin_api: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    an_exchange_key()
    record_total(exchange, "12340", MORNING)
    exchange.held = {KEY_ID: {"USDT": "12345.5", "XYZ": "1"}}
    exchange.now = NEXT_MORNING
    assert record(asked_at=NEXT_MORNING)

    answer = send(admin_exchange, sample("admin_exchange/list_balance_history", query={"start": "2026-01-01"}))

    assert answer.text == (
        '{"items":[{"date":"2026-01-02","totalUSD":12345.5,"unpriced":["XYZ"]},'
        '{"date":"2026-01-01","totalUSD":12340}],"nextToken":null}'
    )


def test_round_queues_every_active_key_once(tables: Queues, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "SPREAD_S", 0)
    kinds: tuple[dict[str, Any], ...] = ({}, {"trade_type": TradeType.SPOT}, {"strategy_type": StrategyType.MANUAL})
    wanted = [an_exchange_key(id_of(f"key-{n}"), **kinds[n % 3]).id for n in range(30)]
    an_exchange_key(id_of("inactive"), active=False)

    for run in range(8):
        at = MORNING.replace(hour=run // 4, minute=run % 4 * 15 + 5)
        app.lambda_handler({"source": "aws.events", "time": to_iso(at)}, FakeContext())

    assert sorted(one["api_key_id"] for one in tables.sent_to(tables.balances)) == sorted(wanted)


def test_one_key_or_a_users_keys_are_queued_at_once(tables: Queues) -> None:
    an_exchange_key(id_of("one"))
    an_exchange_key(id_of("two"))
    an_exchange_key(id_of("other's"), user_id=id_of("another user"))

    assert app.lambda_handler({"user_id": USER_ID}, FakeContext()) == {"keys": 2}
    assert app.lambda_handler({"api_key_id": id_of("other's")}, FakeContext()) == {"keys": 1}

    sent = [one["api_key_id"] for one in tables.sent_to(tables.balances)]
    assert sorted(sent) == sorted([id_of("one"), id_of("two"), id_of("other's")])


@pytest.mark.parametrize("name", ["schedule", "one_key", "user"])
def test_sample_calls_are_answered_with_what_was_queued(tables: Queues, name: str) -> None:
    event = json.loads(Path(f"events/balance_recorder/{name}.json").read_text())
    an_exchange_key(next(key for key in map(str, range(999)) if listed_shard_of(key) == "listed#0"), user_id=USER_ID)

    assert app.lambda_handler(event, FakeContext()) == {"keys": 1}
    assert len(tables.sent_to(tables.balances)) == 1


def test_sample_messages(exchange: Exchange) -> None:
    event = json.loads(Path("events/balance_recorder/key.json").read_text())
    key_id = json.loads(event["Records"][0]["body"])["api_key_id"]
    an_exchange_key(key_id)
    exchange.held = {key_id: {"USDT": "1"}}
    assert app.lambda_handler(event, FakeContext()) == {"batchItemFailures": []}
    assert KeyBalance.get(key_id).total_usd == 1

    malformed = json.loads(Path("events/balance_recorder/malformed.json").read_text())
    failures = app.lambda_handler(malformed, FakeContext())["batchItemFailures"]
    assert len(failures) == len(malformed["Records"])
