"""Alerts that come at the same moment: one trigger for one alert, one seq for each trigger."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
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
    latest = max(triggers, key=lambda trigger: trigger.place)
    assert (alerts.last_seq, alerts.latest_alert_place, alerts.latest_trigger_id) == (AT_ONCE, latest.place, latest.id)
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


def test_of_alerts_at_once_the_one_that_fired_last_counts_and_later_ones_are_overtaken(
    aws: EmbeddedAws, following: Callable[[int], Following]
) -> None:
    subject = following(0)
    now = utc_now()
    barrier = Barrier(AT_ONCE)

    def fire(number: int) -> str:
        signal = replace(BUY, order_price=BUY.order_price + Decimal(number))
        barrier.wait()
        fired_at = now - timedelta(seconds=5 * number)
        return subject.accept(signal, received_at=now, fired_at=fired_at).trigger_id

    with ThreadPoolExecutor(AT_ONCE) as pool:
        ids = list(pool.map(fire, range(AT_ONCE)))
    triggers = subject.triggers()
    assert [trigger.seq for trigger in triggers] == list(range(1, AT_ONCE + 1))
    for number, trigger in enumerate(triggers):
        assert trigger.overtaken == any(trigger.place < earlier.place for earlier in triggers[:number])
    alerts = StrategyAlerts.find(subject.strategy.id)
    assert alerts is not None
    assert alerts.latest_trigger_id == ids[0]


def test_eight_deliveries_of_one_firing_at_once_are_one_trigger_beside_a_newer_alert(
    aws: EmbeddedAws, following: Callable[[int], Following]
) -> None:
    subject = following(0)
    now = utc_now()
    newer = subject.accept(replace(BUY, order_price=BUY.order_price + 1), received_at=now, fired_at=now)

    answers = fire_at_once(subject, [BUY] * AT_ONCE, received_at=now, fired_at=now - timedelta(seconds=20))

    first, second = subject.triggers()
    assert first.id == newer.trigger_id
    assert {answer.trigger_id for answer in answers} == {second.id}
    assert sum(not answer.repeated for answer in answers) == 1
    assert second.overtaken
