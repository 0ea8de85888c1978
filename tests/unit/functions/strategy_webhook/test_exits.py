"""An alert that closes: by its type, or because the strategy is flat after it. Then nothing else is read."""

from __future__ import annotations

from typing import Any

import pytest

from shared.models.strategy import Strategy
from shared.models.strategy_alerts import StrategyAlerts
from shared.trading.sides import Side, TriggerAction
from tests.unit.functions.strategy_webhook.webhook import (
    SECRET,
    SELL,
    STRATEGY_ID,
    Webhook,
    accepted,
    faults,
    stored_alerts,
)

CLOSE = {"strategy": STRATEGY_ID, "secret": SECRET, "type": "close"}
FLAT = {
    "strategy": STRATEGY_ID,
    "secret": SECRET,
    "type": "sell",
    "position": "flat",
    "orderPrice": "NaN",
    "stop": "{{plot_0}}",
    "stopType": None,
    "takeProfit": "NaN",
    "trailingTrigger": 1,
}
BUY = {**SELL, "type": "buy", "stop": 19200, "takeProfit": 19300}


@pytest.mark.parametrize(
    "fields",
    [
        CLOSE,
        CLOSE | {"type": " Close ", "position": "FLAT"},
        CLOSE | {"position": "NaN"},
        FLAT,
        FLAT | {"type": "buy"},
        FLAT | {"type": "reduce"},
        FLAT | {"type": "update"},
        FLAT | {"type": ["whatever"], "position": "Flat"},
        {name: FLAT[name] for name in ("strategy", "secret", "position")},
    ],
)
def test_close_and_flat_are_accepted_as_an_exit_whatever_else_is_in_the_message(
    webhook: Webhook, fields: dict[str, Any]
) -> None:
    trigger = accepted(webhook, fields)
    assert (trigger.action, trigger.opens) == (TriggerAction.CLOSE, False)
    assert all(value is None for value in (trigger.side, trigger.price, trigger.stop, trigger.stop_type))
    assert trigger.take_profits == []
    assert webhook.queued() == [trigger.id]


@pytest.mark.parametrize("name", ["close", "flat"])
def test_sample_exits_are_accepted(webhook: Webhook, name: str) -> None:
    assert webhook.sample(name).status == 200
    assert [trigger.action for trigger in webhook.triggers()] == [TriggerAction.CLOSE]


def test_faults_of_an_exit_are_those_of_the_fields_that_are_read(webhook: Webhook) -> None:
    assert faults(webhook, FLAT, strategy="x", alertId=[5], firedAt="yesterday") == [
        ("strategy", "must be UUID"),
        ("alertId", "must be text of at most 128 characters"),
        ("firedAt", "must be ISO 8601 time"),
    ]
    assert faults(webhook, CLOSE, position="long") == [("position", "must agree with type")]
    assert faults(webhook, CLOSE, position="sideways") == [("position", "must be long, short or flat")]


def test_exit_needs_the_secret_and_an_active_strategy(webhook: Webhook) -> None:
    answer = webhook.post(FLAT, secret="wrong")
    assert (answer.status, answer.body) == (401, {"error": "unauthorized"})
    Strategy.get(STRATEGY_ID).update(actions=[Strategy.active.set(False)])
    assert faults(webhook, CLOSE) == [("strategy", "must be active")]
    assert webhook.triggers() == []


@pytest.mark.parametrize(("fields", "position"), [(BUY, "short"), (SELL, "long")])
def test_entry_on_the_other_side_than_the_position_is_refused(
    webhook: Webhook, fields: dict[str, Any], position: str
) -> None:
    assert faults(webhook, fields, position=position) == [("position", "must agree with type")]
    assert faults(webhook, fields, position=position, positionSize="NaN") == [("position", "must agree with type")]


@pytest.mark.parametrize(("fields", "position", "side"), [(BUY, "long", Side.BUY), (SELL, " Short", Side.SELL)])
def test_entry_may_name_the_position_that_it_leads_to(
    webhook: Webhook, fields: dict[str, Any], position: str, side: Side
) -> None:
    trigger = accepted(webhook, fields, position=position)
    assert (trigger.side, trigger.opens) == (side, True)


# -- place in time ---------------------------------------------------------------------------------------------------


def test_close_supersedes_an_entry_that_fired_before_it_and_comes_later(webhook: Webhook) -> None:
    close = accepted(webhook, CLOSE, fired_s=-1)
    late = accepted(webhook, BUY, fired_s=-20)
    assert (close.overtaken, late.overtaken) == (False, True)
    alerts = stored_alerts()
    assert alerts is not None
    assert alerts.latest_alert_place == close.place


