"""An alert's place in time is when it fired: one that comes after a newer one supersedes nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from shared.acceptance import accept_admin_order
from shared.clock import to_iso
from shared.models.strategy import Strategy
from shared.models.strategy_alerts import StrategyAlerts
from shared.models.trigger import Trigger
from tests.unit.functions.strategy_webhook.webhook import STRATEGY_ID, Webhook, save_strategy, stored_alerts

BASE = {"strategy": STRATEGY_ID, "secret": "secret", "stopType": "market", "winRate": "NaN", "orderPrice": "0.0095"}
BUY = {**BASE, "type": "buy", "stop": "0.0093", "takeProfit": "0.0097"}
SELL = {**BASE, "type": "sell", "stop": "0.0097", "takeProfit": "0.0093"}


def fire(webhook: Webhook, fields: dict[str, Any], *, fired_s: float | None = None, **changes: Any) -> Trigger:
    """Send an alert that fired so many seconds after now, or one that does not say when; return its trigger."""
    if fired_s is not None:
        changes["firedAt"] = to_iso(webhook.now + timedelta(seconds=fired_s))
    answer = webhook.post(fields, **changes)
    assert answer.status == 200
    return Trigger.get(answer.body["id"])


def latest() -> str | None:
    alerts = stored_alerts()
    return None if alerts is None else alerts.latest_trigger_id


def test_alert_that_fired_before_the_latest_is_accepted_as_overtaken(webhook: Webhook) -> None:
    sell = fire(webhook, SELL, fired_s=-1)
    buy = fire(webhook, BUY, fired_s=-20)
    assert (sell.overtaken, buy.overtaken) == (False, True)
    assert buy.seq == sell.seq + 1
    assert webhook.queued() == [sell.id, buy.id]
    alerts = stored_alerts()
    assert alerts is not None
    assert (alerts.last_seq, alerts.latest_trigger_id, alerts.latest_alert_place) == (2, sell.id, sell.place)
    assert alerts.supersedes(buy.place)
    assert not alerts.supersedes(sell.place)


def test_third_alert_is_compared_with_the_newest_and_not_with_the_last_that_came(webhook: Webhook) -> None:
    fire(webhook, SELL, fired_s=-1)
    fire(webhook, BUY, fired_s=-20)
    assert fire(webhook, SELL, fired_s=-10).overtaken
    newest = fire(webhook, BUY, fired_s=0)
    assert not newest.overtaken
    assert latest() == newest.id


def test_alerts_without_a_firing_time_count_in_the_order_of_their_receipt(webhook: Webhook) -> None:
    first = fire(webhook, SELL)
    webhook.wait(1)
    second = fire(webhook, BUY)
    assert (first.overtaken, second.overtaken) == (False, False)
    assert fire(webhook, SELL, fired_s=-0.3, orderPrice="0.0096").overtaken is False
    assert fire(webhook, SELL, fired_s=-1, orderPrice="0.0094").overtaken is True


def test_of_two_alerts_of_one_second_the_one_that_came_later_counts(webhook: Webhook) -> None:
    # 01:57:36.304 is now: both fired in this second.
    first = fire(webhook, SELL, fired_s=-0.1)
    second = fire(webhook, BUY, fired_s=-0.3)
    assert (first.overtaken, second.overtaken) == (False, False)
    assert latest() == second.id


def test_alert_dated_in_the_future_supersedes_nobody(webhook: Webhook) -> None:
    ahead = fire(webhook, SELL, fired_s=3600)
    webhook.wait(1)
    next_one = fire(webhook, BUY, fired_s=-0.3)
    assert (ahead.overtaken, next_one.overtaken) == (False, False)
    assert latest() == next_one.id


def test_admins_order_is_neither_overtaken_nor_overtakes(webhook: Webhook) -> None:
    sell = fire(webhook, SELL, fired_s=-1)
    order = accept_admin_order(Strategy.get(STRATEGY_ID), sell.signal(), follower_ids=["f"], received_at=webhook.now)
    assert not Trigger.get(order.id).overtaken
    assert not fire(webhook, BUY, fired_s=-0.9).overtaken


def test_record_of_an_earlier_version_is_compared_by_the_trigger_that_it_names(webhook: Webhook) -> None:
    sell = fire(webhook, SELL, fired_s=-1)
    StrategyAlerts(STRATEGY_ID).update(actions=[StrategyAlerts.latest_alert_place.remove()])
    assert fire(webhook, BUY, fired_s=-20).overtaken
    assert latest() == sell.id
    StrategyAlerts(STRATEGY_ID).update(actions=[StrategyAlerts.latest_alert_place.remove()])
    # Newer than the firing of the latest, though not than its receipt.
    newer = fire(webhook, BUY, fired_s=-0.7)
    assert not newer.overtaken
    alerts = stored_alerts()
    assert alerts is not None
    assert (alerts.latest_trigger_id, alerts.latest_alert_place) == (newer.id, newer.place)


def test_record_of_an_earlier_version_without_its_trigger_overtakes_nothing(webhook: Webhook) -> None:
    StrategyAlerts(STRATEGY_ID, last_seq=3, latest_alert_seq=3, latest_trigger_id="gone").save()
    assert not fire(webhook, BUY, fired_s=-20).overtaken


# -- one alert, however often and however late it comes ------------------------------------------------------------


def test_the_same_content_and_firing_time_is_one_alert_whatever_came_between(webhook: Webhook) -> None:
    fired_at = to_iso(webhook.now)
    first = fire(webhook, BUY, firedAt=fired_at)
    webhook.wait(2)
    between = fire(webhook, SELL, fired_s=0)
    webhook.wait(3)
    assert fire(webhook, BUY, firedAt=fired_at).id == first.id
    assert [trigger.id for trigger in webhook.triggers()] == [first.id, between.id]
    webhook.wait(24 * 3600 - 6)
    assert fire(webhook, BUY, firedAt=fired_at).id == first.id
    webhook.wait(1)
    again = fire(webhook, BUY, firedAt=fired_at)
    assert again.id != first.id
    assert again.overtaken


def test_the_same_firing_time_may_be_written_otherwise(webhook: Webhook) -> None:
    first = fire(webhook, BUY, firedAt="2022-09-09T01:57:30Z")
    webhook.wait(40)
    fire(webhook, SELL, fired_s=0)
    for written in ("2022-09-09T01:57:30.000Z", "2022-09-09 01:57:30", "2022-09-09T10:57:30+09:00"):
        assert fire(webhook, BUY, firedAt=written, orderPrice="9.5e-3").id == first.id


def test_an_equal_body_that_fired_later_is_another_alert(webhook: Webhook) -> None:
    first = fire(webhook, BUY, fired_s=0)
    webhook.wait(5)
    second = fire(webhook, BUY, fired_s=0)
    assert second.id != first.id
    assert not second.overtaken


def test_an_equal_body_that_fired_earlier_is_another_alert_and_overtaken(webhook: Webhook) -> None:
    first = fire(webhook, BUY, fired_s=0)
    webhook.wait(5)
    second = fire(webhook, BUY, fired_s=-15)
    assert second.id != first.id
    assert second.overtaken


def test_other_content_of_the_same_firing_time_is_another_alert(webhook: Webhook) -> None:
    first = fire(webhook, BUY, fired_s=0)
    assert fire(webhook, BUY, fired_s=0, takeProfit="0.0098").id != first.id
    assert fire(webhook, SELL, fired_s=0).id != first.id


def test_two_alert_ids_are_two_alerts(webhook: Webhook) -> None:
    fired_at = to_iso(webhook.now)
    first = fire(webhook, BUY, firedAt=fired_at, alertId="a-1")
    second = fire(webhook, BUY, firedAt=fired_at, alertId="a-2")
    third = fire(webhook, BUY, alertId="a-3")
    assert len({first.id, second.id, third.id}) == 3
    webhook.wait(60)
    assert fire(webhook, BUY, firedAt=fired_at, alertId="a-1").id == first.id
    assert fire(webhook, BUY, firedAt=fired_at, alertId="a-2").id == second.id
    # Without an id it is the first of that content and time.
    assert fire(webhook, BUY, firedAt=fired_at).id == first.id


def test_an_id_first_seen_on_a_repeat_of_the_same_firing_time_keeps_its_answer(webhook: Webhook) -> None:
    fired_at = to_iso(webhook.now)
    first = fire(webhook, BUY, firedAt=fired_at)
    webhook.wait(40)
    fire(webhook, SELL, fired_s=0)
    assert fire(webhook, BUY, firedAt=fired_at, alertId="late").id == first.id
    webhook.wait(3600)
    assert fire(webhook, BUY, alertId="late").id == first.id


def test_a_firing_time_first_seen_on_a_repeat_keeps_its_answer(webhook: Webhook) -> None:
    fired_at = to_iso(webhook.now)
    first = fire(webhook, BUY)
    webhook.wait(10)
    assert fire(webhook, BUY, firedAt=fired_at).id == first.id
    webhook.wait(60)
    fire(webhook, SELL, fired_s=0)
    assert fire(webhook, BUY, firedAt=fired_at).id == first.id


def test_another_strategys_alert_of_the_same_content_and_time_is_another_one(webhook: Webhook) -> None:
    other = "8f14e45f-ceea-467f-a0c1-7e9f0b1f2a33"
    save_strategy(other)
    first = fire(webhook, BUY, fired_s=0)
    assert fire(webhook, BUY, fired_s=0, strategy=other).id != first.id
