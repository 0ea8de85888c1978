"""One alert trades once, however often it is delivered; what differs is another alert."""

from __future__ import annotations

from typing import Any

import pytest

from shared import acceptance
from shared.acceptance import accept_admin_order
from shared.errors import RecordChanged
from shared.models.idempotency_key import IdempotencyKey
from shared.models.strategy import Strategy
from shared.models.trigger import FanoutState, Trigger
from shared.scheduling import DEAD_MAN_DELAYS_S
from tests.unit.functions.strategy_webhook.webhook import (
    DOCUMENTED,
    SELL,
    STRATEGY_ID,
    Answer,
    Webhook,
    save_strategy,
    stored_alerts,
)


def accepted(answer: Answer) -> str:
    assert answer.status == 200
    return str(answer.body["id"])


def sequence(webhook: Webhook) -> list[int]:
    return [trigger.seq for trigger in webhook.triggers()]


def test_the_same_alert_four_times_is_one_trigger(webhook: Webhook) -> None:
    ids = set()
    for _ in range(4):
        ids.add(accepted(webhook.post(DOCUMENTED)))
        webhook.wait(2)
    assert len(ids) == 1
    assert [trigger.id for trigger in webhook.triggers()] == list(ids)


def test_the_same_numbers_written_otherwise_are_the_same_content(webhook: Webhook) -> None:
    first = accepted(webhook.post(DOCUMENTED))
    again = {
        **DOCUMENTED,
        "orderPrice": 19286.50,
        "type": "BUY",
        "winRate": "50",
        "stop": "1.92804e4",
        "secret": "secret",
    }
    assert accepted(webhook.post(again)) == first


def test_just_within_30_s_is_a_repeat_and_after_30_s_is_another_alert(webhook: Webhook) -> None:
    first = accepted(webhook.post(DOCUMENTED))
    webhook.wait(29.999)
    assert accepted(webhook.post(DOCUMENTED)) == first
    webhook.wait(0.001)
    assert accepted(webhook.post(DOCUMENTED)) != first
    assert sequence(webhook) == [1, 2]


def test_buy_sell_buy_within_a_minute_are_three_alerts(webhook: Webhook) -> None:
    ids = []
    for fields in (DOCUMENTED, SELL, DOCUMENTED):
        ids.append(accepted(webhook.post(fields)))
        webhook.wait(5)
    assert len(set(ids)) == 3
    assert sequence(webhook) == [1, 2, 3]
    assert webhook.queued() == ids


def test_the_same_alert_id_is_a_repeat_for_24_hours_whatever_came_between(webhook: Webhook) -> None:
    first = accepted(webhook.post(DOCUMENTED, alertId="a-1"))
    webhook.wait(10)
    accepted(webhook.post(SELL, alertId="a-2"))
    webhook.wait(24 * 3600 - 11)
    assert accepted(webhook.post(DOCUMENTED, alertId="a-1")) == first
    webhook.wait(2)
    assert accepted(webhook.post(DOCUMENTED, alertId="a-1")) != first


def test_an_alert_id_expires_though_its_record_is_still_there(webhook: Webhook) -> None:
    accepted(webhook.post(DOCUMENTED, alertId="a-1"))
    webhook.wait(24 * 3600 + 1)
    assert accepted(webhook.post(SELL, alertId="a-1"))
    record = IdempotencyKey.find(f"alert#{STRATEGY_ID}#a-1")
    assert record is not None
    assert record.response == webhook.triggers()[1].id


def test_another_content_under_the_same_alert_id_is_422(webhook: Webhook) -> None:
    accepted(webhook.post(DOCUMENTED, alertId="a-1"))
    answer = webhook.post(SELL, alertId="a-1")
    assert answer.status == 422
    assert answer.body["errors"] == [
        {"value": "a-1", "msg": "must not be used with another content", "param": "alertId", "location": "body"}
    ]
    assert sequence(webhook) == [1]


def test_an_alert_id_given_as_a_number_is_its_digits(webhook: Webhook) -> None:
    first = accepted(webhook.post(DOCUMENTED, alertId=17))
    webhook.wait(60)
    assert accepted(webhook.post(DOCUMENTED, alertId="17")) == first


def test_an_alert_id_first_seen_on_a_repeat_keeps_its_answer(webhook: Webhook) -> None:
    first = accepted(webhook.post(DOCUMENTED))
    webhook.wait(10)
    assert accepted(webhook.post(DOCUMENTED, alertId="late")) == first
    webhook.wait(3600)
    assert accepted(webhook.post(DOCUMENTED, alertId="late")) == first
    assert sequence(webhook) == [1]


def test_alert_ids_of_two_strategies_are_independent(webhook: Webhook) -> None:
    other = "8f14e45f-ceea-467f-a0c1-7e9f0b1f2a33"
    save_strategy(other)
    first = accepted(webhook.post(DOCUMENTED, alertId="a-1"))
    assert accepted(webhook.post(SELL, alertId="a-1", strategy=other)) != first