def test_close_that_comes_late_is_not_overtaken_and_supersedes_nothing_newer(webhook: Webhook) -> None:
    buy = accepted(webhook, BUY, fired_s=-1)
    late = accepted(webhook, CLOSE, fired_s=-20)
    assert (late.overtaken, webhook.queued()) == (False, [buy.id, late.id])
    alerts = stored_alerts()
    assert alerts is not None
    assert (alerts.latest_alert_place, alerts.latest_alert_seq) == (buy.place, buy.seq)
    assert not alerts.supersedes(buy.place)


def test_late_close_leaves_the_place_that_a_record_of_an_earlier_version_has_by_its_trigger(webhook: Webhook) -> None:
    buy = accepted(webhook, BUY, fired_s=-1)
    StrategyAlerts(STRATEGY_ID).update(actions=[StrategyAlerts.latest_alert_place.remove()])
    accepted(webhook, CLOSE, fired_s=-20)
    alerts = stored_alerts()
    assert alerts is not None
    assert (alerts.latest_alert_place, alerts.latest_alert_seq) == (buy.place, buy.seq)
    assert accepted(webhook, SELL, fired_s=-10).overtaken


@pytest.mark.parametrize("close_first", [True, False])
def test_close_of_the_same_second_comes_before_the_entry(webhook: Webhook, close_first: bool) -> None:
    order: list[dict[str, Any]] = [CLOSE, BUY] if close_first else [BUY, CLOSE]
    found = [accepted(webhook, fields, fired_s=0) for fields in order]
    close, buy = found if close_first else found[::-1]
    assert close.place < buy.place
    assert not buy.overtaken
    alerts = stored_alerts()
    assert alerts is not None
    assert alerts.latest_alert_place == buy.place


# -- repeats ---------------------------------------------------------------------------------------------------------


def test_close_with_the_same_firing_time_is_one_alert_however_it_is_written(webhook: Webhook) -> None:
    first = accepted(webhook, CLOSE, firedAt="2022-09-09T01:57:30Z")
    webhook.wait(40)
    accepted(webhook, BUY, fired_s=0)
    again = accepted(webhook, FLAT, firedAt="2022-09-09T01:57:30.000Z", orderPrice="19000")
    assert again.id == first.id


def test_repeat_of_a_close_without_a_firing_time_does_not_close_what_came_in_its_second(webhook: Webhook) -> None:
    # 01:57:36.304 is now: the close is of the entry's second, and so not the newest alert.
    buy = accepted(webhook, BUY)
    first = accepted(webhook, CLOSE)
    assert first.place < buy.place
    webhook.wait(5)
    assert accepted(webhook, CLOSE).id == first.id


def test_exit_after_the_repeats_of_another_one_is_not_taken_for_such_a_repeat(webhook: Webhook) -> None:
    accepted(webhook, BUY)
    webhook.wait(0.4)
    first = accepted(webhook, CLOSE)
    for _ in range(3):
        webhook.wait(5)
        assert accepted(webhook, CLOSE).id == first.id
    webhook.wait(4)
    assert accepted(webhook, CLOSE).id != first.id


@pytest.mark.parametrize("close_first", [True, False])
def test_exit_and_entry_of_one_second_hide_each_others_repeats_in_neither_order(
    webhook: Webhook, close_first: bool
) -> None:
    order: list[dict[str, Any]] = [CLOSE, BUY] if close_first else [BUY, CLOSE]
    found = [accepted(webhook, fields).id for fields in order]
    webhook.wait(5)
    assert [accepted(webhook, fields).id for fields in order] == found


def test_exit_of_the_entry_that_came_in_between_is_another_alert(webhook: Webhook) -> None:
    first = accepted(webhook, CLOSE)
    webhook.wait(5)
    accepted(webhook, BUY)
    webhook.wait(3)
    assert accepted(webhook, CLOSE).id != first.id


def test_entry_of_the_same_content_after_an_exit_is_another_alert(webhook: Webhook) -> None:
    first = accepted(webhook, BUY)
    webhook.wait(5)
    accepted(webhook, CLOSE)
    webhook.wait(5)
    assert accepted(webhook, BUY).id != first.id


def test_two_closes_with_different_ids_are_two_alerts(webhook: Webhook) -> None:
    first, second = (accepted(webhook, CLOSE, alertId=alert_id) for alert_id in ("1", "2"))
    assert first.id != second.id
