"""A leader trades at the paper exchange, and the report shows what that earned, through the report key."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from functions.strategy_reporter import app, leader_account, service
from shared.clock import utc_now
from shared.models.notice import Notice
from shared.models.performance_day import PerformanceDay, TradeLedger
from shared.models.strategy import Strategy
from shared.models.strategy_report import StrategyReport
from shared.secrets import SecretKind, seal
from shared.trading.performance import AccountDay
from tests import builders
from tests.builders import saved
from tests.integration.paper_exchange.exchange_process import ExchangeProcess
from tests.integration.paper_exchange.trader import ETH, Trader
from tests.lambda_context import FakeContext


@dataclass(frozen=True, slots=True)
class Leader:
    """A strategy, and its leader's account."""

    trader: Trader
    strategy: Strategy

    def report(self, *, before: date | None = None, count: int = 1) -> list[str]:
        """Report the days before a day, today's included by default; return the messages that failed."""
        day = before or utc_now().date() + timedelta(days=1)
        message = {"before": day.isoformat(), "strategy_id": self.strategy.id}
        attributes = {"ApproximateReceiveCount": str(count)}
        records = [{"messageId": "1", "body": json.dumps(message), "attributes": attributes}]
        answer = app.lambda_handler({"Records": records}, FakeContext())
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]

    def days(self) -> list[AccountDay]:
        return list(PerformanceDay.since(TradeLedger.LEADER, self.strategy.id, None))

    def begin_again(self) -> None:
        """Let the next report read everything once more, as a run does whose predecessor crashed."""
        StrategyReport(self.strategy.id).save()


@pytest.fixture
def leader(exchange: ExchangeProcess) -> Leader:
    trader = Trader(exchange, secrets.token_hex(32), None).open_account()
    strategy_id = str(uuid4())
    strategy = builders.strategy(
        strategy_id,
        report_api_key=trader.api_key,
        report_secret_ciphertext=seal(trader.secret, kind=SecretKind.REPORT_KEY, owner_id=strategy_id),
    )
    return Leader(trader, saved(strategy))


def notices_of(strategy_id: str) -> list[dict[str, Any]]:
    found = [Notice.get(one.id) for one in Notice.by_recipient.query("admins")]
    contents = [json.loads(one.content) for one in found if one.kind == "REPORT_KEY_REFUSED"]
    return [content for content in contents if content["strategy_id"] == strategy_id]


def test_report_equals_the_example_to_the_cent(exchange: ExchangeProcess, leader: Leader) -> None:
    leader.trader.market("buy", 0.1)  # 2,000 at 0.04 %: 0.80
    exchange.control("POST", "/paper/funding", {"symbol": "BTCUSDT", "rate": "0.001"})  # paid: 2.00
    exchange.move_price("21000")
    leader.trader.market("sell", 0.1)  # +100, and 2,100 at 0.04 %: 0.84
    leader.trader.market("sell", 0.05)  # 1,050 at 0.04 %: 0.42
    exchange.move_price("21500")
    leader.trader.market("buy", 0.05)  # -25, and 1,075 at 0.04 %: 0.43

    assert leader.report() == []

    (day,) = leader.days()
    assert day.date == utc_now().date()
    # 100 - 25 - 2.00 - 0.80 - 0.84 - 0.42 - 0.43
    assert (day.profit, day.fee) == (Decimal("70.51"), Decimal("2.49"))
    assert (day.trades, day.winning_trades, day.losing_trades) == (2, 1, 1)
    assert (day.won, day.lost) == (Decimal("99.16"), Decimal("25.43"))
    assert (day.opening_balance, day.closed_balance) == (Decimal(10_000), Decimal("10070.51"))
    assert Decimal(leader.trader.snapshot()["walletBalance"]) == day.closed_balance
    (stored,) = PerformanceDay.query(f"LEADER#{leader.strategy.id}")
    assert stored.funding == -2


def test_other_symbols_and_trades_before_the_strategy_are_left_out(exchange: ExchangeProcess, leader: Leader) -> None:
    leader.trader.market("buy", 0.1)
    leader.strategy.update(actions=[Strategy.created_at.set(utc_now() + timedelta(milliseconds=1))])
    leader.trader.market("sell", 1, ETH)
    exchange.control("POST", "/paper/funding", {"symbol": "ETHUSDT", "rate": "0.001"})
    leader.trader.market("buy", 0.2)
    assert leader.report() == []
    (day,) = leader.days()
    assert (day.profit, day.fee, day.trades) == (Decimal("-1.60"), Decimal("1.60"), 0)


def test_repeat_makes_the_same_day_and_a_reported_day_is_not_read_again(leader: Leader) -> None:
    leader.trader.market("buy", 0.1)
    assert leader.report() == []
    before = leader.days()
    leader.begin_again()
    assert leader.report() == []
    assert leader.days() == before
    requests = leader.trader.snapshot()["requests"]
    assert leader.report() == []
    assert leader.trader.snapshot()["requests"] == requests


def test_day_that_is_not_over_is_not_reported(leader: Leader) -> None:
    leader.trader.market("buy", 0.1)
    assert leader.report(before=utc_now().date()) == []
    assert leader.days() == []


def test_more_fills_than_a_page_holds_are_all_counted(leader: Leader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leader_account, "PAGE", 2)
    for number in range(5):
        leader.trader.market("sell" if number % 2 else "buy", 0.1)
    assert leader.report() == []
    (day,) = leader.days()
    assert (day.fee, day.trades) == (Decimal("4.00"), 0)
    assert day.closed_balance == Decimal("9996.00")


def test_day_with_more_fills_than_a_run_reads_is_not_reported_in_part(
    leader: Leader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leader_account, "PAGE", 2)
    monkeypatch.setattr(leader_account, "PAGES_A_RUN", 2)
    for _ in range(5):
        leader.trader.market("buy", 0.1)
    assert leader.report() == []
    assert leader.days() == []


def test_refused_key_is_told_and_the_missing_days_come_once_it_is_accepted(
    exchange: ExchangeProcess, leader: Leader
) -> None:
    leader.trader.market("buy", 0.1)
    refusal = {"method": "GET", "path": "/fapi/v3/account", "kind": "code", "times": 2, "status": 401, "code": -2015}
    exchange.control("POST", "/paper/faults", refusal)
    assert [leader.report(), leader.report()] == [[], []]
    (notice,) = notices_of(leader.strategy.id)
    assert notice["strategy_name"] == leader.strategy.name
    assert leader.days() == []
    assert leader.report() == []
    assert [day.fee for day in leader.days()] == [Decimal("0.80")]
    assert StrategyReport.of(leader.strategy.id).refused_since is None


def test_report_waits_for_a_lane_without_slack(leader: Leader, settings_from: Any, exchange: ExchangeProcess) -> None:
    settings_from(EXCHANGE_URL=exchange.url, LANE_WEIGHT_PER_MINUTE=str(service.HELD_WEIGHT - 1))
    assert leader.report() == ["1"]
    assert leader.report(count=service.MAX_TRIES) == []
    assert leader.days() == []
