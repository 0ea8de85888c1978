"""Trades by hand, from the exchange's own lists to the API."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from functions.manual_trade_importer import app, service
from functions.manual_trade_importer.collection import collect
from shared import rounds
from shared.api.days import SinceQuery
from shared.clock import to_iso, utc_now
from shared.messages import KeyMessage
from shared.models.exchange_key import ApiKeyStatus, ExchangeKey, StrategyType, TradeType
from shared.models.manual_trade import ManualTrade
from shared.models.performance_day import PerformanceDay, TradeLedger
from shared.trading.performance import AccountDay
from shared.trading.sides import Side
from shared.views.performance import get_performance
from shared.worker import run_async
from tests.integration.manual_trade_importer.world import Owner, World
from tests.lambda_context import FakeContext

EVENTS = Path(__file__).resolve().parents[3] / "events" / "manual_trade_importer"
SAMPLE_KEY = "46a19fb1-4e90-4736-b820-257c947fd694"
ETH = "ETH/USDT:USDT"


def run_import(*owners: Owner, delivery: int = 1) -> list[str]:
    """Give the importer one message for each key, as one batch; return the keys whose message failed."""
    asked_at = to_iso(utc_now() + timedelta(milliseconds=1))
    records = [
        {
            "messageId": one.key.id,
            "body": json.dumps({"api_key_id": one.key.id, "asked_at": asked_at}),
            "attributes": {"ApproximateReceiveCount": str(delivery)},
        }
        for one in owners
    ]
    answer = app.lambda_handler({"Records": records}, FakeContext())
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def trades_of(owner: Owner) -> list[ManualTrade]:
    return list(ManualTrade.query(owner.key.id, consistent_read=True))


def exchange_ids(owner: Owner) -> list[str]:
    return [str(trade["id"]) for trade in owner.trader.snapshot()["trades"]]


def days_of(owner: Owner) -> list[AccountDay]:
    return list(PerformanceDay.since(TradeLedger.MANUAL, owner.key.user_id, None))


def test_fills_of_every_symbol_are_found(world: World) -> None:
    owner = world.owner()
    owner.trader.market("buy", 0.1)
    owner.trader.market("sell", 2, ETH)
    world.exchange.move_price("21000")
    owner.trader.market("sell", 0.1)

    assert run_import(owner) == []

    trades = trades_of(owner)
    assert [(one.symbol, one.side, one.amount, one.realized_pnl) for one in trades] == [
        ("BTC/USDT", Side.BUY, Decimal("0.1"), Decimal(0)),
        ("ETH/USDT", Side.SELL, Decimal(2), Decimal(0)),
        ("BTC/USDT", Side.SELL, Decimal("0.1"), Decimal(100)),
    ]
    assert [one.exchange_trade_id for one in trades] == exchange_ids(owner)
    (day,) = days_of(owner)
    fees = sum((one.fee for one in trades), Decimal(0))
    assert (day.trades, day.winning_trades, day.fee, day.profit) == (1, 1, fees, 100 - fees)
    assert (day.opening_balance, day.closed_balance) == (Decimal(10_000), 10_000 + day.profit)


def test_funding_counts_once(world: World) -> None:
    owner = world.owner()
    owner.trader.market("buy", 0.1)
    for _ in range(2):
        world.exchange.control("POST", "/paper/funding", {"symbol": "BTCUSDT", "rate": "0.001"})
        assert run_import(owner) == []

    (day,) = PerformanceDay.query(f"{TradeLedger.MANUAL.value}#{owner.key.user_id}")
    assert (day.funding, day.fee, day.trades) == (Decimal(-4), Decimal("0.8"), 0)
    assert (day.profit, day.closed_balance) == (Decimal("-4.8"), Decimal("9995.2"))


def test_dividend_of_a_stock_counts_as_funding(world: World) -> None:
    owner = world.owner()
    owner.trader.market("buy", 0.1)
    body = {"symbol": "BTCUSDT", "rate": "0.001", "special": True}
    world.exchange.control("POST", "/paper/funding", body)

    assert run_import(owner) == []

    (day,) = PerformanceDay.query(f"{TradeLedger.MANUAL.value}#{owner.key.user_id}")
    assert (day.funding, day.profit, day.closed_balance) == (Decimal(-2), Decimal("-2.8"), Decimal("9997.2"))


def test_balance_names_the_assets_that_it_leaves_out_for_want_of_a_price(world: World) -> None:
    owner = world.owner()
    owner.trader.change(balances={"USDT": "10000", "UNHEARDOF": "7"})
    owner.trader.market("buy", 0.1)

    assert run_import(owner) == []

    (day,) = PerformanceDay.query(f"{TradeLedger.MANUAL.value}#{owner.key.user_id}")
    assert (day.closed_balance, day.unpriced) == (Decimal("9999.2"), ["UNHEARDOF"])
    found = get_performance(owner.key.user_id, TradeLedger.MANUAL, SinceQuery())
    assert (found["closedBalance"], found["unpriced"]) == (Decimal("9999.2"), ["UNHEARDOF"])
    assert [item["unpriced"] for item in found["items"]] == [["UNHEARDOF"]]


def test_each_import_adds_only_new_fills(world: World) -> None:
    owner = world.owner()
    for number in range(3):
        owner.trader.market("buy" if number % 2 else "sell", 0.01)
        assert run_import(owner) == []
        assert run_import(owner) == []

    assert [one.exchange_trade_id for one in trades_of(owner)] == exchange_ids(owner)
    (day,) = days_of(owner)
    assert day.fee == sum((one.fee for one in trades_of(owner)), Decimal(0))


def test_imports_at_once_count_each_fill_once(world: World) -> None:
    owner = world.owner()
    for side in ("buy", "sell", "buy", "sell"):
        owner.trader.market(side, 0.01)
    message = KeyMessage(api_key_id=owner.key.id, asked_at=utc_now() + timedelta(minutes=1))

    async def at_once() -> None:
        await asyncio.gather(*(service.import_trades(message, last_try=False) for _ in range(6)))

    run_async(at_once())

    trades = trades_of(owner)
    assert len(trades) == 4
    (day,) = days_of(owner)
    assert day.fee == sum((one.fee for one in trades), Decimal(0))


def test_spot_fills_are_found_by_changed_amounts(world: World) -> None:
    owner = world.owner(TradeType.SPOT, spotBalances={"USDT": "10000"})
    run_import(owner)
    owner.spot.create_order("BTC/USDT", "market", "buy", 0.1)
    owner.spot.create_order("ETH/USDT", "market", "buy", 1)

    assert run_import(owner) == []

    trades = trades_of(owner)
    assert [(one.symbol, one.side, one.amount, one.cost, one.fee_currency) for one in trades] == [
        ("BTC/USDT", Side.BUY, Decimal("0.1"), Decimal(2000), "BTC"),
        ("ETH/USDT", Side.BUY, Decimal(1), Decimal(1500), "ETH"),
    ]
    assert {one.realized_pnl for one in trades} == {None}
    assert days_of(owner) == [], "the result of a spot trade is unknown"


def test_spot_pair_without_a_trace_is_found_by_the_sweep(world: World) -> None:
    owner = world.owner(TradeType.SPOT, spotBalances={"USDT": "10000"})
    run_import(owner)
    run_import(owner)
    owner.spot.create_order("SOL/USDT", "market", "buy", 10)
    held = float(owner.spot.fetch_balance()["SOL"]["free"])
    world.exchange.control("PUT", f"/paper/accounts/{owner.trader.api_key}", {"spotBalances": {"SOL": "0"}})
    assert held > 0

    runs = 0
    while not trades_of(owner):
        assert runs < 3, "thirteen pairs, ten with each run"
        assert run_import(owner) == []
        runs += 1

    assert [(one.symbol, one.amount) for one in trades_of(owner)] == [("SOL/USDT", Decimal(10))]


def test_sample_events(world: World) -> None:
    owner = world.owner()
    owner.trader.market("buy", 0.01)
    text = (EVENTS / "key.json").read_text(encoding="utf-8").replace(SAMPLE_KEY, owner.key.id)
    later = to_iso(utc_now() + timedelta(seconds=1))

    answer = app.lambda_handler(json.loads(text.replace("2022-09-09T00:35:00.000Z", later)), FakeContext())

    assert answer == {"batchItemFailures": []}
    assert len(trades_of(owner)) == 1
    malformed = json.loads((EVENTS / "malformed.json").read_text(encoding="utf-8"))
    assert len(app.lambda_handler(malformed, FakeContext())["batchItemFailures"]) == len(malformed["Records"])


def test_runs_of_an_hour_queue_every_manual_key_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rounds, "SPREAD_S", 0)
    wanted = {world.owner(kind).key.id for kind in (TradeType.FUTURES, TradeType.SPOT, TradeType.FUTURES)}
    other = world.owner().key
    other.strategy_type = StrategyType.AUTOMATED
    other.save()

    for minute in (5, 20, 35, 50):
        app.lambda_handler({"source": "aws.events", "time": to_iso(utc_now().replace(minute=minute))}, FakeContext())

    queued = [one["api_key_id"] for one in world.aws.taken_from(world.aws.imports)]
    assert wanted <= set(queued)
    assert len(queued) == len(set(queued))
    assert other.id not in queued


def test_bad_key_does_not_stop_the_others(world: World) -> None:
    refused, unreachable, good = world.owner(), world.owner(), world.owner()
    for owner in (refused, unreachable, good):
        owner.trader.market("buy", 0.01)
    fault: dict[str, Any] = {"method": "GET", "path": "/fapi/v3/account", "times": 1}
    refusal = {"kind": "code", "status": 401, "code": -2015, "msg": "Invalid API-key"}
    outage = {"kind": "http", "status": 503, "msg": "Service Unavailable"}
    for owner, what in ((refused, refusal), (unreachable, outage)):
        world.exchange.control("POST", "/paper/faults", fault | what | {"apiKey": owner.trader.api_key})

    assert run_import(refused, unreachable, good) == [unreachable.key.id]

    assert len(trades_of(good)) == 1
    assert ExchangeKey.get(refused.key.id).api_key_status is ApiKeyStatus.UNAUTHORIZED
    assert run_import(unreachable) == []
    assert len(trades_of(unreachable)) == 1


@pytest.mark.rings("TradesNotImportedAlarm")
def test_alarm_rings_when_the_last_try_gets_no_answer(world: World) -> None:
    owner = world.owner()
    owner.trader.market("buy", 0.01)
    body = {"method": "GET", "path": "/fapi/v1/userTrades", "kind": "truncate", "times": 9}
    world.exchange.control("POST", "/paper/faults", body | {"apiKey": owner.trader.api_key})

    assert run_import(owner, delivery=service.MAX_TRIES - 1) == [owner.key.id]
    assert run_import(owner, delivery=service.MAX_TRIES) == [], "the next hour comes anyway"
    assert trades_of(owner) == []


def test_exchange_that_fails_in_the_middle_leaves_no_gap(world: World) -> None:
    owner = world.owner()
    owner.trader.market("buy", 0.01)
    owner.trader.market("buy", 0.1, ETH)
    body = {"method": "GET", "path": "/fapi/v1/userTrades", "kind": "truncate", "times": 3}
    world.exchange.control("POST", "/paper/faults", body | {"apiKey": owner.trader.api_key})

    for _ in range(3):
        assert run_import(owner) == [owner.key.id]
    assert run_import(owner) == []

    assert [one.exchange_trade_id for one in trades_of(owner)] == exchange_ids(owner)


@pytest.mark.parametrize("trade_type", TradeType)
def test_requests_have_the_weight_that_the_pacer_assumes(
    world: World, trade_type: TradeType, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = world.owner(trade_type, spotBalances={"USDT": "10000"})
    weights: list[int] = []

    async def collect_and_weigh(*args: Any, **kwargs: Any) -> Any:
        collected = await collect(*args, **kwargs)
        weights.append(collected.weight)
        return collected

    monkeypatch.setattr(service, "collect", collect_and_weigh)
    ping = "/fapi/v1/ping" if trade_type is TradeType.FUTURES else "/api/v3/ping"
    run_import(owner)  # the markets are cached from here on
    before = after = 0
    while after <= before:  # again, should the exchange's minute end in between
        if trade_type is TradeType.FUTURES:
            owner.trader.market("buy", 0.01)
        before = used_weight(world, ping)
        assert run_import(owner) == []
        after = used_weight(world, ping)

    assert weights[-1] == after - before - 1
    assert weights[-1] > 0


def used_weight(world: World, ping: str) -> int:
    """Return what the exchange has counted in this minute, this request included."""
    with urllib.request.urlopen(world.exchange.url + ping, timeout=5) as answer:  # noqa: S310 - 127.0.0.1
        return int(answer.headers["X-MBX-USED-WEIGHT-1M"])
