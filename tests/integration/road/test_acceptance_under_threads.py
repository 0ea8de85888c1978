"""Alerts that come at the same moment: one trigger for one alert, one seq for each trigger."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from threading import Barrier
from typing import Any

from shared.acceptance import Acceptance, accept_admin_order
from shared.clock import utc_now
from shared.models.strategy_alerts import StrategyAlerts
from shared.trading.signal import Signal
from tests.integration.embedded_aws import EmbeddedAws
from tests.integration.road.following import BUY, Following

AT_ONCE = 8


def fire_at_once(following: Following, signals: list[Signal], **options: Any) -> list[Acceptance]:
    barrier = Barrier(len(signals))

    def fire(signal: Signal) -> Acceptance:
        barrier.wait()
        return following.accept(signal, **options)

    with ThreadPoolExecutor(len(signals)) as pool:
        return list(pool.map(fire, signals))


def test_eight_identical_alerts_at_once_are_one_trigger(
    aws: EmbeddedAws, following: Callable[[int], Following]
) -> None:
    subject = following(0)
    answers = fire_at_once(subject, [BUY] * AT_ONCE)
    [trigger] = subject.triggers()
    assert {answer.trigger_id for answer in answers} == {trigger.id}
    assert sum(not answer.repeated for answer in answers) == 1
    assert [message["trigger_id"] for message in aws.taken_from(aws.triggers)] == [trigger.id]


def test_eight_identical_alerts_with_an_alert_id_at_once_are_one_trigger(
    aws: EmbeddedAws, following: Callable[[int], Following]
) -> None:
    subject = following(0)
    answers = fire_at_once(subject, [BUY] * AT_ONCE, alert_id="a-1")
    [trigger] = subject.triggers()
    assert {answer.trigger_id for answer in answers} == {trigger.id}


def test_eight_different_alerts_at_once_take_eight_seqs_without_a_gap(
    aws: EmbeddedAws, following: Callable[[int], Following]
) -> None:
    subject = following(0)
    signals = [replace(BUY, order_price=BUY.order_price + number) for number in range(AT_ONCE)]
    answers = fire_at_once(subject, signals)
    triggers = subject.triggers()
    assert [trigger.seq for trigger in triggers] == list(range(1, AT_ONCE + 1))
    assert {trigger.id for trigger in triggers} == {answer.trigger_id for answer in answers}
    alerts = StrategyAlerts.find(subject.strategy.id)
    assert alerts is not None
    assert (alerts.last_seq, alerts.latest_alert_seq, alerts.latest_trigger_id) == (
        AT_ONCE,
        AT_ONCE,
        triggers[-1].id,
    )
    assert {message["trigger_id"] for message in aws.taken_from(aws.triggers)} == {trigger.id for trigger in triggers}


def test_admin_orders_and_alerts_at_once_share_the_sequence(
    aws: EmbeddedAws, following: Callable[[int], Following]
) -> None:
    subject = following(0)
    barrier = Barrier(AT_ONCE)

    def send(number: int) -> str:
        barrier.wait()
        signal = replace(BUY, order_price=BUY.order_price + Decimal(number))
        if number % 2:
            return subject.accept(signal).trigger_id
        return accept_admin_order(subject.strategy, signal, follower_ids=["f"], received_at=utc_now()).id

    with ThreadPoolExecutor(AT_ONCE) as pool:
        ids = set(pool.map(send, range(AT_ONCE)))
    assert [trigger.seq for trigger in subject.triggers()] == list(range(1, AT_ONCE + 1))
    assert len(ids) == AT_ONCE
