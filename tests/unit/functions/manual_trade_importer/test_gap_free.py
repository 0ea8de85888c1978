"""Whatever is traded and paid when, and wherever an import crashes: in the end all of it is stored and counts once."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from decimal import Decimal
from typing import Any
from unittest import mock
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from functions.manual_trade_importer import app, collection, service, storage
from shared.clock import to_iso
from shared.exchange import account_fills, account_queries
from shared.models.base import transact
from shared.models.egress_lane import EgressLane
from shared.models.exchange_key import ExchangeKey, StrategyType
from shared.models.import_cursor import ImportCursor
from shared.models.import_scan import ImportScan
from shared.models.manual_income import ManualIncome
from shared.models.manual_trade import ManualTrade, manual_trade_id
from shared.models.performance_day import PerformanceDay, TradeLedger
from shared.pacing import WeightPacer
from tests.lambda_context import FakeContext
from tests.unit.functions.manual_trade_importer.exchange import OPENED_AT, FuturesExchange
from tests.unit.in_process_aws import Queues, aws_client
from tests.unit.records import an_exchange_key

SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT")


class Crashed(BaseException):
    """A worker's crash: none of our code may catch it."""


@pytest.fixture
def queues(aws: Queues) -> Iterator[Queues]:
    for model in (EgressLane, ExchangeKey, ImportCursor, ImportScan, ManualIncome, ManualTrade, PerformanceDay):
        model.create_table(billing_mode="PAY_PER_REQUEST")
    with ExitStack() as patched:
        patched.enter_context(mock.patch.object(service, "pacer", return_value=WeightPacer(10**9)))
        patched.enter_context(mock.patch.object(account_fills, "PAGE", 3))
        patched.enter_context(mock.patch.object(collection, "PAGE", 3))
        patched.enter_context(mock.patch.object(collection, "FILLS_A_RUN", 5))
        patched.enter_context(mock.patch.object(storage, "INCOMES_A_RUN", 3))
        yield aws


class Owner:
    """A user who trades by hand, and the importer that runs now and then."""

    def __init__(self, exchange: FuturesExchange, queues: Queues) -> None:
        self.exchange = exchange
        self.queues = queues
        self.user_id = str(uuid4())
        self.key = an_exchange_key(str(uuid4()), at=OPENED_AT, strategy_type=StrategyType.MANUAL, user_id=self.user_id)

    def run(self, *, crashes_at: int | None = None) -> None:
        """Let a worker handle a message about the key; it crashes before its nth write."""
        body = json.dumps({"api_key_id": self.key.id, "asked_at": to_iso(self.exchange.now)})
        event = {"Records": [{"messageId": "1", "body": body}]}
        writes = iter(range(10**6))

        def crashing(write: Callable[..., Any]) -> Callable[..., Any]:
            def do(*args: Any, **kwargs: Any) -> Any:
                if next(writes) == crashes_at:
                    raise Crashed
                return write(*args, **kwargs)

            return do

        async def read_through(_key: ExchangeKey, ask: Callable[[Any], Awaitable[Any]]) -> Any:
            return await ask(self.exchange)

        follow_ups: list[int] = []
        with ExitStack() as patched:
            patched.enter_context(mock.patch.object(service, "utc_now", return_value=self.exchange.now))
            patched.enter_context(
                mock.patch.object(service, "send_keys", lambda *_, after_s, **__: follow_ups.append(after_s))
            )
            patched.enter_context(mock.patch.object(account_queries, "read_through", read_through))
            patched.enter_context(mock.patch.object(storage, "transact", crashing(transact)))
            patched.enter_context(mock.patch.object(ImportCursor, "move", crashing(ImportCursor.move)))
            patched.enter_context(mock.patch.object(ImportScan, "replace", crashing(ImportScan.replace)))
            try:
                assert app.lambda_handler(event, FakeContext()) == {"batchItemFailures": []}
            except Crashed:
                return
        if follow_ups:
            self.exchange.wait(timedelta(seconds=follow_ups.pop()))
            self.run()

    def imported(self) -> list[str]:
        return sorted(trade.id for trade in ManualTrade.query(self.key.id))

    def traded(self) -> list[str]:
        return sorted(
            manual_trade_id(api_key_id=self.key.id, symbol=one["symbol"], exchange_trade_id=str(one["id"]))
            for one in self.exchange.trades
        )

    def earned(self) -> Decimal:
        results = [Decimal(one["realizedPnl"]) - Decimal(one["commission"]) for one in self.exchange.trades]
        return sum(results, self.funding(stored=False))

    def funding(self, *, stored: bool) -> Decimal:
        if not stored:
            return sum((Decimal(one["income"]) for one in self.exchange.incomes), Decimal(0))
        ledger = f"{TradeLedger.MANUAL.value}#{self.user_id}"
        return sum((day.funding for day in PerformanceDay.query(ledger)), Decimal(0))

    def performance(self) -> tuple[Decimal, int]:
        days = list(PerformanceDay.since(TradeLedger.MANUAL, self.user_id, None))
        return sum((day.profit for day in days), Decimal(0)), sum(day.trades for day in days)


