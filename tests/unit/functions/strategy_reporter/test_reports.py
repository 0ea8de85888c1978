"""From the schedule to each strategy's report, and the weekly letter to the admins."""

from __future__ import annotations

import json
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from functions.strategy_reporter import letter, service
from functions.strategy_reporter.app import lambda_handler
from functions.strategy_reporter.leader_account import LeaderHistory
from shared.clock import utc_now
from shared.errors import ExchangeAuthorizationFailed, ExchangeUnavailable
from shared.models.notice import Notice
from shared.models.notification_setting import NotificationSetting
from shared.models.strategy_report import StrategyReport
from shared.notifications.report_values import StrategyWeek
from shared.secrets import SecretKind
from shared.worker import UnknownEvent
from tests.lambda_context import FakeContext
from tests.unit.functions.strategy_reporter.days import MONDAY, a_follower_day, a_leader_day
from tests.unit.in_process_aws import Queues
from tests.unit.records import STARTED_AT, STRATEGY_ID, a_strategy, id_of


def sample(name: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((Path("events/strategy_reporter") / f"{name}.json").read_text(encoding="utf-8"))
    return event


def deliver(*messages: dict[str, Any], count: int = 1) -> list[str]:
    records = [
        {
            "messageId": str(number),
            "receiptHandle": "x",
            "body": json.dumps(one),
            "attributes": {"ApproximateReceiveCount": str(count)},
        }
        for number, one in enumerate(messages)
    ]
    failures = lambda_handler({"Records": records}, FakeContext())["batchItemFailures"]
    return [failure["itemIdentifier"] for failure in failures]


def report(*, before: date | None = None, count: int = 1) -> list[str]:
    day = before or utc_now().date()
    return deliver({"before": day.isoformat(), "strategy_id": STRATEGY_ID}, count=count)


def notices(kind: str) -> list[dict[str, Any]]:
    return [json.loads(one.content) for one in Notice.scan() if one.kind == kind]


@pytest.fixture
def refusing(monkeypatch: pytest.MonkeyPatch) -> list[Exception | None]:
    """Return the exchange's answer to each read, the last one first; None is an account without fills."""
    answers: list[Exception | None] = []

    async def read_through(*_: Any, kind: SecretKind) -> LeaderHistory:
        assert kind is SecretKind.REPORT_KEY
        answer = answers.pop()
        if answer is not None:
            raise answer
        return LeaderHistory((), (), {}, utc_now() + timedelta(days=1), weight=0)

    async def prices_for(*_: Any) -> dict[str, Decimal]:
        return {}

    monkeypatch.setattr("shared.exchange.account_queries.read_through", read_through)
    monkeypatch.setattr(service, "prices_for", prices_for)
    return answers


def test_schedule_queues_every_strategy_page_by_page(tables: Queues, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "PAGE_SIZE", 2)
    ids = {a_strategy(id_of(f"strategy {n}"), at=STARTED_AT + timedelta(minutes=n)).id for n in range(5)}
    assert lambda_handler(sample("schedule"), FakeContext()) == {"before": "2022-09-09"}
    queued: list[str] = []
    while messages := tables.sent_to(tables.strategy_reports):
        queued += [one["strategy_id"] for one in messages if "strategy_id" in one]
        assert deliver(*[one for one in messages if "after" in one]) == []
        assert {one["before"] for one in messages} == {"2022-09-09"}
    assert sorted(queued) == sorted(ids)


def test_operator_queues_one_strategy_and_a_mistake_queues_nothing(tables: Queues) -> None:
    lambda_handler(sample("one_strategy"), FakeContext())
    (message,) = tables.sent_to(tables.strategy_reports)
    assert message["strategy_id"] == sample("one_strategy")["strategy_id"]
    with pytest.raises(UnknownEvent):
        lambda_handler({"strategy": "x"}, FakeContext())


def test_malformed_messages_fail_and_an_unknown_strategy_is_done(tables: Queues) -> None:
    assert len(lambda_handler(sample("malformed"), FakeContext())["batchItemFailures"]) == 2
    assert lambda_handler(sample("strategy"), FakeContext())["batchItemFailures"] == []


def test_refused_report_key_is_told_to_the_admins_once_until_it_is_accepted(
    tables: Queues, refusing: list[Exception | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    a_strategy(at=utc_now() - timedelta(days=3))
    refused = ExchangeAuthorizationFailed("credentials refused")
    refusing += [refused, None, refused, refused]
    for told in (1, 1):
        assert report() == []
        assert len(notices("REPORT_KEY_REFUSED")) == told
        assert StrategyReport.of(STRATEGY_ID).leader_next_day is None
        # The followers' part goes on.
        assert StrategyReport.of(STRATEGY_ID).followers_next_day == utc_now().date().isoformat()
    assert report() == []
    progress = StrategyReport.of(STRATEGY_ID)
    assert progress.refused_since is None
    assert progress.leader_next_day == utc_now().date().isoformat()
    monkeypatch.setattr(service, "utc_now", lambda: utc_now() + timedelta(days=1))
    assert report(before=utc_now().date() + timedelta(days=1)) == []
    assert len(notices("REPORT_KEY_REFUSED")) == 2
    assert refusing == []


def test_day_that_is_not_over_is_not_reported(tables: Queues, refusing: list[Exception | None]) -> None:
    a_strategy(at=utc_now() - timedelta(days=3))
    refusing.append(None)
    assert report(before=utc_now().date() + timedelta(days=9)) == []
    progress = StrategyReport.of(STRATEGY_ID)
    today = utc_now().date().isoformat()
    assert (progress.followers_next_day, progress.leader_next_day) == (today, today)


def test_unreachable_exchange_is_retried_four_times(tables: Queues, refusing: list[Exception | None]) -> None:
    a_strategy(at=utc_now() - timedelta(days=3))
    refusing += [ExchangeUnavailable("down")] * 5
    assert [report(count=count) for count in range(1, 6)] == [["0"]] * 4 + [[]]
    assert StrategyReport.of(STRATEGY_ID).leader_next_day is None
    assert notices("REPORT_KEY_REFUSED") == []


def test_inactive_strategys_leader_is_not_read(tables: Queues, refusing: list[Exception | None]) -> None:
    a_strategy(at=utc_now() - timedelta(days=3), active=False)
    assert report() == []
    assert StrategyReport.of(STRATEGY_ID).followers_next_day == utc_now().date().isoformat()


def _switch(*, on: bool) -> None:
    NotificationSetting(notify_weekly_report=on, created_at=STARTED_AT, updated_at=STARTED_AT).save()


def test_letter_shows_leaders_beside_followers_those_who_fell_behind_first(
    tables: Queues, monkeypatch: pytest.MonkeyPatch
) -> None:
    _switch(on=True)
    monkeypatch.setattr(letter, "ROWS", 2)
    near, behind, third, quiet = (a_strategy(id_of(name), name=name) for name in ("NEAR", "BEHIND", "THIRD", "QUIET"))
    for strategy, profit in ((near, "20"), (behind, "50"), (third, "1"), (quiet, "7")):
        a_leader_day(strategy.id, profit, day=MONDAY if strategy is not quiet else MONDAY - timedelta(days=1))
    for number in range(2):
        a_follower_day(near.id, MONDAY + timedelta(days=number), returns="1", slippage=("0.01", "0.03")[number])
    a_follower_day(behind.id, MONDAY + timedelta(days=6), returns="-1", slippage="0.2")
    a_follower_day(behind.id, MONDAY + timedelta(days=7), returns="-50", slippage="9")

    for _ in range(2):
        answer = lambda_handler(sample("letter"), FakeContext())
        assert answer == {"firstDay": "2022-09-05", "strategies": 3}

    (content,) = notices("STRATEGIES_REPORT")
    assert (content["first_day"], content["last_day"], content["more"]) == ("2022-09-05", "2022-09-11", 1)
    first, second = content["weeks"]
    assert first["strategy_name"] == "BEHIND"
    assert {name: Decimal(first[name]) for name in ("leader_pct", "followers_pct", "slippage_pct")} == {
        "leader_pct": 5,
        "followers_pct": -1,
        "slippage_pct": Decimal("0.2"),
    }
    assert (second["strategy_name"], second["asked"], second["reached"]) == ("THIRD", 0, 0)
    assert letter.week_of(near, first_day=MONDAY, last_day=MONDAY + timedelta(days=6)) == StrategyWeek(
        strategy_name="NEAR",
        leader_profit=Decimal(20),
        leader_pct=Decimal(2),
        followers_pct=Decimal("2.01"),
        asked=20,
        reached=18,
        slippage_pct=Decimal("0.02"),
    )


def test_letter_is_not_written_while_its_switch_is_off_or_nothing_happened(tables: Queues) -> None:
    strategy = a_strategy()
    _switch(on=True)
    lambda_handler(sample("letter"), FakeContext())
    _switch(on=False)
    a_leader_day(strategy.id, "5")
    lambda_handler(sample("letter"), FakeContext())
    assert notices("STRATEGIES_REPORT") == []