def test_a_refused_alert_takes_no_seq_and_uses_up_no_alert_id(webhook: Webhook) -> None:
    assert webhook.post(DOCUMENTED, alertId="a-1", secret="wrong").status == 401
    assert webhook.post(DOCUMENTED, alertId="a-1", stop="20000").status == 422
    assert stored_alerts() is None
    accepted(webhook.post(SELL, alertId="a-1"))
    assert sequence(webhook) == [1]


def test_the_repeat_queues_a_trigger_that_the_first_delivery_could_not_queue(
    webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object, **__: object) -> None:
        raise OSError("the worker crashed here")

    with monkeypatch.context() as crashing:
        crashing.setattr(acceptance, "send_trigger", crash)
        assert webhook.post(DOCUMENTED).status == 500
    [stored] = webhook.triggers()
    assert webhook.queued() == []
    assert webhook.questions() == len(DEAD_MAN_DELAYS_S)
    webhook.wait(3)
    assert accepted(webhook.post(DOCUMENTED)) == stored.id
    assert webhook.queued() == [stored.id]


def test_the_repeat_of_an_alert_already_fanned_out_queues_nothing(webhook: Webhook) -> None:
    first = accepted(webhook.post(DOCUMENTED))
    assert webhook.queued() == [first]
    Trigger.get(first).update(actions=[Trigger.fanout_state.set(FanoutState.DONE)])
    accepted(webhook.post(DOCUMENTED))
    assert webhook.queued() == []


def test_a_second_sending_carries_the_same_deduplication_id(webhook: Webhook) -> None:
    first = accepted(webhook.post(DOCUMENTED))
    accepted(webhook.post(DOCUMENTED))
    [message] = webhook.queues.taken_from(webhook.queues.triggers)
    assert message["Attributes"]["MessageDeduplicationId"] == first
    assert message["Attributes"]["MessageGroupId"] == STRATEGY_ID


def test_a_trigger_that_loses_its_seq_takes_the_next_one(webhook: Webhook, monkeypatch: pytest.MonkeyPatch) -> None:
    accepted(webhook.post(SELL))
    usual = acceptance._store
    raced: list[Any] = []

    def store_late(*args: Any, **kwargs: Any) -> None:
        if not raced:
            raced.append(True)
            accept_admin_order(Strategy.get(STRATEGY_ID), args[0].signal(), follower_ids=["f"], received_at=webhook.now)
        usual(*args, **kwargs)

    monkeypatch.setattr(acceptance, "_store", store_late)
    accepted(webhook.post(DOCUMENTED))
    assert sequence(webhook) == [1, 2, 3]
    alerts = stored_alerts()
    assert alerts is not None
    assert (alerts.last_seq, alerts.latest_alert_seq) == (3, 3)


def test_the_twin_that_loses_the_race_answers_with_the_winners_id(
    webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = acceptance._store
    winner: list[str] = []

    def store_late(*args: Any, **kwargs: Any) -> None:
        if not winner:
            winner.append("")
            winner[0] = accepted(webhook.post(DOCUMENTED, alertId="a-1"))
        usual(*args, **kwargs)

    monkeypatch.setattr(acceptance, "_store", store_late)
    assert accepted(webhook.post(DOCUMENTED, alertId="a-1")) == winner[0]
    assert sequence(webhook) == [1]


def test_an_admins_trigger_takes_a_seq_and_leaves_the_latest_alert_alone(webhook: Webhook) -> None:
    first = accepted(webhook.post(DOCUMENTED))
    trigger = accept_admin_order(
        Strategy.get(STRATEGY_ID), Trigger.get(first).signal(), follower_ids=["f", "g", "f"], received_at=webhook.now
    )
    stored = Trigger.get(trigger.id)
    assert (stored.seq, stored.follower_ids) == (2, ["f", "g"])
    assert webhook.queued() == [first, trigger.id]
    alerts = stored_alerts()
    assert alerts is not None
    assert (alerts.last_seq, alerts.latest_alert_seq, alerts.latest_trigger_id) == (2, 1, first)
    assert accepted(webhook.post(DOCUMENTED)) == first


def test_further_writes_of_an_admins_trigger_succeed_or_fail_with_it(webhook: Webhook) -> None:
    first = accepted(webhook.post(DOCUMENTED))

    def claim(transaction: Any) -> None:
        record = IdempotencyKey(
            key="k", fingerprint="f", response="r", created_at=webhook.now, expires_at=2_000_000_000
        )
        transaction.save(record, condition=IdempotencyKey.key.does_not_exist())

    order: dict[str, Any] = {"follower_ids": ["f"], "received_at": webhook.now, "also": claim}
    accept_admin_order(Strategy.get(STRATEGY_ID), Trigger.get(first).signal(), **order)
    with pytest.raises(RecordChanged):
        accept_admin_order(Strategy.get(STRATEGY_ID), Trigger.get(first).signal(), **order)
    assert sequence(webhook) == [1, 2]
