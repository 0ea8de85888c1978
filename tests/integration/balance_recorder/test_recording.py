"""The recorded balances, against the exchange's own accounts, on tables that keep their order under threads."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from decimal import Decimal

import pytest

from functions.balance_recorder import app, service
from shared.clock import to_iso, utc_now
from shared.exchange import lanes, weights
from shared.exchange.gate import Work
from shared.exchange.server_clock import server_clock
from shared.messages import KeyMessage
from shared.models.balance_day import BalanceDay
from shared.models.exchange_key import ApiKeyStatus, ExchangeKey, TradeType
from shared.models.key_balance import KeyBalance
from shared.worker import run_async
from tests.integration.executor.world import Person, World
from tests.lambda_context import FakeContext

ACCOUNT = "/fapi/v3/account"


def record(*people: Person) -> list[str]:
    """Give the recorder one message for each key, as one batch; return the keys whose message failed."""
    asked_at = to_iso(utc_now())
    records = [
        {"messageId": one.key.id, "body": json.dumps({"api_key_id": one.key.id, "asked_at": asked_at})}
        for one in people
    ]
    answer = app.lambda_handler({"Records": records}, FakeContext())
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def total_of(person: Person) -> Decimal | None:
    found = KeyBalance.find(person.key.id)
    return None if found is None else found.total_usd


def on_spot(world: World, balances: dict[str, str]) -> Person:
    person = world.follower(spotBalances=balances)
    person.key.trade_type = TradeType.SPOT
    person.key.save()
    return person


def test_bad_keys_do_not_stop_the_others(world: World) -> None:
    futures, refused, unreachable = world.follower(balance="1234.5"), world.follower(), world.follower(balance="10000")
    spot = on_spot(world, {"USDT": "10.25", "BTC": "0.5", "ETH": "2"})
    world.plan_fault(refused, "code", ACCOUNT, "GET", status=401, code=-2015, msg="Invalid API-key")
    world.plan_fault(unreachable, "http", ACCOUNT, "GET", status=503, msg="Service Unavailable")

    assert record(futures, refused, unreachable, spot) == [unreachable.key.id]

    assert [total_of(one) for one in (futures, refused, unreachable, spot)] == [
        Decimal("1234.5"),
        None,
        None,
        Decimal("13010.25"),
    ]
    keys = [ExchangeKey.get(one.key.id) for one in (futures, refused, unreachable)]
    assert [(key.api_key_status, key.active) for key in keys] == [
        (ApiKeyStatus.AUTHORIZED, True),
        (ApiKeyStatus.UNAUTHORIZED, False),
        (ApiKeyStatus.FAILED, True),
    ]
    assert record(unreachable) == []
    assert total_of(unreachable) == 10000


def test_credits_loans_and_unknown_assets_of_a_futures_wallet(world: World) -> None:
    person = world.follower(balance="100")
    wallet = {"BNFCR": "5000", "LDUSDT": "8000", "RWUSD": "1000", "LDBTC": "0.1", "XYZ": "500"}
    world.exchange.control("PUT", f"/paper/accounts/{person.key.api_key}", {"balances": wallet})

    assert record(person) == []

    found = KeyBalance.get(person.key.id)
    assert (found.total_usd, found.unpriced) == (Decimal(16100), ["XYZ"])


def test_futures_account_counts_the_profit_of_its_open_position(world: World) -> None:
    person = world.follower(balance="10000")
    world.trade_as_owner(person, "BUY", "0.1")
    world.exchange.move_price("21000")

    assert record(person) == []

    won = Decimal("0.1") * 1000
    assert abs((total_of(person) or 0) - (10000 + won)) < 2, "fees aside"


def test_deposit_across_the_plans_maximum_is_notified_once(world: World) -> None:
    person = world.follower(balance="40000")
    record(person)
    world.exchange.control("PUT", f"/paper/accounts/{person.key.api_key}", {"balances": {"USDT": "60000"}})

    record(person)
    record(person)

    above_since = KeyBalance.get(person.key.id).above_since
    assert above_since is not None
    notices = world.take_messages("notices")
    assert len({one["notice_id"] for one in notices}) == 1, "the other switches are off"


def test_readings_at_once_leave_the_latest_and_one_record_a_day(world: World) -> None:
    person = world.follower(balance="10000")
    message = KeyMessage(api_key_id=person.key.id, asked_at=utc_now())

    async def at_once() -> None:
        await asyncio.gather(*(service.record_balance(message, last_try=False) for _ in range(8)))

    run_async(at_once())

    days = list(BalanceDay.query(person.key.id))
    assert [(day.total_usd, day.updated_at) for day in days] == [
        (Decimal(10000), KeyBalance.get(person.key.id).updated_at)
    ]


def test_readings_have_the_declared_weight(world: World) -> None:
    futures, spot = world.follower(), on_spot(world, {"USDT": "1"})
    record(futures, spot)  # markets and prices are cached from here on

    assert weight_of_recording(world, futures, "/fapi/v1/ping") == service.WEIGHTS[TradeType.FUTURES]
    assert weight_of_recording(world, spot, "/api/v3/ping") == service.WEIGHTS[TradeType.SPOT]


def weight_of_recording(world: World, person: Person, ping: str) -> int:
    """Return what the exchange counts for one recording; again, should its minute end in between."""
    while True:
        before, recorded, after = used_weight(world, ping), record(person), used_weight(world, ping)
        assert recorded == []
        if after > before:
            return after - before - 1


def used_weight(world: World, ping: str) -> int:
    """Return what the exchange has counted in this minute, this request included."""
    with urllib.request.urlopen(world.exchange.url + ping, timeout=5) as answer:  # noqa: S310 - 127.0.0.1
        return int(answer.headers["X-MBX-USED-WEIGHT-1M"])


def test_balance_stands_back_while_its_lane_has_little_left_and_costs_no_key_its_status(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights, "WINDOW_MS", 24 * 3600 * 1000)
    person = world.follower()
    limiter = lanes.limiter_of(lanes.DEFAULT_LANE)
    limiter.record_usage(
        limiter.weight.budget().cap(Work.BACKGROUND), asked_at_ms=server_clock.now_ms() + 1_000
    )  # not in a minute's first second

    assert record(person) == [person.key.id]

    assert world.account(person).requests == {}
    assert ExchangeKey.get(person.key.id).api_key_status is person.key.api_key_status
    lanes.forget()
    assert record(person) == []
    assert total_of(person) is not None