_pauses = st.sampled_from(
    [
        timedelta(0),
        timedelta(milliseconds=1),
        timedelta(minutes=1),
        timedelta(hours=1),
        timedelta(days=2),
        timedelta(days=9),
    ]
)
_trade = st.tuples(st.sampled_from(SYMBOLS), st.sampled_from([-2, -1, 1, 2]), st.sampled_from([0, 5, -3]), _pauses)
_payment = st.tuples(st.sampled_from(SYMBOLS), st.sampled_from(["-0.45", "0.2"]), _pauses)
_run = st.none() | st.integers(0, 12)
_step = st.one_of(_trade, _trade, _payment, _run)


@given(steps=st.lists(_step, max_size=30), shows_newest=st.booleans())
@hypothesis_settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_every_fill_is_imported_once(queues: Queues, steps: list[Any], shows_newest: bool) -> None:
    owner = Owner(FuturesExchange(shows_newest=shows_newest), queues)
    for step in steps:
        match step:
            case (symbol, amount, pnl, pause):
                owner.exchange.trade(symbol, Decimal(amount), pnl=Decimal(pnl))
                owner.exchange.wait(pause)
            case (symbol, funding, pause):
                owner.exchange.pay(symbol, Decimal(funding))
                owner.exchange.wait(pause)
            case crashes_at:
                owner.exchange.wait(timedelta(milliseconds=1))
                owner.run(crashes_at=crashes_at)

    owner.exchange.wait(timedelta(hours=1))
    owner.run()

    assert owner.imported() == owner.traded()
    closings = sum(1 for one in owner.exchange.trades if Decimal(one["realizedPnl"]))
    assert owner.performance() == (owner.earned(), closings)
    assert owner.funding(stored=True) == owner.funding(stored=False)


@pytest.mark.parametrize("shows_newest", [True, False])
def test_backlog_of_several_runs_is_imported_wherever_a_worker_crashes(queues: Queues, shows_newest: bool) -> None:
    owner = Owner(FuturesExchange(shows_newest=shows_newest), queues)
    for crashes_at in range(9):
        for number in range(8):
            owner.exchange.trade(SYMBOLS[number % 2], Decimal(1), pnl=Decimal(number % 3))
        owner.exchange.wait(timedelta(hours=3))
        owner.run(crashes_at=crashes_at)

    owner.run()

    assert owner.imported() == owner.traded()
    assert owner.performance()[0] == owner.earned()


def test_funding_counts_on_its_day_and_in_the_balances(queues: Queues) -> None:
    owner = Owner(FuturesExchange(), queues)
    owner.exchange.trade("BTCUSDT", Decimal(1), fee=Decimal(1))
    owner.exchange.wait(timedelta(days=1))
    owner.exchange.pay("BTCUSDT", Decimal(-7))
    owner.exchange.wait(timedelta(hours=1))
    owner.exchange.trade("BTCUSDT", Decimal(-1), pnl=Decimal(50), fee=Decimal(2))
    owner.exchange.wait(timedelta(hours=1))

    owner.run()

    days = list(PerformanceDay.since(TradeLedger.MANUAL, owner.user_id, None))
    assert [(day.opening_balance, day.closed_balance, day.profit, day.trades) for day in days] == [
        (Decimal(10_000), Decimal(9_999), Decimal(-1), 0),
        (Decimal(9_999), Decimal(10_040), Decimal(41), 1),
    ]
    assert owner.funding(stored=True) == -7


def test_funding_of_a_position_that_is_held_is_imported_without_any_trade(queues: Queues) -> None:
    owner = Owner(FuturesExchange(), queues)
    owner.exchange.trade("BTCUSDT", Decimal(1))
    for _ in range(30):
        owner.exchange.wait(timedelta(hours=8))
        owner.exchange.pay("BTCUSDT", Decimal("-0.45"))
        owner.run()
    owner.exchange.wait(timedelta(hours=1))
    owner.run()
    assert owner.performance()[0] == owner.earned()
    assert owner.funding(stored=True) == Decimal("-0.45") * 30


def test_backlog_of_payments_is_imported_over_several_runs(queues: Queues) -> None:
    owner = Owner(FuturesExchange(), queues)
    owner.exchange.trade("BTCUSDT", Decimal(1))
    for _ in range(10):
        owner.exchange.wait(timedelta(hours=8))
        owner.exchange.pay("BTCUSDT", Decimal("-0.45"))
    owner.run()
    assert owner.performance()[0] == owner.earned()


