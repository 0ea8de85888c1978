"""What a follower's settings would have made of the last alerts: from records, without a request to the exchange."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from functions.strategy_follower.app import lambda_handler
from shared.models.base import transact
from shared.models.follower import Follower, FollowerMode
from shared.models.key_balance import KeyBalance
from shared.models.performance_day import PerformanceDay, TradeLedger
from shared.trading.entry_settings import EntrySettings, LossLimit
from shared.trading.execution import ExecutionState
from tests.unit.admin_requests import Answer, sample, send
from tests.unit.records import (
    STARTED_AT,
    a_follower,
    a_risk_profile,
    a_strategy,
    a_trigger,
    a_user,
    an_exchange_key,
    an_execution,
    id_of,
)

DOCUMENTED = "0f7cbd6f-4d2a-4a0e-9a63-4e3e7f0e5a11"


@pytest.fixture
def follower(account_api: Any) -> Follower:
    a_user()
    a_strategy()
    a_risk_profile(percentage=Decimal("1.5"))
    an_exchange_key(id_of("key of mine"))
    made: Follower = a_follower("mine")
    return made


def an_alert(number: int, **values: Any) -> Any:
    usual: dict[str, Any] = {
        "seq": number,
        "at": STARTED_AT + timedelta(hours=number),
        "price": Decimal(20000),
        "stop": Decimal(19800),
    }
    return a_trigger(f"alert {number}", **(usual | values))


def preview(follower: Follower, **query: str) -> Answer:
    event = sample("strategy_follower/preview_settings", path=(DOCUMENTED, follower.id), query=query)
    return send(lambda_handler, event)


def items(answer: Answer) -> list[dict[str, Any]]:
    assert answer.status == 200, answer.body
    found: list[dict[str, Any]] = answer.body["items"]
    return found


def settle(follower: Follower, settings: EntrySettings) -> None:
    follower.update(actions=[Follower.entry_settings.set(settings)])


def test_alerts_are_sized_by_the_equity_on_record_the_latest_first(follower: Follower) -> None:
    an_execution(an_alert(1), follower, state=ExecutionState.CLOSED, equity=Decimal(10_000), amount=Decimal("0.652"))
    an_execution(an_alert(2), follower, state=ExecutionState.DENIED, reason="STALE")
    second, first = items(preview(follower))
    assert (first["equity"], first["equityFrom"], first["denied"]) == (10_000, "EXECUTION", None)
    assert first["recorded"] == {"status": "CLOSED", "reason": None, "amount": Decimal("0.652")}
    assert abs(first["amount"] - Decimal("0.652")) < Decimal("0.001")
    assert (second["equity"], second["equityFrom"]) == (10_000, "NEAREST_EXECUTION")
    assert second["recorded"] == {"status": "DENIED", "reason": "STALE", "amount": None}


def test_settings_of_the_query_are_tried_and_not_stored(follower: Follower) -> None:
    an_execution(an_alert(1), follower, state=ExecutionState.CLOSED, equity=Decimal(10_000))
    (tried,) = items(preview(follower, sizing="NOTIONAL", value="4002", maxNotional="2001"))
    assert (tried["amount"], tried["caps"]) == (Decimal("0.1"), ["MAX_NOTIONAL"])
    (stored,) = items(preview(follower))
    assert stored["caps"] == []
    assert Follower.get(follower.strategy_id, follower.created_key).entry_settings is None


def test_limit_of_losses_denies_what_came_while_it_was_reached(follower: Follower) -> None:
    for number in (1, 3, 30):
        an_execution(an_alert(number), follower, state=ExecutionState.CLOSED, equity=Decimal(10_000))

    def book(transaction: Any) -> None:
        PerformanceDay.add(
            transaction,
            ledger=TradeLedger.STRATEGY,
            user_id=follower.user_id,
            api_key_id=follower.api_key_id,
            closed_at=STARTED_AT + timedelta(hours=2),
            profit=Decimal(-500),
            fee=Decimal(0),
            balance=Decimal(9500),
            quote="USDT",
        )

    transact(book)
    settle(follower, EntrySettings(loss_limit=LossLimit(day_pct=Decimal(5))))
    assert [one["denied"] for one in items(preview(follower))] == [None, "LOSS_LIMIT", None]
    assert [one["denied"] for one in items(preview(follower, lossLimitDay="5.01"))] == [None, None, None]


def test_exits_only_opens_nothing(follower: Follower) -> None:
    an_execution(an_alert(1), follower, state=ExecutionState.CLOSED, equity=Decimal(10_000))
    follower.update(actions=[Follower.mode.set(FollowerMode.EXITS_ONLY)])
    assert [one["denied"] for one in items(preview(follower))] == ["EXITS_ONLY"]
    assert [one["denied"] for one in items(preview(follower, mode="ACTIVE"))] == [None]


def test_without_an_entry_the_keys_balance_counts_and_without_it_nothing_is_claimed(follower: Follower) -> None:
    an_alert(1)
    (unknown,) = items(preview(follower))
    assert (unknown["equity"], unknown["amount"], unknown["denied"]) == (None, None, None)
    assert unknown["recorded"] is None
    KeyBalance(follower.api_key_id, total_usd=Decimal(500), updated_at=STARTED_AT).save()
    (known,) = items(preview(follower))
    assert (known["equity"], known["equityFrom"]) == (500, "KEY_BALANCE")
    assert known["amount"] > 0


def test_what_records_do_not_know_is_said(follower: Follower) -> None:
    answer = preview(follower)
    assert items(answer) == []
    assert [one["code"] for one in answer.body["unknown"]] == [
        "MARKET",
        "FILTERS",
        "MARGIN",
        "OPEN_PROFIT",
        "OTHER_DENIALS",
    ]
    assert answer.body["settings"]["riskPercentage"] == Decimal("1.5")


def test_at_most_thirty_alerts_are_shown(follower: Follower) -> None:
    for number in range(1, 33):
        an_alert(number)
    assert len(items(preview(follower))) == 30


@pytest.mark.parametrize(
    ("query", "param", "msg"),
    [
        ({"sizing": "NOTIONAL"}, "value", "must be given with sizing NOTIONAL or EQUITY, and only then"),
        ({"sizing": "RISK", "value": "5"}, "value", "must be given with sizing NOTIONAL or EQUITY, and only then"),
        ({"maxNotional": "0"}, "maxNotional", "must be greater than 0"),
        ({"maxNotional": "1e9"}, "maxNotional", "must be greater than 0"),
        ({"lossLimitWeek": "101"}, "lossLimitWeek", "must be greater than 0 and at most 100"),
        ({"sizing": "KELLY"}, "sizing", "must be supported sizing"),
        ({"riskProfileId": id_of("no profile")}, "riskProfileId", "must be a risk profile"),
    ],
)
def test_wrong_queries_are_refused(follower: Follower, query: dict[str, str], param: str, msg: str) -> None:
    answer = preview(follower, **query)
    assert answer.status == 422, answer.body
    (fault,) = answer.body["errors"]
    assert (fault["param"], fault["msg"], fault["location"]) == (param, msg, "query")
