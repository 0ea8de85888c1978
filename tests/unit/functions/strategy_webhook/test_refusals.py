"""A refused alert of a known strategy is counted and kept for the operator, without its secret, and costs no answer."""

from __future__ import annotations

import io
import json
import secrets
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from functions.strategy_webhook import app, refusals
from shared.api.redaction import REMOVED
from shared.api.refused_alerts import keep_refused_alert
from shared.api.requests import ListQuery
from shared.models.refused_alert import MOST_BODY, RETENTION, RefusedAlert
from shared.process_state import reset
from shared.views.refused_alerts import list_refused_alerts
from tests.alarms import Datapoint, heard_metrics
from tests.unit.functions.strategy_webhook.webhook import DOCUMENTED, STARTED_AT, STRATEGY_ID, Webhook, save_strategy

SECRET = secrets.token_urlsafe(32)
UNKNOWN = "00000000-0000-4000-8000-000000000000"
ALERT = DOCUMENTED | {"secret": SECRET}
TYPE_FAULT = {"param": "type", "msg": "must be supported trade side"}


@pytest.fixture(autouse=True)
def strategy(webhook: Webhook, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the strategy a secret as ours are, and time enough to keep a refusal on a slow machine."""
    save_strategy(secret=SECRET)
    monkeypatch.setattr(app, "REFUSAL_S", 5)
    monkeypatch.setattr(time, "sleep", lambda _: None)


@pytest.fixture
def heard() -> Iterator[list[Datapoint]]:
    with heard_metrics() as points:
        yield points


def kept() -> list[RefusedAlert]:
    return sorted(RefusedAlert.scan(RefusedAlert.created_key.exists()), key=lambda alert: alert.created_key)


def told(heard: list[Datapoint]) -> int:
    return len([point for point in heard if point.metric == "refused_alert_told"])


def counted(heard: list[Datapoint]) -> list[dict[str, str]]:
    return [dict(point.dimensions) for point in heard if point.metric == "strategy_alert_refused"]


@pytest.mark.rings("RefusedAlertAlarm")
def test_faulty_alert_is_kept_with_its_faults_and_without_its_secret(webhook: Webhook) -> None:
    assert webhook.post(ALERT, type="hold").status == 422
    [alert] = kept()
    assert (alert.strategy_id, alert.status, alert.faults) == (STRATEGY_ID, 422, [TYPE_FAULT])
    assert json.loads(alert.body) == ALERT | {"secret": REMOVED, "type": "hold"}
    assert (alert.created_at, alert.cut) == (STARTED_AT, False)
    assert alert.expires_at == int((STARTED_AT + RETENTION).timestamp())


@pytest.mark.rings("UnauthorizedAlertAlarm")
def test_alert_with_a_wrong_secret_is_kept_without_it(webhook: Webhook) -> None:
    old = secrets.token_urlsafe(32)
    assert webhook.post(ALERT, secret=old, winRate=f"was {old}").status == 401
    [alert] = kept()
    assert (alert.status, alert.faults) == (401, [])
    assert old not in alert.body


def test_wrong_secrets_neither_ring_with_other_refusals_nor_keep_them_from_ringing(
    webhook: Webhook, heard: list[Datapoint]
) -> None:
    for number in range(20):
        webhook.post(ALERT, secret="wrong", alertId=str(number))
    assert told(heard) == 0
    webhook.post(ALERT, type="hold")
    assert told(heard) == 1


def test_refusals_of_a_strategy_are_told_once_an_hour(webhook: Webhook, heard: list[Datapoint]) -> None:
    for minute in range(2):
        webhook.post(ALERT, type="hold", alertId=str(minute))
        webhook.wait(60)
    assert (len(kept()), told(heard)) == (2, 1)
    # Another strategy's is told in the same hour.
    other = {"strategy": UNKNOWN, "type": "hold"}
    keep_refused_alert(other, strategy_id=UNKNOWN, status=422, faults=[TYPE_FAULT], at=STARTED_AT)
    assert told(heard) == 2
    webhook.wait(3600)
    webhook.post(ALERT, type="hold")
    assert told(heard) == 3
    assert len(list_refused_alerts(ListQuery())["items"]) == 4


def test_refusals_are_counted_by_strategy(webhook: Webhook, heard: list[Datapoint]) -> None:
    webhook.post(ALERT, type="hold")
    webhook.post(ALERT, secret="wrong")
    assert counted(heard) == [
        {"strategy_id": STRATEGY_ID, "reason": "unprocessable"},
        {"strategy_id": STRATEGY_ID, "reason": "unauthorized"},
    ]


@pytest.mark.parametrize("field", ["alertId", "winRate", "stopType", "strategy ", "comment", "secret2"])
def test_secret_in_a_wrong_field_is_not_kept(webhook: Webhook, field: str) -> None:
    fields = {name: value for name, value in ALERT.items() if name != "secret"} | {field: f"x {SECRET}"}
    webhook.post(fields)
    webhook.post(ALERT | {"type": "hold", field: SECRET})
    assert kept()
    assert not any(SECRET in json.dumps(alert.to_dynamodb_dict()) for alert in kept())


def test_value_of_a_field_that_is_not_read_is_not_kept(webhook: Webhook) -> None:
    webhook.post(ALERT, type="hold", pin="4711")
    [alert] = kept()
    assert json.loads(alert.body)["pin"] == REMOVED


@pytest.mark.parametrize("changes", [{"active": False}, {}], ids=["inactive", "id used before"])
def test_refusal_after_the_secret_is_kept_too(webhook: Webhook, changes: dict[str, Any]) -> None:
    webhook.post(ALERT, alertId="1")
    save_strategy(secret=SECRET, **changes)
    assert webhook.post(ALERT, alertId="1", stop="19200").status == 422
    assert [one["param"] for alert in kept() for one in alert.faults] == ["strategy" if changes else "alertId"]


@pytest.mark.parametrize(
    "changes",
    [
        {"type": "hold", "secret": "wrong"},
        {"type": "hold", "secret": None},
        {"type": "hold", "strategy": UNKNOWN},
        {"type": "hold", "strategy": "no UUID"},
        {"strategy": UNKNOWN},
    ],
)
def test_sender_who_is_nobody_leaves_no_trace(
    webhook: Webhook, heard: list[Datapoint], changes: dict[str, object]
) -> None:
    assert webhook.post(ALERT, **changes).status in {401, 422}
    assert kept() == []
    assert counted(heard) == []


def test_accepted_alert_is_not_kept(webhook: Webhook) -> None:
    assert webhook.post(ALERT).status == 200
    assert webhook.send("{").status == 400
    assert kept() == []


def test_flood_is_counted_and_leaves_few_records(webhook: Webhook, heard: list[Datapoint]) -> None:
    for number in range(60):
        webhook.post(ALERT, secret="wrong", alertId=str(number))
        webhook.post(ALERT, type="hold", alertId=str(number))
    kinds = [alert.status for alert in kept()]
    assert kinds.count(401) <= 4
    assert kinds.count(422) <= 10
    assert len(counted(heard)) == 120
    # Another container writes none of them again.
    assert len([point for point in heard if point.metric == "unauthorized_alert_kept"]) == kinds.count(401)
    assert told(heard) == 1
    reset()
    webhook.post(ALERT, secret="wrong", alertId="0")
    assert len(kept()) == len(kinds)
    webhook.wait(3600)
    webhook.post(ALERT, secret="wrong", alertId="0")
    assert len(kept()) == len(kinds) + 1


def test_long_body_is_cut(webhook: Webhook) -> None:
    webhook.post(ALERT, type="hold", winRate="word " * 2000)
    [alert] = kept()
    assert (len(alert.body), alert.cut) == (MOST_BODY, True)


def test_operator_reads_the_newest_first(webhook: Webhook) -> None:
    webhook.post(ALERT, type="hold")
    webhook.wait(60)
    webhook.post(ALERT, secret="wrong")
    newest, oldest = list_refused_alerts(ListQuery())["items"]
    assert (newest["status"], newest["errors"]) == (401, [])
    assert (oldest["status"], oldest["errors"]) == (422, [TYPE_FAULT])
    assert oldest["strategyId"] == STRATEGY_ID
    assert json.loads(oldest["body"])["type"] == "hold"
    assert newest["receivedAt"] > oldest["receivedAt"]


class TestAnswers:
    @pytest.mark.parametrize(("changes", "status"), [({"secret": "wrong"}, 401), ({"type": "hold"}, 422)])
    def test_fault_while_keeping_changes_no_answer(
        self, webhook: Webhook, monkeypatch: pytest.MonkeyPatch, log: io.StringIO, changes: dict[str, str], status: int
    ) -> None:
        expected = webhook.post(ALERT, **changes)

        def fail(*_: object, **__: object) -> None:
            raise OSError(f"a table that is out of reach, and {SECRET}")

        monkeypatch.setattr(refusals, "keep_refused_alert", fail)
        answer = webhook.post(ALERT, **changes)
        assert (answer.status, answer.body) == (status, expected.body)
        assert "refusal_not_noted" in log.getvalue()
        assert SECRET not in log.getvalue()

    @pytest.mark.parametrize("changes", [{"secret": "wrong"}, {"type": "hold"}])
    def test_answer_does_not_wait_for_a_table_that_does_not_answer(
        self, webhook: Webhook, monkeypatch: pytest.MonkeyPatch, changes: dict[str, str]
    ) -> None:
        monkeypatch.setattr(app, "REFUSAL_S", 0.05)
        answers, done = threading.Event(), threading.Event()

        def hang(*arguments: Any, **named: Any) -> None:
            answers.wait(30)
            keep_refused_alert(*arguments, **named)
            done.set()

        monkeypatch.setattr(refusals, "keep_refused_alert", hang)
        started = time.monotonic()
        assert webhook.post(ALERT, **changes).status in {401, 422}
        assert time.monotonic() - started < 10
        assert kept() == []
        # It goes on meanwhile.
        answers.set()
        assert done.wait(30)
        assert len(kept()) == 1

    def test_threads_do_not_pile_up(self, webhook: Webhook, monkeypatch: pytest.MonkeyPatch, log: io.StringIO) -> None:
        monkeypatch.setattr(app, "REFUSAL_S", 0)
        answers, begun, ended = threading.Event(), threading.Semaphore(0), threading.Semaphore(0)

        def hang(*_: object, **__: object) -> None:
            begun.release()
            answers.wait(30)
            ended.release()

        monkeypatch.setattr(refusals, "keep_refused_alert", hang)
        for number in range(4):
            webhook.post(ALERT, type="hold")
            assert begun.acquire(timeout=30), number
        assert webhook.post(ALERT, type="hold").status == 422
        assert "too many at once" in log.getvalue()
        answers.set()
        assert all(ended.acquire(timeout=30) for _ in range(4))
        webhook.wait(timedelta(seconds=1).total_seconds())
        assert not begun.acquire(timeout=0)