def test_fee_of_a_liquidation_is_a_fee(queues: Queues) -> None:
    owner = Owner(FuturesExchange(), queues)
    owner.exchange.trade("BTCUSDT", Decimal(1), fee=Decimal(1))
    owner.exchange.trade("BTCUSDT", Decimal(-1), pnl=Decimal(-900), fee=Decimal(1))
    owner.exchange.pay("BTCUSDT", Decimal(-12), kind="INSURANCE_CLEAR")
    owner.exchange.wait(timedelta(hours=1))

    owner.run()

    (day,) = PerformanceDay.since(TradeLedger.MANUAL, owner.user_id, None)
    assert (day.profit, day.fee, day.trades, day.closed_balance) == (Decimal(-914), Decimal(14), 1, Decimal(9_086))


def test_transfers_are_no_result(queues: Queues) -> None:
    owner = Owner(FuturesExchange(), queues)
    owner.exchange.pay("", Decimal(500), kind="TRANSFER")
    owner.exchange.wait(timedelta(hours=1))
    owner.run()
    assert owner.performance() == (Decimal(0), 0)


def test_repeated_message_queries_and_stores_once(queues: Queues) -> None:
    owner = Owner(FuturesExchange(), queues)
    owner.exchange.trade("BTCUSDT", Decimal(1))
    owner.exchange.wait(timedelta(hours=1))
    owner.run()
    asked, days = len(owner.exchange.asked), owner.performance()

    owner.run()

    assert len(owner.exchange.asked) == asked
    assert owner.imported() == owner.traded()
    assert owner.performance() == days


def test_fill_that_is_listed_late_is_imported_too(queues: Queues) -> None:
    owner = Owner(FuturesExchange(), queues)
    for _ in range(2):
        owner.exchange.trade("BTCUSDT", Decimal(1))
    hidden = owner.exchange.trades.pop(0)
    owner.exchange.wait(timedelta(seconds=30))
    owner.run()
    owner.exchange.trades.insert(0, hidden)
    owner.exchange.wait(timedelta(hours=1))

    owner.run()

    assert owner.imported() == owner.traded()


def test_quiet_account_costs_one_request_an_hour(queues: Queues) -> None:
    owner = Owner(FuturesExchange(), queues)
    owner.exchange.trade("BTCUSDT", Decimal(1))
    for _ in range(2):
        owner.exchange.wait(timedelta(hours=1))
        owner.run()
    owner.exchange.asked.clear()

    for _ in range(5):
        owner.exchange.wait(timedelta(hours=1))
        owner.run()

    assert owner.exchange.asked == ["account"] * 5


def test_days_have_the_accounts_opening_and_closing_balance(queues: Queues) -> None:
    owner = Owner(FuturesExchange(), queues)
    owner.exchange.trade("BTCUSDT", Decimal(1), fee=Decimal(1))
    owner.exchange.trade("BTCUSDT", Decimal(-1), pnl=Decimal(50), fee=Decimal(2))
    owner.exchange.wait(timedelta(days=1))
    owner.exchange.trade("ETHUSDT", Decimal(-1), fee=Decimal(3))
    owner.exchange.wait(timedelta(hours=1))

    owner.run()

    days = list(PerformanceDay.since(TradeLedger.MANUAL, owner.user_id, None))
    assert [(day.opening_balance, day.closed_balance, day.profit, day.trades) for day in days] == [
        (Decimal(10_000), Decimal(10_047), Decimal(47), 1),
        (Decimal(10_047), Decimal(10_044), Decimal(-3), 0),
    ]


def test_trades_from_before_the_key_was_stored_are_not_imported(queues: Queues) -> None:
    exchange = FuturesExchange(now=OPENED_AT - timedelta(days=3))
    exchange.trade("BTCUSDT", Decimal(1))
    exchange.wait(timedelta(days=4))
    owner = Owner(exchange, queues)
    owner.exchange.trade("BTCUSDT", Decimal(-1))
    owner.exchange.wait(timedelta(hours=1))

    owner.run()

    ours = manual_trade_id(api_key_id=owner.key.id, symbol="BTCUSDT", exchange_trade_id="1003")
    assert owner.imported() == [ours]


def test_messages_about_other_keys_do_nothing(queues: Queues) -> None:
    owner = Owner(FuturesExchange(), queues)
    owner.exchange.wait(timedelta(hours=1))
    owner.key.strategy_type = StrategyType.AUTOMATED
    owner.key.save()
    owner.run()
    owner.key.delete()
    owner.run()
    assert owner.exchange.asked == []


def test_key_is_queued_on_the_import_queue(queues: Queues) -> None:
    assert app.lambda_handler({"api_key_id": "one"}, FakeContext()) == {"keys": 1}
    assert [one["api_key_id"] for one in queues.sent_to(queues.imports)] == ["one"]
    assert (
        aws_client("sqs").get_queue_attributes(QueueUrl=queues.keys, AttributeNames=["All"])["Attributes"][
            "ApproximateNumberOfMessages"
        ]
        == "0"
    )
